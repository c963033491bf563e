import { describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { digestOf, firstCode, freshName } from '../support/registry.ts';
import type { Answer } from '../support/wire.ts';
import { serve, spec } from './spec.ts';

const served = serve();
const bytes = randomBytes(100_000);
const digest = digestOf(bytes);

async function pushed(content: Uint8Array = bytes): Promise<string> {
  const repository = freshName();
  const stored = await served.registry.pushBlob(repository, content);
  return `/v2/${repository}/blobs/${stored}`;
}

describe('OCI Distribution 1.1, Pull', () => {
  for (const size of [0, 1, 4096, 3_000_000]) {
    spec('blob-get', `${size} bytes`, async () => {
      const content = randomBytes(size);
      const answer = await served.registry.get(await pushed(content));
      expect(answer.status).toBe(200);
      expect(answer.body.equals(content)).toBe(true);
      expect(answer.headers.get('content-length')).toBe(String(size));
    });
  }

  spec('blob-digest-header', 'on GET', async () => {
    expect((await served.registry.get(await pushed())).headers.get('docker-content-digest')).toBe(digest);
  });

  for (const algorithm of ['sha256', 'sha512'] as const) {
    spec('blob-digest-header-true', `of a blob pushed by ${algorithm}`, async () => {
      const repository = freshName();
      const content = randomBytes(500);
      const stored = await served.registry.pushBlob(repository, content, algorithm);
      const answer = await served.registry.get(`/v2/${repository}/blobs/${stored}`);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('docker-content-digest')).toBe(digestOf(answer.body, algorithm));
    });
  }

  spec('blob-get-unknown', 'never pushed', async () => {
    const repository = freshName();
    await served.registry.pushBlob(repository, 'something');
    const answer = await served.registry.get(`/v2/${repository}/blobs/${digestOf('something else')}`);
    expect([answer.status, firstCode(answer)]).toEqual([404, 'BLOB_UNKNOWN']);
  });

  spec('blob-get-unknown', 'pushed to another repository alone', async () => {
    await pushed();
    const other = freshName();
    await served.registry.pushBlob(other, 'something');
    expect((await served.registry.get(`/v2/${other}/blobs/${digest}`)).status).toBe(404);
    expect((await served.registry.head(`/v2/${other}/blobs/${digest}`)).status).toBe(404);
  });

  const ranges: [range: string, from: number, to: number][] = [
    ['bytes=0-0', 0, 0],
    ['bytes=0-9', 0, 9],
    ['bytes=99999-99999', 99_999, 99_999],
    ['bytes=500-', 500, 99_999],
    ['bytes=0-', 0, 99_999],
    ['bytes=-10', 99_990, 99_999],
    ['bytes=-1000000', 0, 99_999],
    ['bytes=99000-200000', 99_000, 99_999],
  ];
  for (const [range, from, to] of ranges) {
    spec('blob-range', range, async () => {
      const answer = await served.registry.get(await pushed(), { Range: range });
      expect(answer.status).toBe(206);
      expect(answer.headers.get('content-range')).toBe(`bytes ${from}-${to}/100000`);
      expect(answer.headers.get('content-length')).toBe(String(to - from + 1));
      expect(answer.body.equals(bytes.subarray(from, to + 1))).toBe(true);
    });
  }

  for (const range of ['bytes=100000-', 'bytes=100000-100001', 'bytes=-0']) {
    spec('blob-range', `${range} cannot be satisfied: 416 with the size (RFC 9110 §15.5.17)`, async () => {
      const answer = await served.registry.get(await pushed(), { Range: range });
      expect(answer.status).toBe(416);
      expect(answer.headers.get('content-range')).toBe('bytes */100000');
    });
  }

  for (const range of ['bytes=9-0', 'lines=0-9', 'bytes=a-b', 'bytes', 'bytes=', 'bytes=--1', '0-9']) {
    spec('blob-range', `"${range}" is ignored (RFC 9110 §14.2)`, async () => {
      const answer = await served.registry.get(await pushed(), { Range: range });
      expect([answer.status, answer.body.length]).toEqual([200, 100_000]);
    });
  }

  spec('blob-range', 'several ranges give the whole, or each in a multipart answer', async () => {
    const answer = await served.registry.get(await pushed(), { Range: 'bytes=0-9,20-29' });
    if (answer.status === 200) expect(answer.body.equals(bytes)).toBe(true);
    else expect(answer.headers.get('content-type')).toStartWith('multipart/byteranges');
  });

  spec('blob-range', 'of an empty blob cannot be satisfied', async () => {
    expect((await served.registry.get(await pushed(Buffer.alloc(0)), { Range: 'bytes=0-0' })).status).toBe(416);
  });

  spec('blob-range', 'Accept-Ranges is offered, and HEAD ignores Range (RFC 9110 §14.2)', async () => {
    const path = await pushed();
    expect((await served.registry.get(path)).headers.get('accept-ranges')).toBe('bytes');
    const head = await served.registry.head(path, { Range: 'bytes=0-9' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '100000']);
  });

  spec('blob-range', 'If-Range with the ETag gives the part, with another the whole (RFC 9110 §13.1.5)', async () => {
    const path = await pushed();
    const etag = (await served.registry.get(path)).headers.get('etag') ?? '';
    expect((await served.registry.get(path, { Range: 'bytes=0-9', 'If-Range': etag })).status).toBe(206);
    const other = await served.registry.get(path, { Range: 'bytes=0-9', 'If-Range': '"other"' });
    expect([other.status, other.body.length]).toEqual([200, 100_000]);
  });

  spec('blob-range', 'a pull that was cut is resumed from where it stopped', async () => {
    const path = await pushed();
    const first = await served.registry.get(path, { Range: 'bytes=0-41999' });
    const rest = await served.registry.get(path, { Range: 'bytes=42000-' });
    expect(digestOf(Buffer.concat([first.body, rest.body]))).toBe(digest);
  });

  const content: [kind: string, path: () => Promise<[path: string, digest: string, size: number]>][] = [
    ['a blob', async () => [await pushed(), digest, bytes.length]],
    ['an empty blob', async () => [await pushed(Buffer.alloc(0)), digestOf(''), 0]],
    ['a manifest by tag', () => pushedManifest('tag')],
    ['a manifest by digest', () => pushedManifest('digest')],
  ];
  for (const [kind, path] of content) {
    spec('head-existing', kind, async () => {
      expect((await served.registry.head((await path())[0])).status).toBe(200);
    });

    spec('head-digest', kind, async () => {
      const [at, expected] = await path();
      expect((await served.registry.head(at)).headers.get('docker-content-digest')).toBe(expected);
    });

    spec('head-length', `${kind}: the same headers as GET`, async () => {
      const [at, , size] = await path();
      const head = await served.registry.head(at);
      expect(head.headers.get('content-length')).toBe(String(size));
      const get = await served.registry.get(at);
      const named = (answer: Answer) =>
        ['content-type', 'etag', 'accept-ranges', 'docker-content-digest'].map((name) => answer.headers.get(name));
      expect(named(head)).toEqual(named(get));
    });
  }

  spec('head-unknown', 'blob, tag, manifest digest and repository', async () => {
    const repository = freshName();
    await served.registry.pushImage(repository, 'v1');
    const unknown = digestOf('nothing');
    for (const path of [`blobs/${unknown}`, 'manifests/v2', `manifests/${unknown}`]) {
      expect((await served.registry.head(`/v2/${repository}/${path}`)).status).toBe(404);
      expect((await served.registry.head(`/v2/${freshName('nobody')}/${path}`)).status).toBe(404);
    }
  });
});

async function pushedManifest(by: 'tag' | 'digest'): Promise<[path: string, digest: string, size: number]> {
  const repository = freshName();
  const image = await served.registry.pushImage(repository, 'v1');
  return [`/v2/${repository}/manifests/${by === 'tag' ? 'v1' : image.digest}`, image.digest, image.size];
}

describe('RFC 9110, conditional pull of a blob', () => {
  test('the ETag is the digest and If-None-Match answers 304', async () => {
    const path = await pushed();
    const etag = (await served.registry.head(path)).headers.get('etag') ?? '';
    expect(etag).toBe(`"${digest}"`);
    const answer = await served.registry.get(path, { 'If-None-Match': etag });
    expect([answer.status, answer.body.length]).toEqual([304, 0]);
    expect((await served.registry.get(path, { 'If-None-Match': '"other"' })).status).toBe(200);
  });
});

describe('Docker Registry v2', () => {
  test('a blob is octets, whatever it holds', async () => {
    const repository = freshName();
    for (const content of ['{"json": true}', '<html></html>', 'text']) {
      const stored = await served.registry.pushBlob(repository, content);
      const answer = await served.registry.get(`/v2/${repository}/blobs/${stored}`);
      expect(answer.headers.get('content-type')).toBe('application/octet-stream');
    }
  });
});
