import type { Access } from '../accounts/authorize.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** One entry of a route table. `path` is Hono's notation; `access` says what a caller needs, and can't be left out. */
export interface Route<Handler> {
  method: Method;
  path: string;
  access: Access;
  /** For a route whose path names no repository and no namespace, and which is not about the instance. */
  target?: 'catalog';
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

/** A path in Hono's notation as a pattern over the raw path; `names` are its parameters in order. */
export function compilePath(path: string): { pattern: RegExp; names: string[] } {
  const names: string[] = [];
  const source = path.replace(/:(\w+)(\{\.\+\})?/g, (_, name: string, slashes: string | undefined) => {
    names.push(name);
    return slashes === undefined ? '([^/]+)' : '(.+)';
  });
  return { pattern: new RegExp(`^${source}$`), names };
}

/** The path of an absolute URL as it was sent, without parsing the rest. */
export function pathOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3);
  if (start < 0) return '/';
  const query = url.indexOf('?', start);
  return query < 0 ? url.slice(start) : url.slice(start, query);
}

/** What stands behind `?`; '' for none. */
export function queryOf(url: string): string {
  const query = url.indexOf('?');
  return query < 0 ? '' : url.slice(query + 1);
}

/** A parameter without percent-encoding; a malformed one as it is, for the parser to refuse. */
export function decoded(value: string | undefined): string | undefined {
  if (value === undefined || !value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
