import { describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { digestOf, freshName } from '../support/registry.ts';
import { serve } from '../support/serve.ts';
import { Connection, exchange, requestBytes } from '../support/wire.ts';

const served = serve();
const bytes = randomBytes(400_000);
const digest = digestOf(bytes);

/** Sends the head of a request for `length` bytes, then `sent` of them, and cuts the connection. */
async function cut(method: string, path: string, headers: Record<string, string>, sent: Uint8Array): Promise<void> {
  const connection = await Connection.open(served.berth.port);
  const head = requestBytes(served.registry.host, method, path, { headers });
  connection.send(Buffer.concat([head, sent]));
  await Bun.sleep(150);
  connection.close();
}

/** The bytes an upload holds, once it has settled after a cut. `0-0` is none: nothing here sends a single byte. */
async function held(location: string): Promise<number> {
  let before = -1;
  for (let i = 0; i < 40; i++) {
    const answer = await served.registry.get(location);
    expect(answer.status).toBe(204);
    const end = Number(/^0-(\d+)$/.exec(answer.headers.get('range') ?? '')?.[1]);
    const now = end === 0 ? 0 : end + 1;
    if (now === before) return now;
    before = now;
    await Bun.sleep(50);
  }
  throw new Error('the upload never settled');
}

async function finish(location: string, from: number): Promise<void> {
  const answer = await served.registry.request('PATCH', location, {
    headers: { 'Content-Range': `${from}-${bytes.length - 1}` },
    body: bytes.subarray(from),
  });
  expect(answer.status).toBe(202);
  const closed = await served.registry.request('PUT', `${location}?digest=${digest}`);
  expect(closed.status).toBe(201);
  const pulled = await served.registry.get(closed.headers.get('location') ?? '');
  expect(pulled.body.equals(bytes)).toBe(true);
}

describe('an upload that is cut', () => {
  for (const method of ['PATCH', 'PUT']) {
    test(`in the middle of a ${method} goes on from the offset that GET tells`, async () => {
      const location = await served.registry.startUpload(freshName());
      const path = method === 'PUT' ? `${location}?digest=${digest}` : location;
      await cut(method, path, { 'Content-Length': String(bytes.length) }, bytes.subarray(0, 250_000));
      const from = await held(location);
      expect(from).toBeGreaterThan(1);
      expect(from).toBeLessThanOrEqual(250_000);
      await finish(location, from);
    });
  }

  test('in the middle of a chunk of HTTP goes on too', async () => {
    const location = await served.registry.startUpload(freshName());
    const pieces = [0, 1, 2, 3, 4].map((i) => [
      Buffer.from('4e20\r\n'),
      bytes.subarray(i * 20_000, (i + 1) * 20_000),
      Buffer.from('\r\n'),
    ]);
    const half = [Buffer.from('4e20\r\n'), bytes.subarray(100_000, 110_000)];
    await cut('PATCH', location, { 'Transfer-Encoding': 'chunked' }, Buffer.concat([...pieces.flat(), ...half]));
    const from = await held(location);
    expect(from).toBeGreaterThanOrEqual(100_000);
    await finish(location, from);
  });

  test('many times over still makes the right blob', async () => {
    const location = await served.registry.startUpload(freshName());
    let from = 0;
    for (let i = 0; i < 5; i++) {
      const left = bytes.subarray(from);
      await cut('PATCH', location, { 'Content-Length': String(left.length) }, left.subarray(0, 40_000 + i));
      from = await held(location);
    }
    expect(from).toBeGreaterThan(40_000);
    await finish(location, from);
  });

  test('before it began leaves an upload that can be used', async () => {
    const location = await served.registry.startUpload(freshName());
    await cut('PATCH', location, { 'Content-Length': '400000' }, Buffer.alloc(0));
    await finish(location, 0);
  });

  test('in a POST with a digest leaves no blob', async () => {
    const repository = freshName();
    await served.registry.pushBlob(repository, 'x');
    const path = `/v2/${repository}/blobs/uploads/?digest=${digest}`;
    await cut('POST', path, { 'Content-Length': String(bytes.length) }, bytes.subarray(0, 399_999));
    expect((await served.registry.head(`/v2/${repository}/blobs/${digest}`)).status).toBe(404);
  });
});

describe('two connections on one upload', () => {
  test('a client that comes back while its old connection still hangs goes on from what had arrived', async () => {
    const location = await served.registry.startUpload(freshName());
    const old = await Connection.open(served.berth.port);
    const headers = { 'Content-Length': String(bytes.length) };
    old.send(requestBytes(served.registry.host, 'PATCH', location, { headers }));
    old.send(bytes.subarray(0, 200_000));
    await Bun.sleep(150);
    const from = await held(location);
    expect(from).toBeGreaterThan(0);
    await finish(location, from);
    old.send(bytes.subarray(200_000));
    old.close();
  });

  test('the same chunk sent twice at once is taken once, and the blob is right', async () => {
    const location = await served.registry.startUpload(freshName());
    const half = bytes.length / 2;
    const send = () =>
      served.registry.request('PATCH', location, {
        headers: { 'Content-Range': `0-${half - 1}` },
        body: bytes.subarray(0, half),
      });
    const statuses = (await Promise.all([send(), send(), send()])).map((answer) => answer.status);
    expect(statuses.filter((status) => status === 202)).toHaveLength(1);
    for (const status of statuses) expect([202, 400, 409, 416]).toContain(status);
    await finish(location, half);
  });

  test('closed twice at once makes the blob, and no answer is an error of the server', async () => {
    const repository = freshName();
    const location = await served.registry.startUpload(repository);
    await served.registry.request('PATCH', location, { body: bytes });
    const close = () => served.registry.request('PUT', `${location}?digest=${digest}`);
    const statuses = (await Promise.all([close(), close(), close()])).map((answer) => answer.status);
    expect(statuses).toContain(201);
    for (const status of statuses) expect([201, 404, 409]).toContain(status);
    expect((await served.registry.get(`/v2/${repository}/blobs/${digest}`)).body.equals(bytes)).toBe(true);
  });

  test('cancelled while a chunk arrives leaves neither upload nor blob', async () => {
    const location = await served.registry.startUpload(freshName());
    const slow = await Connection.open(served.berth.port);
    slow.send(requestBytes(served.registry.host, 'PATCH', location, { headers: { 'Content-Length': '400000' } }));
    slow.send(bytes.subarray(0, 100_000));
    await Bun.sleep(100);
    expect((await served.registry.delete(location)).status).toBe(204);
    slow.send(bytes.subarray(100_000));
    await Bun.sleep(100);
    slow.close();
    expect((await served.registry.get(location)).status).toBe(404);
  });
});

test('a manifest that is cut is not there', async () => {
  const repository = freshName();
  const image = await served.registry.makeImage(repository);
  const headers = {
    'Content-Type': 'application/vnd.oci.image.manifest.v1+json',
    'Content-Length': String(image.size),
  };
  await cut('PUT', `/v2/${repository}/manifests/v1`, headers, Buffer.from(image.body.slice(0, -1)));
  expect((await served.registry.head(`/v2/${repository}/manifests/v1`)).status).toBe(404);
});

test('a pull that is cut by the client leaves a server that answers', async () => {
  const repository = freshName();
  const big = randomBytes(8_000_000);
  const stored = await served.registry.pushBlob(repository, big);
  for (let i = 0; i < 20; i++) {
    const connection = await Connection.open(served.berth.port);
    connection.send(requestBytes(served.registry.host, 'GET', `/v2/${repository}/blobs/${stored}`));
    await Bun.sleep(5);
    connection.close();
  }
  expect((await served.registry.get(`/v2/${repository}/blobs/${stored}`)).body.equals(big)).toBe(true);
});

describe('HTTP that is none', () => {
  const host = 'Host: 127.0.0.1\r\n';
  const requests: [what: string, bytes: string][] = [
    ['no HTTP at all', 'hello\r\n\r\n'],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['no version', 'GET /v2/\r\n\r\n'],
    ['HTTP/9.9', `GET /v2/ HTTP/9.9\r\n${host}\r\n`],
    ['no host', 'GET /v2/ HTTP/1.1\r\n\r\n'],
    ['a bad host', 'GET /v2/ HTTP/1.1\r\nHost: a b/c\r\n\r\n'],
    ['an empty host', 'GET /v2/ HTTP/1.1\r\nHost:\r\n\r\n'],
    ['a method of nonsense', `G\x01T /v2/ HTTP/1.1\r\n${host}\r\n`],
    ['a method that is long', `${'X'.repeat(5000)} /v2/ HTTP/1.1\r\n${host}\r\n`],
    ['a header without a colon', `GET /v2/ HTTP/1.1\r\n${host}nonsense\r\n\r\n`],
    ['NUL in a header', `GET /v2/ HTTP/1.1\r\n${host}X: a\x00b\r\n\r\n`],
    ['a header of 1 MB', `GET /v2/ HTTP/1.1\r\n${host}X: ${'x'.repeat(1_000_000)}\r\n\r\n`],
    ['20,000 headers', `GET /v2/ HTTP/1.1\r\n${host}${'X: y\r\n'.repeat(20_000)}\r\n`],
    ['a path of 100 kB', `GET /v2/${'a/'.repeat(50_000)} HTTP/1.1\r\n${host}\r\n`],
    ['a path with spaces', `GET /v2/a b/tags/list HTTP/1.1\r\n${host}\r\n`],
    ['a path of raw bytes', `GET /v2/\xff\xfe/tags/list HTTP/1.1\r\n${host}\r\n`],
    ['a path without a slash', `GET v2 HTTP/1.1\r\n${host}\r\n`],
    ['a URL of another host', `GET http://evil.example.org/v2/ HTTP/1.1\r\n${host}\r\n`],
    ['two lengths', `PUT /v2/a/manifests/v1 HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx`],
    [
      'a length and chunks',
      `PUT /v2/a/manifests/v1 HTTP/1.1\r\n${host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['a length below zero', `PUT /v2/a/manifests/v1 HTTP/1.1\r\n${host}Content-Length: -1\r\n\r\n`],
    ['a length of nonsense', `PUT /v2/a/manifests/v1 HTTP/1.1\r\n${host}Content-Length: abc\r\n\r\n`],
    [
      'a length beyond all numbers',
      `PUT /v2/a/manifests/v1 HTTP/1.1\r\n${host}Content-Length: ${'9'.repeat(40)}\r\n\r\n`,
    ],
    ['chunks of nonsense', `PUT /v2/a/manifests/v1 HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n`],
    [
      'a chunk beyond all numbers',
      `PUT /v2/a/manifests/v1 HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${'f'.repeat(20)}\r\nx`,
    ],
    ['an unknown transfer encoding', `PUT /v2/a/manifests/v1 HTTP/1.1\r\n${host}Transfer-Encoding: rot13\r\n\r\n`],
    [
      'a WebSocket',
      `GET /v2/ HTTP/1.1\r\n${host}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    ],
    ['CONNECT', 'CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n'],
    ['TRACE', `TRACE /v2/ HTTP/1.1\r\n${host}\r\n`],
    ['OPTIONS *', `OPTIONS * HTTP/1.1\r\n${host}\r\n`],
    [
      'a request inside another',
      `POST /v2/a/blobs/uploads/ HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nGET /v2/ HTTP/1.1\r\n${host}\r\n`,
    ],
  ];
  for (const [what, text] of requests) {
    test(`gets an answer below 500 or a closed connection, and the server goes on: ${what}`, async () => {
      const connection = await Connection.open(served.berth.port);
      connection.send(text);
      connection.socket.end();
      const answer = await connection.answer('GET', 1500).catch(() => undefined);
      connection.close();
      if (answer !== undefined)
        expect([what, answer.status < 500 || answer.status === 501 || answer.status === 505]).toEqual([what, true]);
      const after = await exchange(served.berth.port, requestBytes(served.registry.host, 'GET', '/v2/'));
      expect(after.status).toBe(200);
    });
  }

  for (const host of ['12:7.0.0.1:5000', '[::1', 'a:99999', '%', ':', 'a b/c', 'x@y', '127.0.0:.1:5000']) {
    test(`a Host that is none is refused, whatever is asked: ${host}`, async () => {
      for (const [method, path] of [
        ['GET', '/v2/'],
        ['GET', '/v2/_catalog?n=2'],
        ['POST', '/v2/a/blobs/uploads/'],
        ['PUT', '/v2/a/manifests/v1'],
        ['POST', '/api/v1/repositories/a/tags/v1/rollback'],
      ] as const) {
        const bytes = requestBytes(host, method, path);
        const answer = await exchange(served.berth.port, bytes, method);
        expect([path, answer.status >= 400 && answer.status < 500]).toEqual([path, true]);
        expect(answer.headers.get('x-request-id')).not.toBeNull();
      }
    });
  }

  test('requests sent at once on one connection are answered in order', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    const connection = await Connection.open(served.berth.port);
    const paths = ['manifests/v1', 'tags/list', 'manifests/none', 'manifests/v1'];
    connection.send(
      Buffer.concat(paths.map((path) => requestBytes(served.registry.host, 'GET', `/v2/${repository}/${path}`))),
    );
    const answers = [];
    for (const _ of paths) answers.push(await connection.answer('GET'));
    connection.close();
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 404, 200]);
    expect(answers[0]?.text()).toBe(image.body);
    expect(answers[3]?.text()).toBe(image.body);
  });
});
