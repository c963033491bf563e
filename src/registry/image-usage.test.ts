import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import type { Digest } from '../oci/digest.ts';
import { parseReference } from '../oci/names.ts';
import { mountBlob } from './blobs.ts';
import type { ReadableRepositories } from './catalog.ts';
import { getImageUsage } from './image-usage.ts';
import { deleteTag } from './tags.ts';
import {
  ACTOR,
  codeOf,
  DAY,
  imageOf,
  indexOf,
  named,
  openTestRegistry,
  pushBlob,
  pushImage,
  pushManifest,
  type TestRegistry,
  tagged,
} from './testing.ts';
import { why } from './why.ts';

const ALL = { kind: 'all' } as const;
const NONE = {
  kind: 'some' as const,
  public: false,
  namespaces: [],
  repositories: [],
  unowned: false,
} satisfies ReadableRepositories;

onEachDatabase('the usage of an image', (newPlace) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace());
  });
  afterAll(() => registry?.remove());

  const usage = (name: string, reference: string, readable: ReadableRepositories = ALL, context = registry.context) =>
    getImageUsage(context, named(name), parseReference(reference), readable);

  describe('says what keeps it', () => {
    let image: Digest;
    let index: Digest;
    let moved: Digest;
    let dead: Digest;
    beforeAll(async () => {
      const { context } = registry;
      image = (await pushImage(context, 'kept', 'one')).digest;
      index = await pushManifest(context, 'kept', indexOf([image]), 'v1');
      moved = (await pushImage(context, 'kept', 'moved', 'latest')).digest;
      dead = (await pushImage(context, 'kept', 'dead', 'gone')).digest;
      await deleteTag(context, named('kept'), tagged('gone'), {}, ACTOR);
      registry.advance(3 * DAY);
      await pushImage(context, 'kept', 'newer', 'latest');
    });

    test('the tag and the way from it, the history of a tag, or nothing', async () => {
      expect((await usage('kept', image)).reasons).toEqual([
        { repository: 'kept', root: 'tag v1', path: [index, image] },
      ]);
      expect((await usage('kept', 'v1')).reasons).toEqual([{ repository: 'kept', root: 'tag v1', path: [index] }]);
      expect((await usage('kept', moved)).reasons).toEqual([
        { repository: 'kept', root: 'history of latest', path: [moved] },
      ]);
      expect((await usage('kept', dead)).reasons).toEqual([]);
    });

    test('what uses it, without saying who', async () => {
      const context = {
        ...registry.context,
        digestsInUse: async () => new Set([index]),
        usersOf: async () => ['release 1 of somebody/secret'],
      };
      expect((await usage('kept', image, ALL, context)).reasons).toContainEqual({
        repository: 'kept',
        root: 'in use',
        path: [index, image],
      });
    });

    test('in its own repository alone', async () => {
      const { digest } = await pushImage(registry.context, 'elsewhere', 'one', 'secret-tag');
      expect(digest).toBe(image);
      expect((await usage('kept', image)).reasons.map(({ root }) => root)).toEqual(['tag v1']);
      expect((await why(registry.context, image)).reasons.map(({ root }) => root)).toContain('tag secret-tag');
    });

    test('by 100 tags at most', async () => {
      const { context } = registry;
      const { config, layer } = await pushImage(context, 'tags', 'one');
      const document = imageOf({ config, layers: [layer] });
      for (let i = 0; i < 120; i++) await pushManifest(context, 'tags', document, `v${i}`);
      expect((await usage('tags', 'v1')).reasons.length).toBe(100);
    });
  });

  test('counts the indexes around it and the images in it, in whichever order', async () => {
    const { context } = registry;
    const one = (await pushImage(context, 'related', 'one')).digest;
    const two = (await pushImage(context, 'related', 'two')).digest;
    const inner = await pushManifest(context, 'related', indexOf([one, two]), 'inner');
    const outer = await pushManifest(context, 'related', indexOf([inner]), 'outer');
    expect(new Set((await usage('related', one)).relatives)).toEqual(new Set([one, inner, outer]));
    expect(new Set((await usage('related', inner)).relatives)).toEqual(new Set([one, two, inner, outer]));
    expect(new Set((await usage('related', 'outer')).relatives)).toEqual(new Set([one, two, inner, outer]));
  });

  describe('says which repositories have layers of it', () => {
    const seeds = { base: 'a base of 20 bytes..', top: 'top' };
    beforeAll(async () => {
      const { context } = registry;
      const layers = [
        await pushBlob(context, 'alice/app', seeds.base),
        await pushBlob(context, 'alice/app', seeds.top),
      ];
      const config = await pushBlob(context, 'alice/app', '{}');
      await pushManifest(context, 'alice/app', imageOf({ config, layers }), 'v1');
      const child = await pushManifest(context, 'alice/app', imageOf({ config, layers: layers.slice(1) }));
      await pushManifest(context, 'alice/app', indexOf([child]), 'index');
      for (const [name, shared] of [
        ['alice/both', layers],
        ['bob/base', layers.slice(0, 1)],
        ['bob/public', layers.slice(0, 1)],
        ['root', layers.slice(1)],
        ['alice/none', []],
      ] as const) {
        await pushBlob(context, name, '{}');
        for (const layer of shared) await mountBlob(context, named(name), layer, named('alice/app'), ACTOR);
      }
      await context.database.transaction(async (tx) => {
        await tx
          .updateTable('repositories')
          .set({ visibility: 'public' })
          .where('name', '=', named('bob/public'))
          .execute();
        for (const name of ['alice', 'bob']) {
          await tx
            .insertInto('namespaces')
            .values({ name, kind: 'organization', user_id: null, display_name: '', description: '', created_at: 1 })
            .execute();
        }
      });
    });

    const names = async (readable: ReadableRepositories, reference = 'v1') =>
      (await usage('alice/app', reference, readable)).shared.map(({ repository }) => repository as string);

    test('with how many and how many bytes, the most first, without its own', async () => {
      expect((await usage('alice/app', 'v1')).shared).toEqual([
        { repository: named('alice/both'), layers: 2, bytes: 23 },
        { repository: named('bob/base'), layers: 1, bytes: 20 },
        { repository: named('bob/public'), layers: 1, bytes: 20 },
        { repository: named('root'), layers: 1, bytes: 3 },
      ]);
    });

    test('of an index by the layers of its images', async () => {
      expect(await names(ALL, 'index')).toEqual(['alice/both', 'root']);
    });

    test('of those that the caller may read, and no others', async () => {
      expect(await names(NONE)).toEqual([]);
      expect(await names({ ...NONE, public: true })).toEqual(['bob/public']);
      expect(await names({ ...NONE, namespaces: ['alice', 'nobody'] })).toEqual(['alice/both']);
      expect(await names({ ...NONE, unowned: true })).toEqual(['root']);
      const { id } = await registry.context.database.read
        .selectFrom('repositories')
        .select('id')
        .where('name', '=', named('bob/base'))
        .executeTakeFirstOrThrow();
      expect(await names({ ...NONE, repositories: [id] })).toEqual(['bob/base']);
    });
  });

  test('of what is not there is unknown', async () => {
    expect(await codeOf(usage('kept', 'v9'))).toBe('MANIFEST_UNKNOWN');
    expect(await codeOf(usage('nowhere', 'v1'))).toBe('NAME_UNKNOWN');
  });
});
