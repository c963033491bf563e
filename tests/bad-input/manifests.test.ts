import { describe, expect, test } from 'bun:test';
import { describeBytes, firstCode, freshName, mediaTypes } from '../support/registry.ts';
import { serve } from '../support/serve.ts';
import { exchange, requestBytes } from '../support/wire.ts';

const served = serve();

async function refused(
  body: string | Uint8Array,
  mediaType: string | undefined = mediaTypes.ociManifest,
): Promise<void> {
  const repository = freshName();
  await served.registry.pushBlob(repository, '{}');
  const answer = await served.registry.request('PUT', `/v2/${repository}/manifests/v1`, {
    headers: mediaType === '' ? {} : { 'Content-Type': mediaType },
    body,
  });
  expect([answer.status, firstCode(answer)]).toEqual([400, 'MANIFEST_INVALID']);
  expect((await served.registry.head(`/v2/${repository}/manifests/v1`)).status).toBe(404);
  expect((await served.registry.get(`/v2/${repository}/tags/list`)).json()).toEqual({ name: repository, tags: [] });
}

const empty = describeBytes('{}', mediaTypes.ociEmpty);
const good = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: empty, layers: [] };
const withField = (name: string, value: unknown) => JSON.stringify({ ...good, [name]: value });
const deep = (open: string, close: string, depth: number) => `${open.repeat(depth)}${close.repeat(depth)}`;

describe('a manifest that is no JSON', () => {
  const bodies: [what: string, body: string | Uint8Array][] = [
    ['nothing', ''],
    ['white space', ' \n'],
    ['cut', JSON.stringify(good).slice(0, -5)],
    ['with something after it', `${JSON.stringify(good)}x`],
    ['two of them', JSON.stringify(good).repeat(2)],
    ['single quotes', JSON.stringify(good).replaceAll('"', "'")],
    ['a comment', `// x\n${JSON.stringify(good)}`],
    ['a trailing comma', `${JSON.stringify(good).slice(0, -1)},}`],
    ['NaN', JSON.stringify(good).replace('2', 'NaN')],
    ['a byte order mark', `\uFEFF${JSON.stringify(good)}`],
    ['UTF-16', Buffer.from(JSON.stringify(good), 'utf16le')],
    ['not UTF-8', Buffer.from(JSON.stringify({ ...good, annotations: { a: 'é' } }), 'latin1')],
    ['NUL', `${JSON.stringify(good)}\0`],
    ['compressed', Bun.gzipSync(JSON.stringify(good))],
    ['XML', '<manifest/>'],
  ];
  for (const [what, body] of bodies) test(`is MANIFEST_INVALID: ${what}`, () => refused(body));
});

describe('a manifest of the wrong shape', () => {
  const bodies: [what: string, body: string][] = [
    ['null', 'null'],
    ['a number', '2'],
    ['a string', '"manifest"'],
    ['a list', `[${JSON.stringify(good)}]`],
    ['an empty object', '{}'],
    ['schemaVersion missing', withField('schemaVersion', undefined)],
    ['schemaVersion 1', withField('schemaVersion', 1)],
    ['schemaVersion "2"', withField('schemaVersion', '2')],
    ['config missing', withField('config', undefined)],
    ['config null', withField('config', null)],
    ['config a list', withField('config', [empty])],
    ['layers missing', withField('layers', undefined)],
    ['layers an object', withField('layers', {})],
    ['layers of null', withField('layers', [null])],
    ['layers of strings', withField('layers', [empty.digest])],
    ['a size below zero', withField('layers', [{ ...empty, size: -1 }])],
    ['a size that is no whole number', withField('layers', [{ ...empty, size: 1.5 }])],
    ['a size that is text', withField('layers', [{ ...empty, size: '2' }])],
    ['a size beyond all numbers', withField('layers', [{ ...empty, size: 0 }]).replace('"size":0', '"size":1e400')],
    ['a layer without a digest', withField('layers', [{ mediaType: 'a/b', size: 1 }])],
    ['a layer without a media type', withField('layers', [{ digest: empty.digest, size: 1 }])],
    ['a media type that is a number', withField('mediaType', 7)],
    ['a subject that is text', withField('subject', empty.digest)],
    ['a subject without a digest', withField('subject', { mediaType: 'a/b', size: 1 })],
    ['annotations that are a list', withField('annotations', ['a'])],
    ['annotations of numbers', withField('annotations', { a: 1 })],
    ['annotations of objects', withField('annotations', { a: {} })],
    ['an artifactType that is a number', withField('artifactType', 7)],
  ];
  for (const [what, body] of bodies) test(`is MANIFEST_INVALID: ${what}`, () => refused(body));

  for (const manifests of [undefined, null, {}, 'x', [null], [7], [{ digest: empty.digest }]]) {
    test(`an index is MANIFEST_INVALID: manifests ${JSON.stringify(manifests)}`, () =>
      refused(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }), mediaTypes.ociIndex));
  }
});

describe('a manifest that readers would read differently', () => {
  const text = JSON.stringify(good);
  const bodies: [what: string, body: string][] = [
    ['schemaVersion twice', text.replace('{', '{"schemaVersion":2,')],
    ['config twice', text.replace('{', `{"config":${JSON.stringify(empty)},`)],
    ['a key of a descriptor twice', text.replace('"size"', `"digest":"${empty.digest}","size"`)],
    ['a key twice, once escaped', text.replace('{', '{"l\\u0061yers":[],')],
    ['a key of an annotation twice', text.replace('{', '{"annotations":{"a":"1","a":"2"},')],
    ['nested 100 deep', text.replace('{', `{"x":${deep('[', ']', 100)},`)],
    ['nested 1,000,000 deep', text.replace('{', `{"x":${deep('[', ']', 1_000_000)},`)],
    ['objects nested 200,000 deep', text.replace('{', `{"x":${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)},`)],
    ['opened 2,000,000 times and never closed', '['.repeat(2_000_000)],
  ];
  for (const [what, body] of bodies) test(`is MANIFEST_INVALID: ${what}`, () => refused(body));

  test('__proto__ and constructor are keys like any other', async () => {
    const repository = freshName();
    await served.registry.pushBlob(repository, '{}');
    const body = text.replace('{', '{"__proto__":{"layers":7},"constructor":{"prototype":{}},');
    expect((await served.registry.putManifest(repository, 'v1', body)).status).toBe(201);
    expect((await served.registry.get(`/v2/${repository}/manifests/v1`)).text()).toBe(body);
  });
});

describe('a media type that is none', () => {
  const types = ['text/plain', 'application/json', 'x', '/', 'application/vnd.oci.image.manifest.v1+json/x'];
  for (const mediaType of [...types, 'a'.repeat(5000), 'application/octet-stream', 'é/ü', '"', '*/*']) {
    test(`of a manifest is MANIFEST_INVALID: ${mediaType.slice(0, 50)}`, () =>
      refused(JSON.stringify(good), mediaType));
  }

  test('missing from both the header and the manifest is MANIFEST_INVALID', () =>
    refused(JSON.stringify({ ...good, mediaType: undefined }), ''));

  test('of a layer is MANIFEST_INVALID when it is empty or too long', async () => {
    await refused(withField('layers', [{ ...empty, mediaType: '' }]));
    await refused(withField('layers', [{ ...empty, mediaType: `a/${'b'.repeat(10_000)}` }]));
  });

  test('in Accept or of an upload changes nothing', async () => {
    const repository = freshName();
    await served.registry.pushImage(repository, 'v1');
    for (const accept of ['', ';;;', '/', 'a'.repeat(5000), '*/*;q=9', 'é']) {
      expect((await served.registry.get(`/v2/${repository}/manifests/v1`, { Accept: accept })).status).toBe(200);
      const location = await served.registry.startUpload(repository);
      const answer = await served.registry.request('PATCH', location, {
        headers: { 'Content-Type': accept },
        body: 'x',
      });
      expect(answer.status).toBe(202);
    }
  });
});

describe('a manifest that is too much', () => {
  test('of 100 MB is 413 and is not read to its end', async () => {
    const path = `/v2/${freshName()}/manifests/v1`;
    const headers = { 'Content-Type': mediaTypes.ociManifest, 'Content-Length': '100000000' };
    const head = requestBytes(served.registry.host, 'PUT', path, { headers });
    const answer = await exchange(served.berth.port, head, 'PUT');
    expect(answer.status).toBe(413);
    expect(['MANIFEST_INVALID', 'SIZE_INVALID']).toContain(firstCode(answer));
  });

  test('of 10,000 layers that are there is taken, of 10,000 that are not is MANIFEST_BLOB_UNKNOWN', async () => {
    const repository = freshName();
    await served.registry.pushBlob(repository, '{}');
    const many = Array.from({ length: 10_000 }, () => empty);
    expect((await served.registry.putManifest(repository, 'v1', { ...good, layers: many })).status).toBe(201);
    const missing = many.map((_, i) => describeBytes(`missing ${i}`, mediaTypes.ociLayer));
    const answer = await served.registry.putManifest(repository, 'v2', { ...good, layers: missing });
    expect([answer.status, firstCode(answer)]).toEqual([404, 'MANIFEST_BLOB_UNKNOWN']);
    expect(answer.body.length).toBeLessThan(100_000);
  });

  test('of one annotation of 3 MB is listed among the referrers', async () => {
    const repository = freshName();
    const image = await served.registry.pushImage(repository, 'v1');
    const subject = describeBytes(image.body, mediaTypes.ociManifest);
    await served.registry.pushBlob(repository, '{}');
    const big = { ...good, subject, annotations: { big: 'x'.repeat(3_000_000) } };
    expect((await served.registry.putManifest(repository, 'big', big)).status).toBe(201);
    const answer = await served.registry.get(`/v2/${repository}/referrers/${subject.digest}`);
    expect([answer.status, answer.body.length > 3_000_000]).toEqual([200, true]);
  });
});
