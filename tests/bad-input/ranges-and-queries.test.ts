import { describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { digestOf, firstCode, freshName } from '../support/registry.ts';
import { serve } from '../support/serve.ts';

const served = serve();
const bytes = randomBytes(1000);

describe('a Content-Range that is none', () => {
  const headers = [
    'x',
    '0',
    '-',
    '0-',
    '-9',
    '9-0',
    'a-b',
    '0-9-19',
    '0x0-0x9',
    '1.0-2',
    '-1-8',
    '0-9,10-19',
    '0 - 9',
    '+0-9',
  ];
  for (const header of [...headers, '99999999999999999999-99999999999999999999', `0-${'9'.repeat(400)}`]) {
    test(`is refused and the upload is as it was: ${header.slice(0, 40)}`, async () => {
      const location = await served.registry.startUpload(freshName());
      await served.registry.request('PATCH', location, { body: bytes.subarray(0, 10) });
      for (const method of ['PATCH', 'PUT']) {
        const path = method === 'PUT' ? `${location}?digest=${digestOf(bytes.subarray(0, 20))}` : location;
        const answer = await served.registry.request(method, path, {
          headers: { 'Content-Range': header },
          body: bytes.subarray(10, 20),
        });
        expect([method, [400, 416].includes(answer.status)]).toEqual([method, true]);
        expect(['BLOB_UPLOAD_INVALID', 'SIZE_INVALID']).toContain(firstCode(answer));
      }
      expect((await served.registry.get(location)).headers.get('range')).toBe('0-9');
    });
  }

  test('a POST with a digest and a wrong Content-Range stores nothing', async () => {
    const repository = freshName();
    const answer = await served.registry.request('POST', `/v2/${repository}/blobs/uploads/?digest=${digestOf(bytes)}`, {
      headers: { 'Content-Range': '5-1004' },
      body: bytes,
    });
    expect([400, 416]).toContain(answer.status);
    expect((await served.registry.head(`/v2/${repository}/blobs/${digestOf(bytes)}`)).status).toBe(404);
  });
});

describe('a Range of a blob that is none', () => {
  const headers = [
    'bytes=0x0-0x9',
    'bytes=0-9-19',
    'bytes=,',
    'bytes= 0-9',
    'BYTES=0-9',
    'bytes=0-9;',
    '=0-9',
    'bytes 0-9',
  ];
  for (const header of [...headers, `bytes=${'9'.repeat(400)}-`, `bytes=${'0-1,'.repeat(2000)}2-3`, 'bytes=-', 'é']) {
    test(`gives the whole, a part or 416: ${header.slice(0, 40)}`, async () => {
      const repository = freshName();
      const digest = await served.registry.pushBlob(repository, bytes);
      const answer = await served.registry.get(`/v2/${repository}/blobs/${digest}`, { Range: header });
      expect([200, 206, 416]).toContain(answer.status);
      if (answer.status === 200) expect(answer.body.equals(bytes)).toBe(true);
      if (answer.status === 416) expect(answer.headers.get('content-range')).toBe('bytes */1000');
    });
  }
});

describe('a query that makes no sense', () => {
  const queries = [
    '?n=-1',
    '?n=1e9',
    '?n=%00',
    '?n=1&n=2',
    '?last=%ff',
    '?last=',
    '?last=%00',
    `?last=${'z'.repeat(3000)}`,
    '?n[]=1',
    '?%',
    '?&&&===',
    "?last='%20or%201=1--",
    '?n=%F0%9F%98%80',
  ];
  for (const query of queries) {
    test(`is answered or refused, never an error of the server: ${query.slice(0, 40)}`, async () => {
      const repository = freshName();
      const image = await served.registry.pushImage(repository, 'v1');
      for (const path of [
        '/v2/_catalog',
        `/v2/${repository}/tags/list`,
        `/v2/${repository}/referrers/${image.digest}`,
        `/v2/${repository}/_oci/tag-history/v1`,
        `/v2/${repository}/manifests/v1`,
        `/v2/${repository}/blobs/${image.layer}`,
        `/api/v1/repositories/${repository}/tags`,
        `/api/v1/repositories/${repository}/tags/v1/history`,
      ]) {
        const answer = await served.registry.get(path + query);
        expect([path, [200, 400, 404].includes(answer.status)]).toEqual([path, true]);
      }
    });
  }

  test('an artifactType of any characters is a filter that nothing passes', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    for (const type of ['%00', '%ff', 'a%22b', '%F0%9F%98%80', 'a'.repeat(3000)]) {
      const answer = await served.registry.get(`/v2/${repository}/referrers/${image.digest}?artifactType=${type}`);
      expect([type.slice(0, 9), [200, 400].includes(answer.status)]).toEqual([type.slice(0, 9), true]);
      if (answer.status === 200) expect(answer.json()).toMatchObject({ manifests: [] });
    }
  });
});

describe('a precondition that is none', () => {
  for (const header of ['x', '"', '""', 'W/"x"', '"a" "b"', ',', '"a'.repeat(1000), '\u00e9']) {
    test(`never lets a change through by mistake: If-Match: ${header.slice(0, 20)}`, async () => {
      const repository = freshName();
      const image = await served.registry.pushImage(repository, 'v1');
      const other = await served.registry.makeImage(repository);
      const options = { headers: { 'If-Match': header } };
      const answer = await served.registry.putManifest(repository, 'v1', other.body, options);
      expect([400, 412]).toContain(answer.status);
      expect((await served.registry.get(`/v2/${repository}/manifests/v1`)).text()).toBe(image.body);
    });
  }
});
