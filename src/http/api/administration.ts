import {
  addressCheck,
  type GarbageRunInfo,
  garbageRun,
  garbageRunDetails,
  garbageRunPage,
  garbageRunQuery,
  newGarbageRunBody,
  pauseQuery,
  receivedBody,
  settingList,
  storageInfo,
} from '../../api/administration.ts';
import { OciError } from '../../oci/errors.ts';
import { findRun, listRuns, type RecordedRun, requestRun } from '../../registry/garbage/runs.ts';
import { tokenRealm } from '../public-address.ts';
import { type BerthRequest, contentLength } from '../request.ts';
import { type ApiRoute, apiRoute, iso, isoOrNull, limitOf } from './route.ts';

/** A trial of what a proxy lets through; larger than the limits that proxies have by themselves. */
const TRIAL_MAX_BYTES = 256 * 1024 * 1024;

/** Headers that compare-and-swap and resumed pulls need, and that a proxy may drop. */
const CONDITIONS = ['if-match', 'if-none-match', 'range', 'if-range'] as const;

export const ADMINISTRATION_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/instance/storage',
    access: 'administrator',
    summary: 'What the registry holds, how large it is and what space is left',
    chapter: 'instance',
    answer: storageInfo,
    async handler({ storage }) {
      const { summedAt, ...figures } = await storage.read();
      return { ...figures, summedAt: iso(summedAt) };
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/instance/settings',
    access: 'administrator',
    summary: 'Every setting as it holds, without its secrets',
    chapter: 'instance',
    answer: settingList,
    handler: async ({ settings }) => ({ settings: [...settings] }),
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/instance/garbage-collections',
    access: 'administrator',
    summary: 'The last hundred garbage collections, newest first',
    chapter: 'instance',
    query: garbageRunQuery,
    answer: garbageRunPage,
    async handler({ registry }, request, { query }) {
      const { runs, more } = await listRuns(registry, { before: query.last || undefined, limit: limitOf(request) });
      return { runs: runs.map(runInfo), next: more ? (runs.at(-1)?.id ?? null) : null };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/instance/garbage-collections',
    access: 'administrator',
    summary: 'Begin a garbage collection, or a dry run that says what would go',
    chapter: 'instance',
    body: newGarbageRunBody,
    answer: garbageRun,
    status: 202,
    async handler({ registry, garbage }, { actor }, { body: { dryRun } }) {
      const run = await requestRun(registry, dryRun, actor);
      garbage.start({ id: run.id, dryRun });
      return runInfo(run);
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/instance/garbage-collections/:id',
    access: 'administrator',
    summary: 'A garbage collection: how it goes or went, and of a dry run what would go',
    chapter: 'instance',
    answer: garbageRunDetails,
    async handler({ registry }, request) {
      const id = request.param('id');
      const run = await findRun(registry, id);
      if (run === undefined) {
        throw new OciError('NOT_FOUND', `id: no garbage collection ${id.slice(0, 100)}; the last hundred are kept`);
      }
      return { ...runInfo(run), items: run.items };
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/address-check',
    access: 'none',
    summary: 'How this request came here, to compare with the address that it was sent to',
    chapter: 'instance',
    answer: addressCheck,
    async handler(_, request) {
      const { base, arrival, source } = request;
      const { peer, ...rest } = arrival;
      const { proto, host, for: hops } = arrival.forwarded;
      const ignored = !arrival.trusted && [proto, host, hops].some((header) => header !== null);
      return {
        base,
        realm: tokenRealm(base),
        ...rest,
        peer: ignored && peer !== '' ? peer : null,
        client: source,
        conditions: CONDITIONS.filter((name) => request.header(name) !== null),
      };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/address-check/body',
    access: 'account',
    summary: 'Counts the bytes of the body and throws them away, to see whether what is in between lets them through',
    chapter: 'instance',
    answer: receivedBody,
    handler: async (_, request) => ({ bytes: await countBody(request) }),
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/address-check/pause',
    access: 'account',
    summary: 'A line, a pause, another line: to see whether what is in between holds answers back or cuts them off',
    chapter: 'instance',
    query: pauseQuery,
    handler: async (_, { raw }, { query }) =>
      new Response(pausing(query.seconds * 1_000, raw.signal), {
        headers: { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' },
      }),
  }),
];

function pausing(ms: number, signal: AbortSignal): ReadableStream<Uint8Array> {
  const line = (said: object) => new TextEncoder().encode(`${JSON.stringify(said)}\n`);
  let ending: ReturnType<typeof setTimeout> | undefined;
  return new ReadableStream({
    start(controller) {
      controller.enqueue(line({ pausing: true }));
      const end = () => {
        clearTimeout(ending);
        signal.removeEventListener('abort', end);
        controller.enqueue(line({ pausing: false }));
        controller.close();
      };
      ending = setTimeout(end, ms);
      signal.addEventListener('abort', end);
    },
    cancel() {
      clearTimeout(ending);
    },
  });
}

/** Holds no more than what arrives at a time. @throws OciError BODY_TOO_LARGE */
async function countBody(request: BerthRequest): Promise<number> {
  const refuseBeyond = (bytes: number) => {
    if (bytes <= TRIAL_MAX_BYTES) return;
    throw new OciError('BODY_TOO_LARGE', `body: larger than ${TRIAL_MAX_BYTES} bytes; try with less`);
  };
  refuseBeyond(contentLength(request) ?? 0);
  let bytes = 0;
  for await (const piece of request.raw.body ?? []) {
    bytes += piece.byteLength;
    refuseBeyond(bytes);
  }
  return bytes;
}

function runInfo(run: RecordedRun): GarbageRunInfo {
  const { id, dryRun, startedBy, state, startedAt, finishedAt, error, result } = run;
  return {
    id,
    dryRun,
    startedBy,
    state,
    startedAt: iso(startedAt),
    finishedAt: isoOrNull(finishedAt),
    error,
    result,
  };
}
