import { describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { digestOf, firstCode, freshName } from '../support/registry.ts';
import { serve, spec } from './spec.ts';

const served = serve();
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i;

async function expectBlob(path: string, bytes: Uint8Array): Promise<void> {
  const answer = await served.registry.get(path);
  expect(answer.status).toBe(200);
  expect(answer.body.equals(bytes)).toBe(true);
}

describe('OCI Distribution 1.1, Push', () => {
  spec('upload-start', 'without a body', async () => {
    const answer = await served.registry.request('POST', `/v2/${freshName()}/blobs/uploads/`);
    expect(answer.status).toBe(202);
    expect(answer.headers.get('location')).not.toBeNull();
  });

  spec('upload-location-unique', 'three sessions', async () => {
    const repository = freshName();
    const found = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const location = await served.registry.startUpload(repository);
      expect(location).toMatch(UUID);
      found.add(UUID.exec(location)?.[0] ?? '');
    }
    expect(found.size).toBe(3);
  });

  spec(
    'upload-location-relative',
    'of the session, the next chunk, the status, the blob and the manifest',
    async () => {
      const repository = freshName();
      const locations: (string | null)[] = [];
      const ask = async (method: string, path: string, body?: string) => {
        const answer = await served.registry.request(method, path, {
          headers: {
            Host: 'registry.example.org',
            'X-Forwarded-Proto': 'https',
            'X-Forwarded-Host': 'other.example.org',
          },
          ...(body === undefined ? {} : { body }),
        });
        locations.push(answer.headers.get('location'));
        return answer.headers.get('location') ?? '';
      };
      let at = await ask('POST', `/v2/${repository}/blobs/uploads/`);
      at = await ask('PATCH', at, 'blob');
      at = await ask('GET', at);
      await ask('PUT', `${at}?digest=${digestOf('blob')}`);
      await ask('POST', `/v2/${freshName()}/blobs/uploads/?mount=${digestOf('blob')}&from=${repository}`);
      const image = await served.registry.makeImage(repository);
      const manifest = await served.registry.putManifest(repository, 'v1', image.body, {
        headers: { Host: 'registry.example.org' },
      });
      locations.push(manifest.headers.get('location'));
      expect(locations).toHaveLength(6);
      for (const location of locations) expect(location).toMatch(/^\/v2\/test\/[^?#:]+(?:sha256:[0-9a-f]{64})?$/);
    },
  );

  for (const size of [0, 1, 70_000, 5_000_000]) {
    spec('upload-put', `${size} bytes`, async () => {
      const repository = freshName();
      const bytes = randomBytes(size);
      const location = await served.registry.startUpload(repository);
      const answer = await served.registry.request('PUT', `${location}?digest=${digestOf(bytes)}`, {
        headers: { 'Content-Type': 'application/octet-stream' },
        body: bytes,
      });
      expect(answer.status).toBe(201);
      await expectBlob(answer.headers.get('location') ?? '', bytes);
    });
  }

  spec('upload-single-post', 'a blob of 70,000 bytes', async () => {
    const repository = freshName();
    const bytes = randomBytes(70_000);
    const answer = await served.registry.request('POST', `/v2/${repository}/blobs/uploads/?digest=${digestOf(bytes)}`, {
      headers: { 'Content-Type': 'application/octet-stream' },
      body: bytes,
    });
    expect(answer.status).toBe(201);
    await expectBlob(`/v2/${repository}/blobs/${digestOf(bytes)}`, bytes);
  });

  for (const algorithm of ['sha256', 'sha512'] as const) {
    spec('upload-single-post-created', `by ${algorithm}`, async () => {
      const bytes = randomBytes(1000);
      const digest = digestOf(bytes, algorithm);
      const answer = await served.registry.request('POST', `/v2/${freshName()}/blobs/uploads/?digest=${digest}`, {
        body: bytes,
      });
      expect(answer.status).toBe(201);
      expect(answer.headers.get('docker-content-digest')).toBe(digest);
      await expectBlob(answer.headers.get('location') ?? '', bytes);
    });
  }

  spec(
    'upload-length-match',
    'a body that does not fit the Content-Range is refused and nothing is stored',
    async () => {
      const repository = freshName();
      const location = await served.registry.startUpload(repository);
      const answer = await served.registry.request('PATCH', location, {
        headers: { 'Content-Range': '0-9' },
        body: 'only-eight'.slice(0, 8),
      });
      expect([answer.status, firstCode(answer)]).toEqual([400, 'SIZE_INVALID']);
      const status = await served.registry.get(location);
      expect(status.headers.get('range')).toBe('0-0');
    },
  );

  for (const way of ['POST', 'PUT', 'PATCH and PUT'] as const) {
    spec('upload-digest-match', `${way} with another digest is refused and no blob is there`, async () => {
      const repository = freshName();
      await served.registry.pushBlob(repository, 'makes the repository');
      const wrong = digestOf('something else');
      const location = await served.registry.startUpload(repository);
      if (way === 'PATCH and PUT') await served.registry.request('PATCH', location, { body: 'content' });
      const answer =
        way === 'POST'
          ? await served.registry.request('POST', `/v2/${repository}/blobs/uploads/?digest=${wrong}`, {
              body: 'content',
            })
          : await served.registry.request(
              'PUT',
              `${location}?digest=${wrong}`,
              way === 'PUT' ? { body: 'content' } : {},
            );
      expect([answer.status, firstCode(answer)]).toEqual([400, 'DIGEST_INVALID']);
      for (const digest of [wrong, digestOf('content')]) {
        expect((await served.registry.head(`/v2/${repository}/blobs/${digest}`)).status).toBe(404);
      }
    });
  }

  spec('mount-created', 'the blob is in the repository it was mounted to', async () => {
    const [from, to] = [freshName(), freshName()];
    const bytes = randomBytes(2000);
    const digest = await served.registry.pushBlob(from, bytes);
    const answer = await served.registry.request('POST', `/v2/${to}/blobs/uploads/?mount=${digest}&from=${from}`);
    expect(answer.status).toBe(201);
    expect(answer.headers.get('docker-content-digest')).toBe(digest);
    expect(answer.headers.get('location')).toBe(`/v2/${to}/blobs/${digest}`);
    await expectBlob(answer.headers.get('location') ?? '', bytes);
  });

  spec('mount-created', 'from itself, and twice', async () => {
    const repository = freshName();
    const digest = await served.registry.pushBlob(repository, randomBytes(10));
    for (let i = 0; i < 2; i++) {
      const path = `/v2/${repository}/blobs/uploads/?mount=${digest}&from=${repository}`;
      expect((await served.registry.request('POST', path)).status).toBe(201);
    }
  });

  spec('mount-created', 'outlives the deletion in the repository it came from', async () => {
    const [from, to] = [freshName(), freshName()];
    const bytes = randomBytes(2000);
    const digest = await served.registry.pushBlob(from, bytes);
    await served.registry.request('POST', `/v2/${to}/blobs/uploads/?mount=${digest}&from=${from}`);
    expect((await served.registry.delete(`/v2/${from}/blobs/${digest}`)).status).toBe(202);
    await expectBlob(`/v2/${to}/blobs/${digest}`, bytes);
  });

  spec('mount-without-from', 'a blob that some repository has', async () => {
    const bytes = randomBytes(2000);
    const digest = await served.registry.pushBlob(freshName(), bytes);
    const answer = await served.registry.request('POST', `/v2/${freshName()}/blobs/uploads/?mount=${digest}`);
    expect(answer.status).toBe(201);
    await expectBlob(answer.headers.get('location') ?? '', bytes);
  });

  for (const from of ['&from=nobody/here', '', '&from=not..a..name']) {
    spec('mount-unable', `an unknown blob${from}: the session takes the blob`, async () => {
      const repository = freshName();
      const bytes = randomBytes(100);
      const digest = digestOf(bytes);
      const opened = await served.registry.request('POST', `/v2/${repository}/blobs/uploads/?mount=${digest}${from}`);
      expect(opened.status).toBe(202);
      const location = opened.headers.get('location') ?? '';
      const answer = await served.registry.request('PUT', `${location}?digest=${digest}`, { body: bytes });
      expect(answer.status).toBe(201);
      await expectBlob(`/v2/${repository}/blobs/${digest}`, bytes);
    });
  }
});

describe('Docker Registry v2', () => {
  test('an upload names itself in Docker-Upload-UUID from beginning to end and holds 0-0 at first', async () => {
    const opened = await served.registry.request('POST', `/v2/${freshName()}/blobs/uploads/`);
    const id = opened.headers.get('docker-upload-uuid') ?? '';
    expect(id).toMatch(UUID);
    expect(opened.headers.get('range')).toBe('0-0');
    const location = opened.headers.get('location') ?? '';
    expect(location).toContain(id);
    for (const method of ['PATCH', 'GET']) {
      const answer = await served.registry.request(method, location, method === 'GET' ? {} : { body: 'x' });
      expect(answer.headers.get('docker-upload-uuid')).toBe(id);
    }
  });

  test('a finished upload carries the digest, and its session is gone', async () => {
    const location = await served.registry.startUpload(freshName());
    const answer = await served.registry.request('PUT', `${location}?digest=${digestOf('blob')}`, { body: 'blob' });
    expect(answer.headers.get('docker-content-digest')).toBe(digestOf('blob'));
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const after = await served.registry.request(method, location, method === 'PATCH' ? { body: 'x' } : {});
      expect([method, after.status, firstCode(after)]).toEqual([method, 404, 'BLOB_UPLOAD_UNKNOWN']);
    }
  });

  test('the same blob may be pushed again, also at the same time', async () => {
    const repository = freshName();
    const bytes = randomBytes(300_000);
    const digests = await Promise.all(Array.from({ length: 8 }, () => served.registry.pushBlob(repository, bytes)));
    expect(new Set(digests).size).toBe(1);
    await expectBlob(`/v2/${repository}/blobs/${digests[0]}`, bytes);
  });

  test('a body in HTTP chunks, of a length not told before, is taken by POST, PUT and PATCH', async () => {
    const repository = freshName();
    for (const way of ['POST', 'PUT', 'PATCH']) {
      const bytes = randomBytes(50_000);
      const digest = digestOf(bytes);
      const location = await served.registry.startUpload(repository);
      const path = { POST: `/v2/${repository}/blobs/uploads/?digest=${digest}`, PUT: `${location}?digest=${digest}` }[
        way
      ];
      const sent = await served.registry.request(way, path ?? location, { body: bytes, chunked: 7000 });
      expect([way, sent.status]).toEqual([way, way === 'PATCH' ? 202 : 201]);
      if (way === 'PATCH') await served.registry.request('PUT', `${location}?digest=${digest}`);
      await expectBlob(`/v2/${repository}/blobs/${digest}`, bytes);
    }
  });

  test('an upload is cancelled by DELETE with 204 and leaves nothing', async () => {
    const repository = freshName();
    const location = await served.registry.startUpload(repository);
    await served.registry.request('PATCH', location, { body: 'content' });
    expect((await served.registry.delete(location)).status).toBe(204);
    for (const method of ['GET', 'DELETE']) {
      const answer = await served.registry.request(method, location);
      expect([answer.status, firstCode(answer)]).toEqual([404, 'BLOB_UPLOAD_UNKNOWN']);
    }
    const closed = await served.registry.request('PUT', `${location}?digest=${digestOf('content')}`);
    expect(closed.status).toBe(404);
  });

  test('an upload belongs to its repository', async () => {
    const [one, other] = [freshName(), freshName()];
    const location = await served.registry.startUpload(one);
    const moved = location.replace(one, other);
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const answer = await served.registry.request(method, moved, method === 'PATCH' ? { body: 'x' } : {});
      expect([method, answer.status, firstCode(answer)]).toEqual([method, 404, 'BLOB_UPLOAD_UNKNOWN']);
    }
    expect((await served.registry.get(location)).status).toBe(204);
  });

  test('a blob pushed by sha256 and by sha512 is found by each', async () => {
    const repository = freshName();
    const bytes = randomBytes(900);
    const both = [
      await served.registry.pushBlob(repository, bytes),
      await served.registry.pushBlob(repository, bytes, 'sha512'),
    ];
    for (const digest of both) await expectBlob(`/v2/${repository}/blobs/${digest}`, bytes);
  });
});
