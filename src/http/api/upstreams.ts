import {
  newUpstreamBody,
  type UpstreamCheckInfo,
  type UpstreamInfo,
  upstreamChangeBody,
  upstreamCheck,
  upstreamCheckBody,
  upstreamInfo,
  upstreamList,
} from '../../api/upstreams.ts';
import { parseRepositoryName } from '../../oci/names.ts';
import { checkUpstream, type UpstreamCheck } from '../../upstreams/upstream-clients.ts';
import {
  createUpstream,
  deleteUpstream,
  getUpstream,
  listUpstreams,
  type Upstream,
  updateUpstream,
} from '../../upstreams/upstreams.ts';
import { type ApiRoute, apiRoute, iso, originOf } from './route.ts';

export const UPSTREAM_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/upstreams',
    access: 'administrator',
    summary: 'The other registries that are known by name',
    chapter: 'upstreams',
    answer: upstreamList,
    handler: async ({ upstreams }) => ({ upstreams: (await listUpstreams(upstreams)).map(upstreamInfoOf) }),
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/upstreams',
    access: 'administrator',
    summary: 'Give another registry a name, with how to log in there',
    chapter: 'upstreams',
    body: newUpstreamBody,
    answer: upstreamInfo,
    status: 201,
    async handler({ upstreams }, request, { body }) {
      const { name, address, username, password, ca } = body;
      const login = username === undefined || password === undefined ? undefined : { username, password };
      await createUpstream(upstreams, { name, address, login, ca }, originOf(request));
      return upstreamInfoOf(await getUpstream(upstreams, name));
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/upstreams/:upstream',
    access: 'administrator',
    summary: 'Another registry, and what uses it',
    chapter: 'upstreams',
    answer: upstreamInfo,
    handler: async ({ upstreams }, request) => upstreamInfoOf(await getUpstream(upstreams, request.param('upstream'))),
  }),
  apiRoute({
    method: 'PATCH',
    path: '/api/v1/upstreams/:upstream',
    access: 'administrator',
    summary: 'Change the address, the log-in or the authority of another registry; it holds at once',
    chapter: 'upstreams',
    body: upstreamChangeBody,
    answer: upstreamInfo,
    async handler({ upstreams }, request, { body }) {
      const name = request.param('upstream');
      await updateUpstream(upstreams, name, body, originOf(request));
      return upstreamInfoOf(await getUpstream(upstreams, name));
    },
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/upstreams/:upstream',
    access: 'administrator',
    summary: 'Forget another registry and its log-in; refused while a cache or a mirror uses it',
    chapter: 'upstreams',
    async handler({ upstreams }, request) {
      await deleteUpstream(upstreams, request.param('upstream'), originOf(request));
      return undefined;
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/upstreams/:upstream/check',
    access: 'administrator',
    summary: 'Ask another registry whether it answers and takes the log-in, and say what is wrong',
    chapter: 'upstreams',
    body: upstreamCheckBody,
    answer: upstreamCheck,
    async handler({ upstreams }, request, { body: { repository } }) {
      const wanted = repository === undefined ? undefined : parseRepositoryName(repository);
      return checkInfoOf(await checkUpstream(upstreams, request.param('upstream'), wanted));
    },
  }),
];

function upstreamInfoOf({ createdAt, updatedAt, ...upstream }: Upstream): UpstreamInfo {
  return { ...upstream, createdAt: iso(createdAt), updatedAt: iso(updatedAt) };
}

function checkInfoOf(check: UpstreamCheck): UpstreamCheckInfo {
  if (check.kind === 'ok') return { ok: true, login: check.login, failure: null, why: null };
  return { ok: false, login: false, failure: check.kind, why: check.why };
}
