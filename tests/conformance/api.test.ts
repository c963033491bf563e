import { describe, expect, test } from 'bun:test';
import { digestOf, errorsOf, firstCode, freshName, mediaTypes } from '../support/registry.ts';
import type { Answer } from '../support/wire.ts';
import { OCI_CODES } from './invariants.ts';
import { serve, spec } from './spec.ts';

const served = serve();
const unknown = digestOf('unknown');

/** A request that is refused for each reason of the table, and the status it is refused with. */
const refusals: Record<string, [status: number, ask: (repository: string) => Promise<Answer>]> = {
  BLOB_UNKNOWN: [404, (name) => served.registry.get(`/v2/${name}/blobs/${unknown}`)],
  BLOB_UPLOAD_INVALID: [
    400,
    async (name) =>
      served.registry.request('PATCH', await served.registry.startUpload(name), {
        headers: { 'Content-Range': 'nonsense' },
        body: 'x',
      }),
  ],
  BLOB_UPLOAD_UNKNOWN: [
    404,
    (name) => served.registry.get(`/v2/${name}/blobs/uploads/00000000-0000-4000-8000-000000000000`),
  ],
  DIGEST_INVALID: [400, (name) => served.registry.get(`/v2/${name}/blobs/sha256:abc`)],
  MANIFEST_BLOB_UNKNOWN: [
    404,
    (name) =>
      served.registry.putManifest(name, 'v2', {
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config: { mediaType: mediaTypes.ociConfig, digest: unknown, size: 7 },
        layers: [],
      }),
  ],
  MANIFEST_INVALID: [400, (name) => served.registry.putManifest(name, 'v2', '{')],
  MANIFEST_UNKNOWN: [404, (name) => served.registry.get(`/v2/${name}/manifests/v2`)],
  NAME_INVALID: [400, () => served.registry.get('/v2/UPPER/tags/list')],
  NAME_UNKNOWN: [404, () => served.registry.get(`/v2/${freshName('nobody')}/tags/list`)],
  SIZE_INVALID: [
    400,
    async (name) =>
      served.registry.request('PATCH', await served.registry.startUpload(name), {
        headers: { 'Content-Range': '0-9' },
        body: 'x',
      }),
  ],
  UNSUPPORTED: [405, (name) => served.registry.request('POST', `/v2/${name}/tags/list`)],
};

describe('OCI Distribution 1.1, API', () => {
  spec('support-ok', 'and the body is JSON', async () => {
    const answer = await served.registry.get('/v2/');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toStartWith('application/json');
    expect(answer.json()).toEqual({});
  });

  for (const code of OCI_CODES) {
    // The two that need `--anonymous` are in access.test.ts; nothing limits the rate of an anonymous registry.
    if (['UNAUTHORIZED', 'DENIED', 'TOOMANYREQUESTS'].includes(code)) continue;
    spec('error-body', code, async () => {
      const repository = freshName();
      await served.registry.pushImage(repository, 'v1');
      const [status, ask] = refusals[code] ?? expect.unreachable(`no request for ${code}`);
      const answer = await ask(repository);
      expect([answer.status, firstCode(answer)]).toEqual([status, code]);
      expect(answer.headers.get('content-type')).toStartWith('application/json');
      expect(answer.headers.get('content-length')).toBe(String(answer.body.length));
    });
  }

  const codesSeen = async () => {
    const repository = freshName();
    await served.registry.pushImage(repository, 'v1');
    const answers = await Promise.all(Object.values(refusals).map(([, ask]) => ask(repository)));
    return answers.flatMap(errorsOf);
  };

  spec('error-code-form', 'of every refusal', async () => {
    for (const error of await codesSeen()) expect(error.code).toMatch(/^[A-Z_]+$/);
  });

  // Beside these, checkAnswer in invariants.ts holds it of every error any conformance test meets.
  spec('error-code-table', 'a chunk out of order, a range, a number, a size, a name that are wrong', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    const chunk = async (headers: Record<string, string>) =>
      served.registry.request('PATCH', await served.registry.startUpload(repository), { headers, body: 'x' });
    const answers = [
      await chunk({ 'Content-Range': '5-5' }),
      await chunk({ 'Content-Range': '1-0' }),
      await served.registry.get(`/v2/${repository}/blobs/${image.layer}`, { Range: 'bytes=9999-' }),
      await served.registry.get(`/v2/${repository}/tags/list?n=-1`),
      await served.registry.putManifest(repository, 'big', ' '.repeat(4 * 1024 * 1024 + 1)),
      await served.registry.request('PUT', await served.registry.startUpload(repository)),
    ];
    for (const answer of answers) {
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect([...OCI_CODES]).toContain(firstCode(answer));
    }
  });

  spec('error-message', 'of every refusal', async () => {
    for (const error of await codesSeen()) expect(error.message).toMatch(/[a-z]{3}/);
  });

  spec('warnings', 'none is sent by a plain pull and push; checkAnswer holds the form of any', async () => {
    const repository = freshName();
    await served.registry.pushImage(repository, 'v1');
    const answer = await served.registry.get(`/v2/${repository}/manifests/v1`);
    expect(answer.headers.get('warning')).toBeNull();
  });

  spec('workflow-all', 'push, discover, delete', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    expect((await served.registry.get(`/v2/${repository}/tags/list`)).status).toBe(200);
    expect((await served.registry.get(`/v2/${repository}/referrers/${image.digest}`)).status).toBe(200);
    expect((await served.registry.delete(`/v2/${repository}/manifests/v1`)).status).toBe(202);
    expect((await served.registry.delete(`/v2/${repository}/manifests/${image.digest}`)).status).toBe(202);
    expect((await served.registry.delete(`/v2/${repository}/blobs/${image.layer}`)).status).toBe(202);
  });

  spec('endpoints', 'end-1 to end-13', async () => {
    const repository = freshName();
    const at = `/v2/${repository}`;
    const image = await served.registry.pushImage(repository, 'v1');
    const spare = await served.registry.pushBlob(repository, 'spare');
    const ask = async (method: string, path: string, body?: string) =>
      (await served.registry.request(method, path, body === undefined ? {} : { body })).status;
    const session = await served.registry.startUpload(repository);
    expect({
      'end-1': await ask('GET', '/v2/'),
      'end-2': [await ask('GET', `${at}/blobs/${image.layer}`), await ask('HEAD', `${at}/blobs/${image.layer}`)],
      'end-3': [await ask('GET', `${at}/manifests/v1`), await ask('HEAD', `${at}/manifests/v1`)],
      'end-4a': await ask('POST', `${at}/blobs/uploads/`),
      'end-4b': await ask('POST', `${at}/blobs/uploads/?digest=${digestOf('4b')}`, '4b'),
      'end-5': await ask('PATCH', session, 'chunk'),
      'end-13': await ask('GET', session),
      'end-6': await ask('PUT', `${session}?digest=${digestOf('chunk')}`),
      'end-7': (await served.registry.putManifest(repository, 'v2', image.body)).status,
      'end-8a': await ask('GET', `${at}/tags/list`),
      'end-8b': await ask('GET', `${at}/tags/list?n=1&last=v1`),
      'end-9': await ask('DELETE', `${at}/manifests/v2`),
      'end-10': await ask('DELETE', `${at}/blobs/${spare}`),
      'end-11': await ask('POST', `/v2/${freshName()}/blobs/uploads/?mount=${image.layer}&from=${repository}`),
      'end-12a': await ask('GET', `${at}/referrers/${image.digest}`),
      'end-12b': await ask('GET', `${at}/referrers/${image.digest}?artifactType=a/b`),
    }).toEqual({
      'end-1': 200,
      'end-2': [200, 200],
      'end-3': [200, 200],
      'end-4a': 202,
      'end-4b': 201,
      'end-5': 202,
      'end-13': 204,
      'end-6': 201,
      'end-7': 201,
      'end-8a': 200,
      'end-8b': 200,
      'end-9': 202,
      'end-10': 202,
      'end-11': 201,
      'end-12a': 200,
      'end-12b': 200,
    });
  });
});

describe('Docker Registry v2', () => {
  test('Docker-Distribution-API-Version is on success and on refusal', async () => {
    for (const path of ['/v2/', `/v2/${freshName('nobody')}/tags/list`]) {
      const answer = await served.registry.get(path);
      expect(answer.headers.get('docker-distribution-api-version')).toBe('registry/2.0');
    }
  });

  test('/v2 without the slash answers as /v2/ does, or leads there', async () => {
    const answer = await served.registry.get('/v2');
    if (answer.status === 200) expect(answer.json()).toEqual({});
    else expect([answer.status, answer.headers.get('location')]).toEqual([301, '/v2/']);
  });

  test('HEAD /v2/ answers as GET does, without a body', async () => {
    expect((await served.registry.head('/v2/')).status).toBe(200);
  });
});

describe('RFC 9110 §15.5.6, a method that a resource does not have', () => {
  const resources: [path: (name: string) => string, allowed: string[]][] = [
    [() => '/v2/', ['GET', 'HEAD']],
    [() => '/v2/_catalog', ['GET', 'HEAD']],
    [(name) => `/v2/${name}/tags/list`, ['GET', 'HEAD']],
    [(name) => `/v2/${name}/referrers/${unknown}`, ['GET', 'HEAD']],
    [(name) => `/v2/${name}/manifests/v1`, ['DELETE', 'GET', 'HEAD', 'PUT']],
    [(name) => `/v2/${name}/blobs/${unknown}`, ['DELETE', 'GET', 'HEAD']],
    [(name) => `/v2/${name}/blobs/uploads/`, ['POST']],
    [(name) => `/v2/${name}/blobs/uploads/00000000-0000-4000-8000-000000000000`, ['DELETE', 'GET', 'PATCH', 'PUT']],
  ];
  for (const [path, allowed] of resources) {
    test(`is 405 UNSUPPORTED with Allow: ${path('<name>')}`, async () => {
      const at = path(freshName());
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
        if (allowed.includes(method)) continue;
        const answer = await served.registry.request(method, at);
        expect([method, answer.status, firstCode(answer)]).toEqual([method, 405, 'UNSUPPORTED']);
        const allow = (answer.headers.get('allow') ?? '').split(/\s*,\s*/).filter((item) => item !== 'OPTIONS');
        expect(allow.sort()).toEqual(expect.arrayContaining(allowed.filter((item) => item !== 'HEAD')));
        expect(allow).not.toContain(method);
      }
    });
  }

  test('a path that is no resource of the registry is 404, with the error body under /v2/', async () => {
    const answer = await served.registry.get('/v2/some/where/else');
    expect(answer.status).toBe(404);
    expect(errorsOf(answer)).toHaveLength(1);
    expect((await served.registry.get('/nowhere')).status).toBe(404);
  });
});
