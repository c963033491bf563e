import { describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { digestOf, firstCode, freshName } from '../support/registry.ts';
import type { Answer } from '../support/wire.ts';
import { serve, spec } from './spec.ts';

const served = serve();
const bytes = randomBytes(90_000);
const digest = digestOf(bytes);

function patch(
  location: string,
  from: number,
  to: number,
  range: string | undefined = `${from}-${to - 1}`,
): Promise<Answer> {
  return served.registry.request('PATCH', location, {
    headers: { 'Content-Type': 'application/octet-stream', ...(range === '' ? {} : { 'Content-Range': range }) },
    body: bytes.subarray(from, to),
  });
}

const next = (answer: Answer): string => answer.headers.get('location') ?? '';

async function expectPulled(location: string): Promise<void> {
  const answer = await served.registry.get(location);
  expect(answer.status).toBe(200);
  expect(answer.body.equals(bytes)).toBe(true);
}

describe('OCI Distribution 1.1, Pushing a blob in chunks', () => {
  spec('chunk-min-length', 'none is sent, and a chunk of one byte is taken', async () => {
    const opened = await served.registry.request('POST', `/v2/${freshName()}/blobs/uploads/`);
    expect(opened.headers.get('oci-chunk-min-length')).toBeNull();
    const first = await patch(next(opened), 0, 1);
    expect(first.status).toBe(202);
    expect((await patch(next(first), 1, 2)).headers.get('range')).toBe('0-1');
  });

  spec('chunk-accepted', 'three chunks', async () => {
    let location = await served.registry.startUpload(freshName());
    for (const [from, to] of [
      [0, 30_000],
      [30_000, 30_001],
      [30_001, 90_000],
    ] as const) {
      const answer = await patch(location, from, to);
      expect(answer.status).toBe(202);
      expect(answer.headers.get('range')).toBe(`0-${to - 1}`);
      location = next(answer);
      expect(location).toStartWith('/v2/');
    }
    const closed = await served.registry.request('PUT', `${location}?digest=${digest}`);
    await expectPulled(next(closed));
  });

  spec('chunk-first-at-zero', 'another beginning is refused and the upload stays empty', async () => {
    const location = await served.registry.startUpload(freshName());
    expect((await patch(location, 1, 10)).status).toBe(416);
    expect((await patch(location, 0, 10)).headers.get('range')).toBe('0-9');
  });

  const disorders: [what: string, from: number, to: number][] = [
    ['a gap', 20_000, 30_000],
    ['an overlap', 9_999, 20_000],
    ['the same again', 0, 10_000],
  ];
  for (const [what, from, to] of disorders) {
    spec('chunk-order', `${what}; GET then tells where to go on`, async () => {
      const location = await served.registry.startUpload(freshName());
      const first = await patch(location, 0, 10_000);
      const wrong = await patch(next(first), from, to);
      expect(wrong.status).toBe(416);
      const status = await served.registry.get(next(first));
      expect([status.status, status.headers.get('range')]).toEqual([204, '0-9999']);
      const rest = await patch(next(status), 10_000, 90_000);
      expect(rest.status).toBe(202);
      const closed = await served.registry.request('PUT', `${next(rest)}?digest=${digest}`);
      expect(closed.status).toBe(201);
      await expectPulled(next(closed));
    });
  }

  spec('chunk-order', 'a final chunk out of order in the closing PUT', async () => {
    const location = await served.registry.startUpload(freshName());
    const first = await patch(location, 0, 10_000);
    const wrong = await served.registry.request('PUT', `${next(first)}?digest=${digest}`, {
      headers: { 'Content-Range': '20000-89999' },
      body: bytes.subarray(20_000),
    });
    expect(wrong.status).toBe(416);
    const right = await served.registry.request('PUT', `${next(first)}?digest=${digest}`, {
      headers: { 'Content-Range': '10000-89999' },
      body: bytes.subarray(10_000),
    });
    expect(right.status).toBe(201);
  });

  spec('chunk-final', 'by PATCH', async () => {
    const location = await served.registry.startUpload(freshName());
    const all = await patch(location, 0, 90_000);
    const closed = await served.registry.request('PUT', `${next(all)}?digest=${digest}`);
    await expectPulled(next(closed));
  });

  for (const range of ['50000-89999', undefined]) {
    spec('chunk-final', `in the closing PUT, ${range === undefined ? 'without' : 'with'} Content-Range`, async () => {
      const location = await served.registry.startUpload(freshName());
      const first = await patch(location, 0, 50_000);
      const closed = await served.registry.request('PUT', `${next(first)}?digest=${digest}`, {
        headers: range === undefined ? {} : { 'Content-Range': range },
        body: bytes.subarray(50_000),
      });
      await expectPulled(next(closed));
    });
  }

  spec('chunk-close', 'the blob is pullable at Location', async () => {
    const repository = freshName();
    const all = await patch(await served.registry.startUpload(repository), 0, 90_000);
    const closed = await served.registry.request('PUT', `${next(all)}?digest=${digest}`);
    expect(closed.status).toBe(201);
    expect(next(closed)).toBe(`/v2/${repository}/blobs/${digest}`);
    await expectPulled(next(closed));
  });

  spec('chunk-close-digest', 'that of the last chunk is refused, none is refused', async () => {
    const first = await patch(await served.registry.startUpload(freshName()), 0, 50_000);
    const none = await served.registry.request('PUT', next(first));
    expect(none.status).toBe(400);
    const wrong = await served.registry.request('PUT', `${next(first)}?digest=${digestOf(bytes.subarray(50_000))}`, {
      body: bytes.subarray(50_000),
    });
    expect(wrong.status).toBe(400);
  });

  spec('upload-status', 'after the POST, and after each chunk', async () => {
    let location = await served.registry.startUpload(freshName());
    const fresh = await served.registry.get(location);
    expect([fresh.status, fresh.headers.get('range')]).toEqual([204, '0-0']);
    expect(next(fresh)).toStartWith('/v2/');
    for (const end of [10, 20, 90_000]) {
      const from = end === 90_000 ? 20 : end - 10;
      location = next(await patch(location, from, end));
      const status = await served.registry.get(location);
      expect([status.status, status.headers.get('range')]).toEqual([204, `0-${end - 1}`]);
    }
  });
});

describe('RFC 9112, a body of a length not told before', () => {
  for (const [what, sent] of [
    ['longer', 20],
    ['shorter', 5],
  ] as const) {
    test(`that is ${what} than its Content-Range is refused, and the upload is as it was`, async () => {
      const location = await served.registry.startUpload(freshName());
      await patch(location, 0, 10);
      const answer = await served.registry.request('PATCH', location, {
        headers: { 'Content-Range': '10-19' },
        body: bytes.subarray(10, 10 + sent),
        chunked: 5,
      });
      expect([answer.status, firstCode(answer)]).toEqual([400, 'SIZE_INVALID']);
      expect((await served.registry.get(location)).headers.get('range')).toBe('0-9');
    });
  }
});

describe('Docker Registry v2', () => {
  test('a PATCH without Content-Range is appended, as Docker streams a layer', async () => {
    const location = await served.registry.startUpload(freshName());
    const first = await patch(location, 0, 40_000, '');
    expect([first.status, first.headers.get('range')]).toEqual([202, '0-39999']);
    const second = await patch(next(first), 40_000, 90_000, '');
    expect(second.headers.get('range')).toBe('0-89999');
    await expectPulled(next(await served.registry.request('PUT', `${next(second)}?digest=${digest}`)));
  });

  test('a digest may be percent-encoded in the query and in the path', async () => {
    const repository = freshName();
    const location = await served.registry.startUpload(repository);
    const encoded = digest.replace(':', '%3A');
    expect((await served.registry.request('PUT', `${location}?digest=${encoded}`, { body: bytes })).status).toBe(201);
    await expectPulled(`/v2/${repository}/blobs/${encoded}`);
  });

  test('chunks sent over many connections, so through any worker, make one blob', async () => {
    const location = await served.registry.startUpload(freshName());
    for (let from = 0; from < 90_000; from += 5_000) {
      served.registry.close();
      expect((await patch(location, from, from + 5_000)).status).toBe(202);
    }
    await expectPulled(next(await served.registry.request('PUT', `${location}?digest=${digest}`)));
  });

  test('uploads of one repository do not meet', async () => {
    const repository = freshName();
    const locations = await Promise.all(Array.from({ length: 6 }, () => served.registry.startUpload(repository)));
    for (let from = 0; from < 90_000; from += 30_000) {
      await Promise.all(locations.map((location) => patch(location, from, from + 30_000)));
    }
    const closed = await Promise.all(
      locations.map((location) => served.registry.request('PUT', `${location}?digest=${digest}`)),
    );
    expect(closed.map((answer) => answer.status)).toEqual(Array.from({ length: 6 }, () => 201));
  });
});
