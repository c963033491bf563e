import { afterEach, describe, expect, test } from 'bun:test';
import { digestOf } from '../oci/digest.ts';
import { bytesOf, named } from '../registry/testing.ts';
import { parseRegistryAddress } from './registry-address.ts';
import { RegistryPush } from './registry-push.ts';

const APP = named('team/app');
const BYTES = 'the bytes of a layer';

/** A registry that takes uploads, and what is to go wrong with them. */
function startRegistry() {
  const state = {
    asked: [] as string[],
    stored: new Set<string>(),
    uploads: new Map<string, string>(),
    /** Answers of the next requests by method, before the registry's own. */
    trouble: [] as { method: string; answer: () => Response }[],
  };
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      state.asked.push(request.method);
      const body = await request.text();
      const index = state.trouble.findIndex(({ method }) => method === request.method);
      if (index >= 0) return state.trouble.splice(index, 1)[0]?.answer() ?? new Response();
      const id = pathname.split('/').at(-1) ?? '';
      if (request.method === 'HEAD') return new Response(null, { status: state.stored.has(id) ? 200 : 404 });
      if (request.method === 'GET')
        return Response.json({ errors: [{ code: 'BLOB_UNKNOWN', message: '' }] }, { status: 404 });
      if (request.method === 'POST') {
        const upload = String(state.uploads.size + 1);
        state.uploads.set(upload, '');
        return new Response(null, { status: 202, headers: { location: `/v2/team/app/blobs/uploads/${upload}` } });
      }
      if (request.method === 'PATCH') {
        state.uploads.set(id, body);
        return new Response(null, { status: 202, headers: { location: `${pathname}?state=x` } });
      }
      const digest = searchParams.get('digest') ?? '';
      if (searchParams.get('state') !== 'x' || digestOf(bytesOf(state.uploads.get(id) ?? '')) !== digest) {
        return Response.json({ errors: [{ code: 'DIGEST_INVALID', message: 'other bytes' }] }, { status: 400 });
      }
      state.stored.add(digest);
      return new Response(null, { status: 201 });
    },
  });
  const slept: number[] = [];
  const push = new RegistryPush({
    address: parseRegistryAddress(`http://127.0.0.1:${server.port}`),
    sleep: async (ms) => void slept.push(ms),
  });
  return { ...state, push, slept, stop: () => server.stop(true) };
}

const blobOf = (content: string, digest = digestOf(bytesOf(content))) => ({
  digest,
  size: bytesOf(content).byteLength,
  open: async () => new Blob([content]).stream(),
});
const refusal = (status: number, code: string, message: string) => () =>
  Response.json({ errors: [{ code, message }] }, { status });

describe('a push to another registry', () => {
  let registry: ReturnType<typeof startRegistry>;
  afterEach(() => registry.stop());

  test('sends the bytes once, and none of what is there', async () => {
    registry = startRegistry();
    expect(await registry.push.blob(APP, blobOf(BYTES), undefined)).toBe('sent');
    expect(registry.asked).toEqual(['HEAD', 'POST', 'PATCH', 'PUT']);
    expect(await registry.push.blob(APP, blobOf(BYTES), undefined)).toBe('present');
    expect(registry.asked.slice(4)).toEqual(['HEAD']);
  });

  test('begins an upload anew when it failed on the way', async () => {
    registry = startRegistry();
    registry.trouble.push({ method: 'PATCH', answer: () => new Response('a stack trace', { status: 502 }) });
    registry.trouble.push({ method: 'PUT', answer: refusal(503, 'UNAVAILABLE', 'later') });
    expect(await registry.push.blob(APP, blobOf(BYTES), undefined)).toBe('sent');
    expect(registry.asked.filter((method) => method === 'POST')).toHaveLength(3);
    expect(registry.slept).toHaveLength(2);
  });

  test('ends with what the registry says when it refuses: a size, a right, a quota', async () => {
    registry = startRegistry();
    const failing = async (answer: () => Response) => {
      registry.trouble.push({ method: 'PATCH', answer });
      return registry.push.blob(APP, blobOf(BYTES), undefined).then(
        () => 'it was taken',
        (error: Error) => error.message,
      );
    };
    expect(await failing(() => new Response('<html>', { status: 413 }))).toMatch(
      /PATCH .* answers 413: it is larger than the registry, or a proxy before it, takes$/,
    );
    expect(await failing(() => new Response('', { status: 403 }))).toMatch(
      /403: it needs a log-in that may write this$/,
    );
    expect(await failing(refusal(403, 'DENIED', 'quota: no room'))).toMatch(/403 \(DENIED: quota: no room\)$/);
    expect(registry.slept).toEqual([]);
    expect(registry.stored.size).toBe(0);
  });

  test('is not taken when the bytes here are damaged', async () => {
    registry = startRegistry();
    const damaged = blobOf(BYTES, digestOf(bytesOf('what they were')));
    const error = await registry.push.blob(APP, damaged, undefined).catch((thrown: unknown) => thrown);
    expect(String(error)).toContain(`the stored bytes of ${damaged.digest} are damaged`);
    expect(registry.stored.size).toBe(0);
  });
});
