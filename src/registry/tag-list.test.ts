import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { deleteManifest } from './manifests.ts';
import { getRepository, setImmutableTags } from './repositories.ts';
import { describeTags, getTag, listTagRows, type TagListPage } from './tag-list.ts';
import { rollbackTag } from './tags.ts';
import { ACTOR, codeOf, named, openTestRegistry, pushImage, type TestRegistry, tagged } from './testing.ts';

const BY_NAME: TagListPage = { limit: 1000, sort: 'name', descending: false };

onEachDatabase('lists of tags', (newPlace) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace());
  });
  afterAll(() => registry?.remove());

  const names = async (repository: string, page: Partial<TagListPage> = {}) =>
    (await listTagRows(registry.context, named(repository), { ...BY_NAME, ...page })).tags.map((tag) => `${tag.name}`);
  const allPages = async (repository: string, page: Partial<TagListPage>) => {
    const seen: string[] = [];
    let last: string | null | undefined;
    for (let pages = 0; last !== null; pages++) {
      expect(pages).toBeLessThan(30);
      const found = await listTagRows(registry.context, named(repository), { ...BY_NAME, ...page, last });
      expect(found.tags.length).toBeLessThanOrEqual(page.limit ?? 1000);
      seen.push(...found.tags.map((tag) => tag.name));
      last = found.next;
    }
    return seen;
  };
  const setTimes = (repository: string, times: Record<string, number>) =>
    registry.context.database.transaction(async (tx) => {
      const { id } = await getRepository(registry.context, named(repository));
      for (const [tag, at] of Object.entries(times)) {
        await tx
          .updateTable('tags')
          .set({ updated_at: at })
          .where('repository_id', '=', id)
          .where('name', '=', tagged(tag))
          .execute();
      }
    });

  test('say what each tag names and when it was set', async () => {
    const { digest } = await pushImage(registry.context, 'rows', 'one', 'a');
    await setTimes('rows', { a: 1_700_000_000_000 });
    const { tags, next } = await listTagRows(registry.context, named('rows'), BY_NAME);
    expect(tags).toEqual([{ name: tagged('a'), digest, updatedAt: 1_700_000_000_000 }]);
    expect(next).toBeNull();
  });

  describe('in every order', () => {
    const times = { b: 5, B: 9, a: 5, '1.0': 5, _x: 1, 'a-1': 7, Z9: 5, latest: 9, 'v1.2.3': 2 };
    const byName = Object.keys(times).sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
    const byTime = [...byName].sort(
      (one, other) => times[one as keyof typeof times] - times[other as keyof typeof times],
    );
    beforeAll(async () => {
      for (const tag of Object.keys(times)) await pushImage(registry.context, 'order', 'one', tag);
      await setTimes('order', times);
    });

    for (const limit of [1, 2, 4, 1000]) {
      test(`pages of ${limit} lead through all, each once; of one time by name`, async () => {
        expect(await allPages('order', { limit })).toEqual(byName);
        expect(await allPages('order', { limit, descending: true })).toEqual([...byName].reverse());
        expect(await allPages('order', { limit, sort: 'updated' })).toEqual(byTime);
        expect(await allPages('order', { limit, sort: 'updated', descending: true })).toEqual([...byTime].reverse());
      });
    }

    test('a tag that moves while pages are turned takes no other from its page', async () => {
      const first = await listTagRows(registry.context, named('order'), {
        ...BY_NAME,
        limit: 3,
        sort: 'updated',
        descending: true,
      });
      await setTimes('order', { _x: 20 });
      const rest = await names('order', { sort: 'updated', descending: true, last: first.next ?? '' });
      expect([...first.tags.map((tag) => `${tag.name}`), ...rest]).toEqual(
        [...byTime].reverse().filter((tag) => tag !== '_x'),
      );
      await setTimes('order', { _x: times._x });
    });

    test('by name, the cursor need not be a tag; by time, only what was given is one', async () => {
      expect(await names('order', { last: 'c' })).toEqual(['latest', 'v1.2.3']);
      for (const last of ['latest', '5', '5.', '.a', 'x.a', '5.a b', '99999999999999999.a']) {
        expect([last, await codeOf(names('order', { sort: 'updated', last }))]).toEqual([
          last,
          'PAGINATION_NUMBER_INVALID',
        ]);
      }
    });
  });

  describe('with a text', () => {
    const tags = ['Main-1', 'main-2', 'release_1', 'releaseX1', '1.0', '100', 'MAINLINE'];
    beforeAll(async () => {
      for (const tag of tags) await pushImage(registry.context, 'text', 'one', tag);
    });

    test('have what holds it, in either case, in pages too', async () => {
      const main = ['MAINLINE', 'Main-1', 'main-2'];
      expect(await names('text', { text: 'main' })).toEqual(main);
      expect(await names('text', { text: 'mAiN' })).toEqual(main);
      expect(await allPages('text', { text: 'main', limit: 1 })).toEqual(main);
      expect(await allPages('text', { text: 'main', limit: 2, descending: true })).toEqual([...main].reverse());
      expect((await allPages('text', { text: 'main', limit: 2, sort: 'updated' })).sort()).toEqual(main);
      expect(await names('text', { text: '' })).toHaveLength(tags.length);
    });

    test('take it as it is: no letter of it stands for others', async () => {
      expect(await names('text', { text: 'e_1' })).toEqual(['release_1']);
      expect(await names('text', { text: '1.0' })).toEqual(['1.0']);
      for (const text of ['%', 'm%n', 'mai*', "'", '\\', 'main\\', 'é', 'İ']) {
        expect([text, await names('text', { text })]).toEqual([text, []]);
      }
    });
  });

  test('one tag is found by its whole name alone', async () => {
    const { digest } = await pushImage(registry.context, 'single', 'one', 'latest');
    expect((await getTag(registry.context, named('single'), tagged('latest'))).tag.digest).toBe(digest);
    expect(await codeOf(getTag(registry.context, named('single'), tagged('Latest')))).toBe('MANIFEST_UNKNOWN');
    expect(await codeOf(getTag(registry.context, named('no/such'), tagged('latest')))).toBe('NAME_UNKNOWN');
  });

  describe('details', () => {
    const details = async (repository: string) => {
      const found = await listTagRows(registry.context, named(repository), BY_NAME);
      return describeTags(registry.context, found.repository, found.tags);
    };

    test('say who moved each tag last, also back, and whether it may move', async () => {
      const { context } = registry;
      const { digest } = await pushImage(context, 'who', 'one', 'latest');
      await pushImage(context, 'who', 'two', 'latest');
      await pushImage(context, 'who', 'two', 'v1');
      await rollbackTag(context, named('who'), tagged('latest'), { actor: { name: 'bob', source: '192.0.2.8' } });
      await setImmutableTags(context, named('who'), ['v*'], ACTOR);
      expect((await getTag(context, named('who'), tagged('latest'))).tag.digest).toBe(digest);
      const found = await details('who');
      const of = (tag: string) => found.get(tagged(tag));
      expect([of('latest')?.updatedBy, of('latest')?.immutable]).toEqual(['bob', false]);
      expect([of('v1')?.updatedBy, of('v1')?.immutable]).toEqual(['alice', true]);
    });

    test('leave out a tag whose manifest was deleted since the page was read', async () => {
      const { context } = registry;
      const { digest } = await pushImage(context, 'since', 'one', 'gone');
      await pushImage(context, 'since', 'two', 'here');
      const { repository, tags } = await listTagRows(context, named('since'), BY_NAME);
      await deleteManifest(context, named('since'), digest, ACTOR);
      expect([...(await describeTags(context, repository, tags)).keys()]).toEqual([tagged('here')]);
    });

    test('of no tags are none', async () => {
      const { context } = registry;
      const { repository } = await getTag(context, named('single'), tagged('latest'));
      expect((await describeTags(context, repository, [])).size).toBe(0);
    });
  });
});
