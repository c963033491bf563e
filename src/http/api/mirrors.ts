import {
  type MirrorInfo,
  mirrorChangeBody,
  mirrorInfo,
  mirrorList,
  newMirrorBody,
  newMirrorRunBody,
  requestedMirrorRun,
} from '../../api/mirrors.ts';
import { parseRepositoryName, type RepositoryName } from '../../oci/names.ts';
import {
  createMirror,
  deleteMirror,
  getMirror,
  listMirrors,
  type Mirror,
  requestMirrorRun,
  updateMirror,
} from '../../upstreams/mirrors.ts';
import type { BerthRequest } from '../request.ts';
import { type ApiRoute, apiRoute, iso, isoOrNull, originOf } from './route.ts';

const SIX_HOURS_S = 21_600;

export const MIRROR_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/mirrors',
    access: 'administrator',
    summary: 'The repositories that follow one of another registry',
    chapter: 'upstreams',
    answer: mirrorList,
    handler: async (context) => ({ mirrors: (await listMirrors(context)).map(mirrorInfoOf) }),
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/mirrors',
    access: 'administrator',
    summary: 'Let a repository follow one of another registry; it is copied at once, and then as often as is said',
    chapter: 'upstreams',
    body: newMirrorBody,
    answer: mirrorInfo,
    status: 201,
    async handler(context, request, { body }) {
      const repository = parseRepositoryName(body.repository);
      const wishes = {
        upstream: body.upstream,
        from: parseRepositoryName(body.from),
        tags: body.tags ?? [],
        referrers: body.referrers ?? true,
        bytesPerSecond: body.bytesPerSecond ?? null,
        intervalMs: (body.everySeconds ?? SIX_HOURS_S) * 1_000,
      };
      await createMirror(context, repository, wishes, originOf(request));
      return mirrorInfoOf(await getMirror(context, repository));
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/mirrors/:mirror{.+}',
    access: 'administrator',
    summary: 'A mirror, by its repository: how its last run went, and when the next is',
    chapter: 'upstreams',
    answer: mirrorInfo,
    handler: async (context, request) => mirrorInfoOf(await getMirror(context, repositoryOf(request))),
  }),
  apiRoute({
    method: 'PATCH',
    path: '/api/v1/mirrors/:mirror{.+}',
    access: 'administrator',
    summary: 'Change what a mirror follows, which tags and how often; it is copied so at once',
    chapter: 'upstreams',
    body: mirrorChangeBody,
    answer: mirrorInfo,
    async handler(context, request, { body }) {
      const repository = repositoryOf(request);
      const { everySeconds, from, ...rest } = body;
      const change = {
        ...rest,
        ...(from === undefined ? {} : { from: parseRepositoryName(from) }),
        ...(everySeconds === undefined ? {} : { intervalMs: everySeconds * 1_000 }),
      };
      await updateMirror(context, repository, change, originOf(request));
      return mirrorInfoOf(await getMirror(context, repository));
    },
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/mirrors/:mirror{.+}',
    access: 'administrator',
    summary: 'Let a repository follow no other any more; it stays as it is',
    chapter: 'upstreams',
    async handler(context, request) {
      await deleteMirror(context, repositoryOf(request), originOf(request));
      return undefined;
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/mirror-runs',
    access: 'administrator',
    summary: 'Copy a mirror now, or after the run that goes on',
    chapter: 'upstreams',
    body: newMirrorRunBody,
    answer: requestedMirrorRun,
    status: 202,
    handler: async (context, request, { body }) => ({
      number: await requestMirrorRun(context, parseRepositoryName(body.repository), originOf(request)),
    }),
  }),
];

function repositoryOf(request: BerthRequest): RepositoryName {
  return parseRepositoryName(request.param('mirror'));
}

function mirrorInfoOf(mirror: Mirror): MirrorInfo {
  const { repositoryId: _, intervalMs, nextAt, lastRun, lastSuccessAt, createdAt, ...rest } = mirror;
  return {
    ...rest,
    everySeconds: Math.round(intervalMs / 1_000),
    nextAt: iso(nextAt),
    lastRun: lastRun && { ...lastRun, startedAt: iso(lastRun.startedAt), finishedAt: iso(lastRun.finishedAt) },
    lastSuccessAt: isoOrNull(lastSuccessAt),
    createdAt: iso(createdAt),
  };
}
