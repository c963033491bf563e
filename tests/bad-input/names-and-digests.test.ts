import { describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { digestOf, firstCode, freshName, mediaTypes } from '../support/registry.ts';
import { serve } from '../support/serve.ts';
import type { Answer } from '../support/wire.ts';

const served = serve();

/** Names that are no repository, as they may stand in a URL. */
const names = [
  '..',
  '../../etc',
  'a//b',
  'a/',
  '%2e%2e',
  '%2e%2e%2f%2e%2e%2fetc',
  '..%2f..%2f',
  'a%2Fb/c%00',
  'a%0d%0ax',
  '%',
  '%zz',
  '%ff%fe',
  'a%5cb',
  'a%20b',
  'ü',
  'a?',
  '%F0%9F%98%80',
  'A'.repeat(300),
  'a/'.repeat(500),
  "a';drop%20table%20tags;--",
  '%3Cscript%3E',
  '$%7Bjndi:x%7D',
  'constructor%20',
];

const tails: [method: string, tail: string][] = [
  ['GET', 'manifests/v1'],
  ['HEAD', 'manifests/v1'],
  ['PUT', 'manifests/v1'],
  ['DELETE', 'manifests/v1'],
  ['GET', `blobs/${digestOf('x')}`],
  ['DELETE', `blobs/${digestOf('x')}`],
  ['POST', 'blobs/uploads/'],
  ['PATCH', 'blobs/uploads/00000000-0000-4000-8000-000000000000'],
  ['GET', 'tags/list'],
  ['GET', `referrers/${digestOf('x')}`],
  ['GET', '_oci/tag-history/v1'],
];

describe('a name that is none', () => {
  for (const name of names) {
    test(`is refused wherever it stands: ${name.slice(0, 40)}`, async () => {
      for (const [method, tail] of tails) {
        const answer = await served.registry.request(method, `/v2/${name}/${tail}`);
        // 404 is for a URL that, once its dots are resolved or its query is cut, is no resource at all.
        expect([method, tail, [301, 400, 404, 405].includes(answer.status)]).toEqual([method, tail, true]);
        if (method !== 'HEAD' && answer.status === 400) {
          expect(['NAME_INVALID', 'UNSUPPORTED']).toContain(firstCode(answer));
        }
      }
    });
  }

  test('of dots is read as RFC 3986 §5.2.4 has it, and stays within the paths of the registry', async () => {
    const repository = freshName();
    await served.registry.pushImage(repository, 'v1');
    expect((await served.registry.get(`/v2/a/../${repository}/manifests/v1`)).status).toBe(200);
    expect((await served.registry.get(`/v2/../../v2/${repository}/manifests/v1`)).status).toBe(200);
    expect((await served.registry.get('/v2/../../etc/passwd')).status).toBe(404);
  });

  test('makes no repository', async () => {
    const { repositories } = (await served.registry.get('/v2/_catalog?n=1000')).json() as { repositories: string[] };
    for (const name of repositories) expect(name).toMatch(/^test\//);
  });
});

/** Strings that are no digest of a supported algorithm. */
const digests = [
  'sha256:',
  'sha256:abc',
  `sha256:${'a'.repeat(63)}`,
  `sha256:${'a'.repeat(65)}`,
  `sha256:${'g'.repeat(64)}`,
  `sha256:${'A'.repeat(64)}`,
  `SHA256:${'a'.repeat(64)}`,
  `sha512:${'a'.repeat(64)}`,
  `sha1:${'a'.repeat(40)}`,
  `md5:${'a'.repeat(32)}`,
  `sha256-${'a'.repeat(64)}`,
  `sha256:${'a'.repeat(64)}%00`,
  `sha256:..%2f..%2f${'a'.repeat(58)}`,
  `:${'a'.repeat(64)}`,
  '%00',
  'sha256%3A',
  'a'.repeat(5000),
];

describe('a digest that is none', () => {
  for (const digest of digests) {
    test(`is DIGEST_INVALID as a blob, a mount, an upload and a subject: ${digest.slice(0, 30)}`, async () => {
      const repository = freshName();
      await served.registry.pushImage(repository, 'v1');
      const at = `/v2/${repository}`;
      const answers = [
        await served.registry.get(`${at}/blobs/${digest}`),
        await served.registry.delete(`${at}/blobs/${digest}`),
        await served.registry.get(`${at}/referrers/${digest}`),
        await served.registry.request('POST', `${at}/blobs/uploads/?digest=${digest}`, { body: 'x' }),
        await served.registry.request('PUT', `${await served.registry.startUpload(repository)}?digest=${digest}`, {
          body: 'x',
        }),
      ];
      // A NUL is refused before anybody asks what it stands in.
      const code = (answer: Answer) =>
        digest.includes('%00') && firstCode(answer) === 'UNSUPPORTED' ? 'DIGEST_INVALID' : firstCode(answer);
      expect(answers.map((answer) => [answer.status, code(answer)])).toEqual(
        answers.map(() => [400, 'DIGEST_INVALID']),
      );
      expect((await served.registry.head(`${at}/blobs/${digest}`)).status).toBe(400);
      const mount = await served.registry.request('POST', `${at}/blobs/uploads/?mount=${digest}&from=a`);
      expect([202, 400]).toContain(mount.status);
    });
  }

  for (const digest of ['sha256:abc', `sha256:${'A'.repeat(64)}`, '', `md5:${'a'.repeat(32)}`, 7, null]) {
    test(`in a manifest is MANIFEST_INVALID: ${digest}`, async () => {
      const repository = freshName();
      const config = { mediaType: mediaTypes.ociConfig, digest, size: 1 };
      const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] };
      const answer = await served.registry.putManifest(repository, 'v1', manifest);
      expect([answer.status, firstCode(answer)]).toEqual([400, 'MANIFEST_INVALID']);
    });
  }

  test('that does not match leaves the upload where it was, and the right one finishes it', async () => {
    const repository = freshName();
    const bytes = randomBytes(9000);
    const location = await served.registry.startUpload(repository);
    await served.registry.request('PATCH', location, { body: bytes.subarray(0, 5000) });
    const wrong = await served.registry.request('PUT', `${location}?digest=${digestOf('no')}`, {
      body: bytes.subarray(5000),
    });
    expect([wrong.status, firstCode(wrong)]).toEqual([400, 'DIGEST_INVALID']);
    expect((await served.registry.get(location)).headers.get('range')).toBe('0-4999');
    const right = await served.registry.request('PUT', `${location}?digest=${digestOf(bytes)}`, {
      body: bytes.subarray(5000),
    });
    expect(right.status).toBe(201);
    expect((await served.registry.get(`/v2/${repository}/blobs/${digestOf(bytes)}`)).body.equals(bytes)).toBe(true);
  });
});

describe('an upload that is none', () => {
  const ids = ['x', '..', '%2e%2e%2fblobs', '00000000-0000-4000-8000-000000000000', 'a'.repeat(3000), '%00', 'null'];
  for (const id of ids) {
    test(`is refused by every method: ${id.slice(0, 40)}`, async () => {
      const repository = freshName();
      await served.registry.pushImage(repository, 'v1');
      for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
        const query = method === 'PUT' ? `?digest=${digestOf('x')}` : '';
        const answer = await served.registry.request(method, `/v2/${repository}/blobs/uploads/${id}${query}`, {
          ...(method === 'PATCH' || method === 'PUT' ? { body: 'x' } : {}),
        });
        expect([method, [400, 404, 405].includes(answer.status)]).toEqual([method, true]);
      }
    });
  }

  test('that was finished by a digest cannot be finished again', async () => {
    const location = await served.registry.startUpload(freshName());
    const put = () => served.registry.request('PUT', `${location}?digest=${digestOf('x')}`, { body: 'x' });
    expect((await put()).status).toBe(201);
    const again = await put();
    expect([again.status, firstCode(again)]).toEqual([404, 'BLOB_UPLOAD_UNKNOWN']);
  });
});
