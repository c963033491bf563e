import { z } from 'zod';
import { readJson } from '../body.ts';
import { SESSION_ROUTES, type SessionRouteName } from '../session/endpoints.ts';
import type { ApiRoute } from './route.ts';

const BODY_MAX_BYTES = 16 * 1024;

/** Log-in, sessions and the second factor. They look at the session cookie themselves; nothing else identifies their caller. */
export const SESSION_API_ROUTES: readonly ApiRoute[] = (Object.keys(SESSION_ROUTES) as SessionRouteName[]).map(entry);

function entry(name: SessionRouteName): ApiRoute {
  const { session: _, ...route }: Omit<ApiRoute, 'handler' | 'access' | 'chapter'> & { session: boolean } =
    SESSION_ROUTES[name];
  return {
    ...route,
    access: 'none',
    chapter: 'session',
    handler: async ({ sessions }, request) =>
      sessions.handle(name, {
        request: request.raw,
        source: request.source,
        base: request.base,
        param: (parameter) => request.param(parameter),
        body: route.body === undefined ? undefined : await readJson(request, z.unknown(), BODY_MAX_BYTES),
      }),
  };
}
