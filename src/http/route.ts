import type { Access } from '../accounts/authorize.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** One entry of a route table. `path` is Hono's notation; `access` says what a caller needs, and can't be left out. */
export interface Route<Handler> {
  method: Method;
  path: string;
  access: Access;
  handler: Handler;
}

/** The table by path: one lookup of the router, then one of the method, so that a wrong method can be told from a wrong path. */
export function byPath<Handler>(routes: readonly Route<Handler>[]): Map<string, Map<string, Route<Handler>>> {
  const paths = new Map<string, Map<string, Route<Handler>>>();
  for (const route of routes) {
    const methods = paths.get(route.path) ?? new Map<string, Route<Handler>>();
    methods.set(route.method, route);
    paths.set(route.path, methods);
  }
  return paths;
}
