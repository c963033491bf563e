import { type CacheInfo, cacheBody, cacheInfo, cacheList } from '../../api/caches.ts';
import { type Cache, getCache, listCaches, removeCache, setCache } from '../../upstreams/cache/caches.ts';
import { type ApiRoute, apiRoute, iso, originOf } from './route.ts';

const DEFAULT_FRESH_SECONDS = 3_600;

export const CACHE_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/caches',
    access: 'administrator',
    summary: 'The prefixes that are caches of upstreams',
    chapter: 'upstreams',
    answer: cacheList,
    handler: async ({ upstreams }) => ({ caches: (await listCaches(upstreams)).map(cacheInfoOf) }),
  }),
  apiRoute({
    method: 'PUT',
    path: '/api/v1/caches/:prefix{.+}',
    access: 'administrator',
    summary: 'Make a prefix a cache of an upstream, or change it',
    chapter: 'upstreams',
    body: cacheBody,
    answer: cacheInfo,
    async handler({ upstreams }, request, { body }) {
      const prefix = request.param('prefix');
      const { upstream, remotePrefix = '', freshSeconds = DEFAULT_FRESH_SECONDS, visibility = 'private' } = body;
      const wishes = { upstream, remotePrefix, freshMs: freshSeconds * 1_000, visibility };
      await setCache(upstreams, prefix, wishes, originOf(request));
      return cacheInfoOf(await getCache(upstreams, prefix));
    },
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/caches/:prefix{.+}',
    access: 'administrator',
    summary: 'Make a prefix an ordinary one again; what was fetched stays',
    chapter: 'upstreams',
    handler: ({ upstreams }, request) => removeCache(upstreams, request.param('prefix'), originOf(request)),
  }),
];

function cacheInfoOf({ freshMs, createdAt, updatedAt, ...cache }: Cache): CacheInfo {
  return {
    ...cache,
    freshSeconds: Math.round(freshMs / 1_000),
    createdAt: iso(createdAt),
    updatedAt: iso(updatedAt),
  };
}
