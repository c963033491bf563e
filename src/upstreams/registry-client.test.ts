import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { requireTools, run } from '../../tests/support/tools.ts';
import { digestOf } from '../oci/digest.ts';
import { MEDIA } from '../oci/media-types.ts';
import { parseRepositoryName, parseTag } from '../oci/names.ts';
import { testFolder } from '../storage/testing.ts';
import { parseChallenges } from './challenge.ts';
import { nameAt, parseRegistryAddress } from './registry-address.ts';
import { RegistryClient } from './registry-client.ts';
import type { TransportOptions } from './registry-transport.ts';
import { UpstreamError } from './upstream-error.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A server on the loopback address that answers as a test wants. */
class Upstream {
  readonly requests: { method: string; url: string; headers: IncomingMessage['headers'] }[] = [];
  answer: Answer = (_, response) => response.writeHead(500).end();
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      this.requests.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers });
      this.answer(request, response);
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

const APP = parseRepositoryName('team/app');
const TAG = { kind: 'tag', tag: parseTag('1.0') } as const;
const MANIFEST = JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: [] });
const BLOB = crypto.getRandomValues(new Uint8Array(50_000));
const DIGEST = digestOf(BLOB);
const bytesOf = (text: string) => new TextEncoder().encode(text);

let upstream: Upstream;
let other: Upstream;
let now: number;
let slept: number[];

beforeEach(async () => {
  upstream = new Upstream();
  other = new Upstream();
  await Promise.all([upstream.listen(), other.listen()]);
  now = Date.UTC(2026, 0, 1);
  slept = [];
});
afterEach(() => {
  upstream.close();
  other.close();
});

function client(options: Partial<TransportOptions> = {}): RegistryClient {
  return new RegistryClient({
    address: parseRegistryAddress(upstream.url),
    now: () => now,
    sleep: async (ms) => {
      slept.push(ms);
      now += ms;
    },
    ...options,
  });
}

async function failureOf(work: Promise<unknown>) {
  try {
    await work;
  } catch (error) {
    if (error instanceof UpstreamError) return error.failure;
    throw error;
  }
  return { kind: 'none' };
}

const sendManifest: Answer = (_, response) => {
  response.writeHead(200, { 'content-type': MEDIA.ociIndex, 'docker-content-digest': digestOf(bytesOf(MANIFEST)) });
  response.end(MANIFEST);
};
const sendErrors = (response: ServerResponse, status: number, code: string, headers = {}) =>
  response
    .writeHead(status, { 'content-type': 'application/json', ...headers })
    .end(JSON.stringify({ errors: [{ code }] }));

async function received(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe('logging in', () => {
  let tokens: number;
  const withTokens = (lifeS: number): Answer => {
    tokens = 0;
    other.answer = (_, response) => {
      tokens++;
      response.end(JSON.stringify({ token: `t${tokens}`, expires_in: lifeS }));
    };
    return (request, response) => {
      if (request.headers.authorization === `Bearer t${tokens}`) return sendManifest(request, response);
      const challenge = `Bearer realm="${other.url}/token",service="r",scope="repository:team/app:pull"`;
      return void sendErrors(response, 401, 'UNAUTHORIZED', { 'www-authenticate': challenge });
    };
  };

  test('a token is got with the registry’s service and scope, and kept until shortly before it expires', async () => {
    upstream.answer = withTokens(300);
    const registry = client({ credentials: { username: 'alice', password: 'pä ss' } });
    await registry.getManifest(APP, TAG);
    await registry.getManifest(APP, TAG);
    expect(tokens).toBe(1);
    const asked = new URL(other.requests[0]?.url ?? '', other.url);
    expect(asked.searchParams.get('service')).toBe('r');
    expect(asked.searchParams.get('scope')).toBe('repository:team/app:pull');
    expect(other.requests[0]?.headers.authorization).toBe(`Basic ${Buffer.from('alice:pä ss').toString('base64')}`);
    now += 296_000;
    await registry.getManifest(APP, TAG);
    expect(tokens).toBe(2);
  });

  test('many that need a token at once ask for one, and without credentials for an anonymous one', async () => {
    upstream.answer = withTokens(300);
    const registry = client();
    await Promise.all(Array.from({ length: 8 }, () => registry.getManifest(APP, TAG)));
    expect(tokens).toBe(1);
    expect(other.requests[0]?.headers.authorization).toBeUndefined();
  });

  test('Basic is answered with the credentials, and sent at once from then on', async () => {
    const expected = `Basic ${Buffer.from('aws:secret').toString('base64')}`;
    upstream.answer = (request, response) =>
      request.headers.authorization === expected
        ? sendManifest(request, response)
        : void sendErrors(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="ecr"' });
    const registry = client({ credentials: { username: 'aws', password: 'secret' } });
    await registry.getManifest(APP, TAG);
    await registry.getManifest(APP, TAG);
    expect(upstream.requests).toHaveLength(3);
  });

  test('refused credentials and missing ones are unauthorized, a broken token server is unavailable', async () => {
    upstream.answer = withTokens(300);
    other.answer = (_, response) => response.writeHead(401).end();
    expect(await failureOf(client({ credentials: { username: 'a', password: 'b' } }).getManifest(APP, TAG))).toEqual({
      kind: 'unauthorized',
    });
    other.answer = (_, response) => response.writeHead(502).end();
    expect((await failureOf(client().getManifest(APP, TAG))).kind).toBe('unavailable');
    upstream.answer = (_, response) => void sendErrors(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic' });
    expect((await failureOf(client().getManifest(APP, TAG))).kind).toBe('unauthorized');
    upstream.answer = (_, response) => void sendErrors(response, 403, 'DENIED');
    expect((await failureOf(client().getManifest(APP, TAG))).kind).toBe('unauthorized');
  });

  test('a redirect to another host does not take the log-in there', async () => {
    other.answer = (_, response) => response.end(BLOB);
    upstream.answer = (request, response) => {
      if (request.headers.authorization === undefined) {
        return void sendErrors(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="r"' });
      }
      response.writeHead(307, { location: `${other.url}/bucket/x?signed=1` }).end();
    };
    const registry = client({ credentials: { username: 'alice', password: 'secret' } });
    expect(digestOf(await received(registry.blob(APP, DIGEST, BLOB.byteLength)))).toBe(DIGEST);
    expect(other.requests[0]?.url).toBe('/bucket/x?signed=1');
    expect(other.requests[0]?.headers.authorization).toBeUndefined();
  });
});

describe('what is not answered', () => {
  test('is not found only when the registry says so', async () => {
    upstream.answer = (_, response) => void sendErrors(response, 404, 'MANIFEST_UNKNOWN');
    expect(await failureOf(client().getManifest(APP, TAG))).toEqual({ kind: 'not-found' });
    expect(await failureOf(client().headManifest(APP, TAG))).toEqual({ kind: 'not-found' });
    upstream.answer = (_, response) =>
      response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Not Found</h1>');
    expect((await failureOf(client().getManifest(APP, TAG))).kind).toBe('unavailable');
    expect((await failureOf(client().headManifest(APP, TAG))).kind).toBe('unavailable');
    expect(slept).toEqual([]);
  });

  test('is tried again with longer pauses, and so often', async () => {
    let times = 0;
    upstream.answer = (request, response) =>
      ++times < 4 ? response.writeHead(503).end() : sendManifest(request, response);
    expect((await client().getManifest(APP, TAG)).digest).toBe(digestOf(bytesOf(MANIFEST)));
    for (const [tried, ms] of slept.entries()) expect(ms).toBeWithin(375 * 2 ** tried, 500 * 2 ** tried + 1);
    expect(slept).toHaveLength(3);
    times = -1_000;
    expect((await failureOf(client({ patience: { tries: 3 } }).getManifest(APP, TAG))).kind).toBe('unavailable');
    expect(times).toBe(-997);
  });

  test('a 429 is waited for as long as it asks, unless that is too long: then it says until when', async () => {
    let times = 0;
    upstream.answer = (request, response) =>
      ++times === 1
        ? void sendErrors(response, 429, 'TOOMANYREQUESTS', { 'retry-after': '7' })
        : sendManifest(request, response);
    await client().getManifest(APP, TAG);
    expect(slept).toEqual([7_000]);
    times = 0;
    upstream.answer = (_, response) => void sendErrors(response, 429, 'TOOMANYREQUESTS', { 'retry-after': '21600' });
    expect(await failureOf(client().getManifest(APP, TAG))).toEqual({
      kind: 'rate-limited',
      retryAt: now + 21_600_000,
    });
  });

  test('nobody listening, a cut and a silent connection are unavailable', async () => {
    upstream.answer = (request) => request.socket.destroy();
    expect((await failureOf(client({ patience: { tries: 2 } }).getManifest(APP, TAG))).kind).toBe('unavailable');
    upstream.answer = () => {};
    const hasty = { tries: 1, answerMs: 100, idleMs: 100 };
    expect((await failureOf(client({ patience: hasty }).getManifest(APP, TAG))).kind).toBe('unavailable');
    upstream.answer = (_, response) => response.writeHead(200, { 'content-length': '9' }).write('{');
    expect((await failureOf(client({ patience: hasty }).getManifest(APP, TAG))).kind).toBe('unavailable');
    const late = client({ patience: hasty });
    upstream.close();
    expect((await failureOf(late.getManifest(APP, TAG))).kind).toBe('unavailable');
  });
});

describe('a blob', () => {
  const cutting =
    (options: { ranges: boolean; every: number }): Answer =>
    (request, response) => {
      const start = options.ranges ? Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0) : 0;
      const head = { 'content-length': String(BLOB.byteLength - start) };
      const range = { 'content-range': `bytes ${start}-${BLOB.byteLength - 1}/${BLOB.byteLength}` };
      response.writeHead(start > 0 ? 206 : 200, start > 0 ? { ...head, ...range } : head);
      const end = options.ranges ? start + options.every : options.every * upstream.requests.length;
      response.write(BLOB.subarray(start, end), () =>
        setTimeout(() => (end < BLOB.byteLength ? request.socket.destroy() : response.end()), 20),
      );
    };

  test('whose connection is cut again and again is taken up where it ended', async () => {
    upstream.answer = cutting({ ranges: true, every: 12_000 });
    expect(digestOf(await received(client().blob(APP, DIGEST, BLOB.byteLength)))).toBe(DIGEST);
    expect(upstream.requests.slice(1).every((request) => /^bytes=[1-9]\d*-$/.test(request.headers.range ?? ''))).toBe(
      true,
    );
    expect(upstream.requests.length).toBeGreaterThan(3);
  });

  test('of a registry without ranges is read again, and what is there already skipped', async () => {
    upstream.answer = cutting({ ranges: false, every: 20_000 });
    expect(digestOf(await received(client().blob(APP, DIGEST, BLOB.byteLength)))).toBe(DIGEST);
  });

  test('that brings nothing more is given up after so many tries', async () => {
    upstream.answer = (request) => request.socket.destroy();
    const work = received(client({ patience: { tries: 2 } }).blob(APP, DIGEST, BLOB.byteLength));
    expect((await failureOf(work)).kind).toBe('unavailable');
  });

  test('with other bytes or another size is invalid', async () => {
    const wrong = new Uint8Array(BLOB);
    wrong[7] = (wrong[7] ?? 0) ^ 1;
    upstream.answer = (_, response) => response.end(wrong);
    expect((await failureOf(received(client().blob(APP, DIGEST, BLOB.byteLength)))).kind).toBe('invalid');
    upstream.answer = (_, response) => response.end(BLOB.subarray(1));
    expect((await failureOf(received(client().blob(APP, DIGEST, BLOB.byteLength)))).kind).toBe('invalid');
  });
});

describe('a manifest', () => {
  test('whose bytes are not what the digest says is invalid', async () => {
    upstream.answer = (_, response) => response.end(MANIFEST);
    expect((await failureOf(client().getManifest(APP, { kind: 'digest', digest: DIGEST }))).kind).toBe('invalid');
  });
});

describe('lists', () => {
  test('are read page by page by their links, which lead to no other host', async () => {
    upstream.answer = (request, response) => {
      const last = new URL(request.url ?? '', upstream.url).searchParams.get('last');
      if (last === null) response.setHeader('link', '</v2/team/app/tags/list?last=b&n=2>; rel="next"');
      if (last === 'b') response.setHeader('link', `<${other.url}/v2/team/app/tags/list?last=c>; rel="next"`);
      response.end(JSON.stringify({ name: 'team/app', tags: last === null ? ['a', 'b'] : ['c'] }));
    };
    const tags: string[] = [];
    for await (const tag of client().tags(APP)) tags.push(tag);
    expect(tags).toEqual(['a', 'b', 'c']);
    expect(other.requests).toEqual([]);
  });

  test('of referrers come from the tag that stands for them where there is no such list', async () => {
    const referrer = { mediaType: MEDIA.ociManifest, digest: digestOf(bytesOf('signature')), size: 9 };
    upstream.answer = (request, response) => {
      if (request.url !== `/v2/team/app/manifests/${DIGEST.replace(':', '-')}`)
        return void response.writeHead(404).end('404 page not found');
      response.writeHead(200, { 'content-type': MEDIA.ociIndex });
      response.end(JSON.stringify({ schemaVersion: 2, manifests: [referrer] }));
    };
    expect(await client().referrers(APP, DIGEST)).toEqual([referrer]);
    upstream.answer = (request, response) =>
      request.url?.includes('/referrers/')
        ? response.writeHead(404).end('404 page not found')
        : void sendErrors(response, 404, 'MANIFEST_UNKNOWN');
    expect(await client().referrers(APP, DIGEST)).toEqual([]);
    const asked = upstream.requests.length;
    const registry = client();
    for (let i = 0; i < 3; i++) await registry.referrers(APP, DIGEST);
    expect(upstream.requests.slice(asked).filter((request) => request.url.includes('/referrers/'))).toHaveLength(1);
    upstream.answer = (_, response) => response.writeHead(503).end();
    expect((await failureOf(client({ patience: { tries: 1 } }).referrers(APP, DIGEST))).kind).toBe('unavailable');
  });
});

test.if(requireTools('a private authority', ['openssl']))(
  'a private authority is trusted when its certificate is given, and is named when not',
  async () => {
    const folder = testFolder('authority');
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
    const subject = ['-subj', '/CN=old', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
    await run([
      'openssl',
      'req',
      '-x509',
      '-nodes',
      '-days',
      '2',
      ...ec,
      ...subject,
      '-keyout',
      key,
      '-out',
      certificate,
    ]);
    const server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      tls: { key: Bun.file(key), cert: Bun.file(certificate) },
      fetch: () => new Response(MANIFEST, { headers: { 'content-type': MEDIA.ociIndex } }),
    });
    try {
      const address = parseRegistryAddress(`https://127.0.0.1:${server.port}`);
      const found = await client({ address, ca: readFileSync(certificate, 'utf8') }).getManifest(APP, TAG);
      expect(found.digest).toBe(digestOf(bytesOf(MANIFEST)));
      await expect(client({ address }).getManifest(APP, TAG)).rejects.toThrow(/certificate is not trusted.*--ca/);
      const plain = parseRegistryAddress(upstream.url.replace('http:', 'https:'));
      await expect(client({ address: plain }).getManifest(APP, TAG)).rejects.toThrow(
        /does not speak HTTPS; write http:/,
      );
      expect(slept).toEqual([]);
    } finally {
      await server.stop(true);
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

test('addresses are HTTPS unless they say http://, and Docker Hub’s names get their library/', () => {
  expect(parseRegistryAddress('ghcr.io')).toEqual({ shown: 'ghcr.io', origin: 'https://ghcr.io', hub: false });
  expect(parseRegistryAddress('http://localhost:5003/').origin).toBe('http://localhost:5003');
  const hub = parseRegistryAddress('https://index.docker.io/v1/');
  expect(hub.origin).toBe('https://registry-1.docker.io');
  expect(nameAt(hub, parseRepositoryName('alpine'))).toBe(parseRepositoryName('library/alpine'));
  expect(nameAt(hub, APP)).toBe(APP);
  for (const text of ['ftp://x', 'https://x/team', 'https://a:b@x', 'https://', 'x y']) {
    expect(() => parseRegistryAddress(text)).toThrow(TypeError);
  }
});

test('challenges are read with quotes, commas and several schemes', () => {
  expect(parseChallenges('Bearer realm="https://a/t?x=1,2",service=r, Basic realm="say \\"hi\\""')).toEqual([
    { scheme: 'bearer', parameters: { realm: 'https://a/t?x=1,2', service: 'r' } },
    { scheme: 'basic', parameters: { realm: 'say "hi"' } },
  ]);
  expect(parseChallenges('Negotiate')).toEqual([{ scheme: 'negotiate', parameters: {} }]);
  expect(parseChallenges(null)).toEqual([]);
});
