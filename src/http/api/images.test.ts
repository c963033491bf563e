import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { type ImageInfo, type ImageUsage, imageContent, imageInfo, imageUsage } from '../../api/images.ts';
import { onEachDatabase } from '../../database/test-databases.ts';
import type { Digest } from '../../oci/digest.ts';
import { mountBlob } from '../../registry/blobs.ts';
import type { RegistryContext } from '../../registry/context.ts';
import { ACTOR, indexOf, named, pushImage, pushManifest } from '../../registry/testing.ts';
import { code, openTestApi, type TestApi } from './testing.ts';

onEachDatabase('the API of images', (newPlace) => {
  let api: TestApi;
  let ask: TestApi['ask'];
  let context: RegistryContext;
  let image: Awaited<ReturnType<typeof pushImage>>;
  let index: Digest;
  beforeAll(async () => {
    api = await openTestApi(await newPlace());
    ({ ask, context } = api);
    for (const name of ['alice', 'bob', 'boss']) await api.addUser(name, { administrator: name === 'boss' });
    image = await pushImage(context, 'alice/app', 'one');
    index = await pushManifest(context, 'alice/app', indexOf([image.digest]), 'v1');
    await ask('alice', 'PATCH', '/api/v1/repositories/alice/app', { visibility: 'public' });
  });
  afterAll(() => api?.remove());

  const at = (name: string, reference: string, rest = '') => `/api/v1/repositories/${name}/images/${reference}${rest}`;

  async function info(who: string, name: string, reference: string): Promise<ImageInfo> {
    const { status, body } = await ask(who, 'GET', at(name, reference));
    expect(status).toBe(200);
    return imageInfo.strict().parse(body);
  }

  async function usage(who: string, name: string, reference: string): Promise<ImageUsage> {
    const { status, body } = await ask(who, 'GET', at(name, reference, '/usage'));
    expect(status).toBe(200);
    return imageUsage.strict().parse(body);
  }

  describe('an image', () => {
    test('is there by tag and by digest, for whoever may read the repository', async () => {
      expect(await info('nobody', 'alice/app', 'v1')).toMatchObject({
        repository: 'alice/app',
        digest: index,
        kind: 'index',
        tags: ['v1'],
        platforms: [{ digest: image.digest, available: true }],
      });
      expect((await info('bob', 'alice/app', image.digest)).layers).toMatchObject([{ digest: image.layer }]);
    });

    test('is missing alike in a private repository and in none', async () => {
      await pushImage(context, 'alice/secret', 'secret', 'v1');
      for (const name of ['alice/secret', 'alice/nothing']) {
        for (const rest of ['', '/usage', `/content?digest=${image.layer}`]) {
          expect(await code(ask('bob', 'GET', at(name, 'v1', rest)))).toBe('404 NAME_UNKNOWN');
          expect(await code(ask('nobody', 'GET', at(name, 'v1', rest)))).toBe('401 UNAUTHORIZED');
        }
      }
      expect(await code(ask('bob', 'GET', at('alice/app', 'v9')))).toBe('404 MANIFEST_UNKNOWN');
      expect(await code(ask('bob', 'GET', at('alice/app', 'sha256:abc')))).toBe('400 DIGEST_INVALID');
    });

    test.each([
      'tags',
      'grants',
      'usage',
      'content',
      'images',
      'history',
      'rollback',
      'immutable-tags',
      'rename',
      'deletion',
      'aliases',
    ])('may have the tag %s, which has a history and a usage too', async (tag) => {
      await pushManifest(context, 'alice/app', indexOf([image.digest]), tag);
      expect((await info('alice', 'alice/app', tag)).tags).toContain(tag);
      expect((await usage('alice', 'alice/app', tag)).reasons.length).toBeGreaterThan(0);
      const history = await ask('alice', 'GET', `/api/v1/repositories/alice/app/tags/${tag}/history`);
      expect([history.status, (history.body.entries as unknown[]).length]).toEqual([200, 1]);
    });

    test.each(['alice/images', 'alice/images/app', 'alice/usage', 'alice/deep/content'])(
      'in the repository %s is had with its slashes encoded',
      async (name) => {
        await pushImage(context, name, 'word', 'v1');
        const encoded = name.replaceAll('/', '%2F');
        expect((await info('alice', encoded, 'v1')).repository).toBe(name);
        expect((await ask('alice', 'GET', `/api/v1/repositories/${encoded}`)).body.name).toBe(name);
      },
    );
  });

  describe('the content of a part', () => {
    test('is JSON with its text, never a page of its own', async () => {
      const { status, body } = await ask(
        'nobody',
        'GET',
        at('alice/app', image.digest, `/content?digest=${image.layer}`),
      );
      expect([status, imageContent.parse(body).text]).toEqual([200, 'layer of one']);
      const loose = await pushImage(context, 'alice/app', 'another');
      for (const [query, refusal] of [
        [`digest=${loose.layer}`, '404 BLOB_UNKNOWN'],
        ['digest=sha256:abc', '400 DIGEST_INVALID'],
        ['', '400 QUERY_INVALID'],
      ]) {
        expect(await code(ask('alice', 'GET', at('alice/app', image.digest, `/content?${query}`)))).toBe(refusal ?? '');
      }
    });
  });

  describe('the usage', () => {
    const stack = '/api/v1/namespaces/bob/stacks';
    beforeAll(async () => {
      const file = 'services:\n  web:\n    image: alice/app:v1\n    x-berth: { repository: alice/app }\n';
      const steps = [
        [stack, { name: 'shop', file }],
        [`${stack}/shop/environments`, { name: 'test' }],
        [`${stack}/shop/environments/test/deployments`, { images: { web: index } }],
      ] as const;
      for (const [path, body] of steps) {
        const { status, body: answer } = await ask('bob', 'POST', path, body);
        expect([path, status, answer.detail]).toEqual([path, 201, undefined]);
      }
    });

    test('names the deployments of stacks that the caller may read, of the index and of the image in it', async () => {
      for (const reference of ['v1', image.digest]) {
        for (const who of ['bob', 'boss']) {
          const { deployments, hiddenDeployments, reasons } = await usage(who, 'alice/app', reference);
          expect(deployments).toEqual([
            {
              stack: 'bob/shop',
              environment: 'test',
              running: false,
              text: expect.stringContaining('deployment v1 of'),
            },
          ]);
          expect(hiddenDeployments).toBe(0);
          expect(reasons.map(({ root }) => root)).toContain('tag v1');
        }
      }
    });

    test('only counts the others: neither the stack nor its owner is named', async () => {
      for (const who of ['alice', 'nobody']) {
        const { status, body } = await ask(who, 'GET', at('alice/app', 'v1', '/usage'));
        const found = imageUsage.parse(body);
        expect([status, found.deployments, found.hiddenDeployments]).toEqual([200, [], 1]);
        expect(JSON.stringify(body)).not.toContain('bob');
        expect(JSON.stringify(body)).not.toContain('shop');
      }
    });

    test('says who keeps it to those who may know, and only that it is in use to others', async () => {
      api.used.push('release 1 of bob/shop');
      try {
        const roots = async (who: string) => (await usage(who, 'alice/app', 'v1')).reasons.map(({ root }) => root);
        expect(await roots('bob')).toContain('release 1 of bob/shop');
        expect(await roots('alice')).toContain('in use');
        expect((await roots('alice')).join()).not.toContain('bob');
      } finally {
        api.used.length = 0;
      }
    });

    test('never names a private repository of others that has the same layers', async () => {
      await pushImage(context, 'bob/private', 'other', 'v1');
      await mountBlob(context, named('bob/private'), image.layer, named('alice/app'), ACTOR);
      await pushImage(context, 'bob/open', 'other', 'v1');
      await mountBlob(context, named('bob/open'), image.layer, named('alice/app'), ACTOR);
      await ask('bob', 'PATCH', '/api/v1/repositories/bob/open', { visibility: 'public' });
      const shared = async (who: string) =>
        (await usage(who, 'alice/app', image.digest)).shared.map(({ repository }) => repository);
      expect(await shared('bob')).toEqual(['bob/open', 'bob/private']);
      expect(await shared('alice')).toEqual(['bob/open']);
      expect(await shared('nobody')).toEqual(['bob/open']);
      expect(await shared('boss')).toEqual(['bob/open', 'bob/private']);
    });
  });

  describe('deleting one', () => {
    test('takes a digest, and says so to a tag', async () => {
      await pushImage(context, 'alice/old', 'old', 'v1');
      const { digest } = await info('alice', 'alice/old', 'v1');
      const { status, body } = await ask('alice', 'DELETE', at('alice/old', 'v1'));
      expect([status, body.code]).toEqual([400, 'DIGEST_INVALID']);
      expect(body.detail).toContain('"v1" is not a digest');
      expect(await code(ask('bob', 'DELETE', at('alice/old', digest)))).toBe('403 DENIED');
      expect(await code(ask('alice', 'DELETE', at('alice/old', digest)))).toBe(204);
      expect(await code(ask('alice', 'GET', at('alice/old', 'v1')))).toBe('404 MANIFEST_UNKNOWN');
      expect(await code(ask('alice', 'DELETE', at('alice/old', digest)))).toBe('404 MANIFEST_UNKNOWN');
    });

    test('is refused while something uses it, with its users, and while an index names it', async () => {
      api.used.push('alice/shop@production v3');
      const { status, body } = await ask('alice', 'DELETE', at('alice/app', index));
      api.used.length = 0;
      expect([status, body.code]).toEqual([403, 'DENIED']);
      expect(body.detail).toContain('alice/shop@production v3');
      expect(await code(ask('alice', 'DELETE', at('alice/app', image.digest)))).toBe('405 UNSUPPORTED');
    });
  });
});
