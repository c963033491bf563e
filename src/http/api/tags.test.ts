import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { tagInfo, tagPage } from '../../api/tags.ts';
import { onEachDatabase } from '../../database/test-databases.ts';
import type { Digest } from '../../oci/digest.ts';
import type { RegistryContext } from '../../registry/context.ts';
import { setImmutableTags } from '../../registry/repositories.ts';
import { ACTOR, imageOf, named, pushBlob, pushImage, pushManifest } from '../../registry/testing.ts';
import { code, openTestApi, type TestApi } from './testing.ts';

onEachDatabase('the API of tags', (newPlace) => {
  let api: TestApi;
  let ask: TestApi['ask'];
  let context: RegistryContext;
  beforeAll(async () => {
    api = await openTestApi(await newPlace());
    ({ ask, context } = api);
    await api.addUser('alice');
    await api.addUser('bob');
  });
  afterAll(() => api?.remove());

  const at = (name: string, rest = '') => `/api/v1/repositories/${name}/tags${rest}`;
  const page = async (name: string, query = '') => tagPage.parse((await ask('alice', 'GET', at(name, query))).body);
  const names = async (name: string, query = '') => (await page(name, query)).tags.map((tag) => tag.name);

  test('is as it always was when nothing is asked for: by name, without details', async () => {
    const { digest } = await pushImage(context, 'alice/plain', 'one', 'b');
    await pushImage(context, 'alice/plain', 'one', 'a');
    const { tags, next } = await page('alice/plain');
    expect(tags.map(({ name, digest, details }) => [name, digest, details])).toEqual([
      ['a', digest, null],
      ['b', digest, null],
    ]);
    expect(next).toBeNull();
    const first = await page('alice/plain', '?n=1');
    expect(first.next).toBe('a');
    expect(await names('alice/plain', '?n=1&last=a')).toEqual(['b']);
  });

  test('searches, sorts and turns pages as the query says', async () => {
    for (const tag of ['v1', 'v2', 'main', 'V3']) {
      await pushImage(context, 'alice/query', 'one', tag);
      await Bun.sleep(2);
    }
    expect(await names('alice/query', '?order=desc')).toEqual(['v2', 'v1', 'main', 'V3']);
    expect(await names('alice/query', '?sort=updated&order=desc')).toEqual(['V3', 'main', 'v2', 'v1']);
    expect(await names('alice/query', '?q=v&sort=updated')).toEqual(['v1', 'v2', 'V3']);
    const first = await page('alice/query', '?q=v&sort=updated&order=desc&n=2');
    expect(first.tags.map((tag) => tag.name)).toEqual(['V3', 'v2']);
    const last = encodeURIComponent(first.next ?? '');
    expect(await names('alice/query', `?q=v&sort=updated&order=desc&n=2&last=${last}`)).toEqual(['v1']);
    for (const query of ['?sort=size', '?order=up', '?details=yes', `?q=${'x'.repeat(129)}`, '?q=%00']) {
      expect([query, await code(ask('alice', 'GET', at('alice/query', query)))]).toEqual([query, '400 QUERY_INVALID']);
    }
    for (const query of ['?sort=updated&last=v1', '?n=x']) {
      expect([query, await code(ask('alice', 'GET', at('alice/query', query)))]).toEqual([
        query,
        '400 PAGINATION_NUMBER_INVALID',
      ]);
    }
  });

  describe('details', () => {
    const push = async (tag: string) => {
      const config = await pushBlob(context, 'alice/details', '{"os":"linux","architecture":"amd64"}');
      return pushManifest(context, 'alice/details', imageOf({ config, annotations: { tag } }), tag);
    };
    let digest: Digest;
    beforeAll(async () => {
      digest = await push('v1');
      await push('edge');
      await setImmutableTags(context, named('alice/details'), ['v*'], ACTOR);
    });

    test('are of each tag of a page, and of one alone', async () => {
      const { tags } = await page('alice/details', '?details=true');
      expect(tags.map((tag) => [tag.name, tag.details?.immutable])).toEqual([
        ['edge', false],
        ['v1', true],
      ]);
      const one = tagInfo.parse((await ask('alice', 'GET', at('alice/details', '/v1'))).body);
      expect(one).toEqual(tags[1] as typeof one);
      const { size, ...details } = one.details ?? { size: 0 };
      expect(size).toBeGreaterThan(37);
      expect(details).toEqual({
        kind: 'image',
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        platforms: [{ platform: 'linux/amd64', digest, size: 37, available: true }],
        updatedBy: 'alice',
        pulledAt: null,
        immutable: true,
      });
    });

    test('hold nothing that the answer does not describe', async () => {
      const { body } = await ask('alice', 'GET', at('alice/details', '/v1'));
      expect(body).toEqual(tagInfo.strict().parse(body));
      expect(Object.keys(body.details as object).sort()).toEqual(
        ['immutable', 'kind', 'mediaType', 'platforms', 'pulledAt', 'size', 'updatedBy'].sort(),
      );
    });

    test('come 200 a page, and the next page goes on', async () => {
      const { config } = await pushImage(context, 'alice/large', 'one');
      const document = imageOf({ config });
      for (let i = 0; i < 203; i++)
        await pushManifest(context, 'alice/large', document, `t${String(i).padStart(3, '0')}`);
      const first = await page('alice/large', '?details=true&n=1000');
      expect([first.tags.length, first.next]).toEqual([200, 't199']);
      expect(await names('alice/large', '?details=true&n=1000&last=t199')).toEqual(['t200', 't201', 't202']);
      expect((await page('alice/large', '?n=1000')).tags).toHaveLength(203);
    }, 60_000);
  });

  test('a tag that is not there, or not for the caller, is not found', async () => {
    await pushImage(context, 'alice/hidden', 'one', 'v1');
    expect(await code(ask('alice', 'GET', at('alice/hidden', '/v2')))).toBe('404 MANIFEST_UNKNOWN');
    expect(await code(ask('alice', 'GET', at('alice/nothing', '/v1')))).toBe('404 NAME_UNKNOWN');
    expect(await code(ask('bob', 'GET', at('alice/hidden', '/v1')))).toBe('404 NAME_UNKNOWN');
    expect(await code(ask('alice', 'GET', at('alice/hidden', '/a%2Fb')))).toBe('400 TAG_INVALID');
  });

  test('deleting takes the tag and leaves its manifest and its history; rollback brings it back', async () => {
    const { digest } = await pushImage(context, 'alice/deleted', 'one', 'v1');
    expect(await code(ask('bob', 'DELETE', at('alice/deleted', '/v1')))).toBe('403 DENIED');
    expect(await code(ask('alice', 'DELETE', at('alice/deleted', '/v1')))).toBe(204);
    expect(await code(ask('alice', 'DELETE', at('alice/deleted', '/v1')))).toBe('404 MANIFEST_UNKNOWN');
    expect(await names('alice/deleted')).toEqual([]);
    expect(await code(ask('alice', 'GET', `/v2/alice/deleted/manifests/${digest}`))).toBe(200);
    const { body } = await ask('alice', 'GET', at('alice/deleted', '/v1/history'));
    expect(body.entries).toMatchObject([{ action: 'delete', actor: 'alice' }, { action: 'push' }]);
    expect((await ask('alice', 'POST', at('alice/deleted', '/v1/rollback'), {})).body).toMatchObject({ digest });
  });

  test('an immutable tag is not deleted', async () => {
    await pushImage(context, 'alice/fixed', 'one', 'v1');
    await setImmutableTags(context, named('alice/fixed'), ['v*'], ACTOR);
    expect(await code(ask('alice', 'DELETE', at('alice/fixed', '/v1')))).toBe('403 DENIED');
    expect(await names('alice/fixed')).toEqual(['v1']);
  });

  test('a tag may be called like a word of the API', async () => {
    const words = [
      'tags',
      'history',
      'grants',
      'aliases',
      'deletion',
      'immutable-tags',
      'images',
      'rollback',
      'rename',
    ];
    for (const word of words) await pushImage(context, 'alice/words', 'one', word);
    for (const word of words) {
      expect([word, (await ask('alice', 'GET', at('alice/words', `/${word}`))).body.name]).toEqual([word, word]);
    }
    for (const word of words) {
      const image = `/api/v1/repositories/alice/words/images/${word}`;
      expect([word, (await ask('alice', 'GET', image)).body.repository]).toEqual([word, 'alice/words']);
    }
    for (const word of words) expect(await code(ask('alice', 'DELETE', at('alice/words', `/${word}`)))).toBe(204);
    expect(await names('alice/words')).toEqual([]);
  });

  test('a repository may be called so too, with its slashes encoded', async () => {
    await pushImage(context, 'alice/tags/tags', 'one', 'tags');
    expect(await names('alice%2Ftags%2Ftags')).toEqual(['tags']);
    const { body } = await ask('alice', 'GET', at('alice%2Ftags%2Ftags', '/tags'));
    expect(body.name).toBe('tags');
  });

  describe('the time of the last pull', () => {
    const pulledAt = async (name: string) => {
      await context.pullTimes.flush(context.database);
      return tagInfo.parse((await ask('alice', 'GET', at(name, '/v1'))).body).details?.pulledAt ?? null;
    };

    for (const by of ['tag', 'digest'] as const) {
      test(`is that of a GET of the manifest by its ${by}`, async () => {
        const { digest } = await pushImage(context, `alice/by-${by}`, by, 'v1');
        const before = Date.now();
        const reference = by === 'tag' ? 'v1' : digest;
        expect(await code(ask('alice', 'GET', `/v2/alice/by-${by}/manifests/${reference}`))).toBe(200);
        expect(Date.parse((await pulledAt(`alice/by-${by}`)) ?? '')).toBeWithin(before, Date.now() + 1);
      });
    }

    test('is not that of a HEAD, of a GET that is refused, or of one that finds nothing new', async () => {
      const { digest } = await pushImage(context, 'alice/looked', 'one', 'v1');
      const manifest = '/v2/alice/looked/manifests/v1';
      expect(await code(ask('alice', 'HEAD', manifest))).toBe(200);
      expect(await code(ask('bob', 'GET', manifest))).toBe(404);
      expect(await code(ask('alice', 'GET', manifest, undefined, 'none', { 'If-None-Match': `"${digest}"` }))).toBe(
        304,
      );
      expect(await pulledAt('alice/looked')).toBeNull();
    });
  });
});
