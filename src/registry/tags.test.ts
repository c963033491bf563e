import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import type { Digest } from '../oci/digest.ts';
import { deleteManifest } from './manifests.ts';
import { setImmutableTags } from './repositories.ts';
import { deleteTag, listTags, tagHistory } from './tags.ts';
import {
  ACTOR,
  codeOf,
  imageOf,
  named,
  openTestRegistry,
  pulled,
  pushBlob,
  pushImage,
  pushManifest,
  type TestRegistry,
  tagged,
} from './testing.ts';

onEachDatabase('tags', (newPlace) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace());
  });
  afterAll(() => registry?.remove());
  const history = async (name: string, tag: string) =>
    (await tagHistory(registry.context, named(name), tagged(tag), { limit: 100 })).entries;

  describe('history', () => {
    test('every change of a tag is an entry, newest first, with who did it and from where', async () => {
      const { context } = registry;
      const one = await pushImage(context, 'history', 'one', 'latest');
      const two = await pushImage(context, 'history', 'two', 'latest');
      await deleteTag(context, named('history'), tagged('latest'), {}, { name: 'bob', source: '192.0.2.8' });
      const entries = await history('history', 'latest');
      expect(
        entries.map(({ action, digest, previous, actor, source }) => ({ action, digest, previous, actor, source })),
      ).toEqual([
        { action: 'delete', digest: null, previous: two.digest, actor: 'bob', source: '192.0.2.8' },
        { action: 'push', digest: two.digest, previous: one.digest, actor: 'alice', source: '192.0.2.7' },
        { action: 'push', digest: one.digest, previous: null, actor: 'alice', source: '192.0.2.7' },
      ]);
      for (const { at } of entries) expect(at).toBeWithin(Date.now() - 60_000, Date.now() + 1);
    });

    test('pushing what a tag already names is no change', async () => {
      const { context } = registry;
      await pushImage(context, 'same', 'one', 'latest');
      await pushImage(context, 'same', 'one', 'latest');
      expect(await history('same', 'latest')).toHaveLength(1);
    });

    test('deleting a manifest takes its tags, each with an entry, and marks the entry as not available', async () => {
      const { context } = registry;
      const { digest } = await pushImage(context, 'gone', 'one', 'a');
      await pushImage(context, 'gone', 'one', 'b');
      await deleteManifest(context, named('gone'), digest, ACTOR);
      for (const tag of ['a', 'b']) {
        const entries = await history('gone', tag);
        expect(entries.map(({ action, available }) => ({ action, available }))).toEqual([
          { action: 'delete', available: false },
          { action: 'push', available: false },
        ]);
      }
      expect(await listTags(context, named('gone'), { limit: 10 })).toEqual({ tags: [], more: false });
    });

    test('pages lead through all of it, each entry once', async () => {
      const { context } = registry;
      const pushed: Digest[] = [];
      for (let i = 0; i < 7; i++) pushed.unshift((await pushImage(context, 'pages', `v${i}`, 'latest')).digest);
      const seen: (Digest | null)[] = [];
      for (let before: number | undefined, more = true, pages = 0; more; pages++) {
        expect(pages).toBeLessThan(5);
        const page = await tagHistory(context, named('pages'), tagged('latest'), { before, limit: 3 });
        seen.push(...page.entries.map((entry) => entry.digest));
        before = page.entries.at(-1)?.id;
        more = page.more;
      }
      expect(seen).toEqual(pushed);
    });

    test('a tag that never was has none, a repository that never was neither', async () => {
      const { context } = registry;
      await pushImage(context, 'some', 'one', 'latest');
      expect(await codeOf(history('some', 'other'))).toBe('MANIFEST_UNKNOWN');
      expect(await codeOf(history('none/such', 'latest'))).toBe('NAME_UNKNOWN');
    });

    test('a push that fails leaves neither tag nor entry', async () => {
      const { context } = registry;
      const config = await pushBlob(context, 'half', 'config');
      const missing = await pushBlob(context, 'elsewhere', 'layer elsewhere');
      const document = imageOf({ config, layers: [missing] });
      expect(await codeOf(pushManifest(context, 'half', document, 'latest'))).toBe('MANIFEST_BLOB_UNKNOWN');
      expect(await codeOf(history('half', 'latest'))).toBe('MANIFEST_UNKNOWN');
      expect(await pulled(context, 'half', 'latest')).toBeUndefined();
    });
  });

  describe('lists', () => {
    test('are in byte order, a page at a time, each name once', async () => {
      const { context } = registry;
      const names = ['b', 'B', 'a', '1', '_x', 'a-1', 'a.1', 'a_1', 'Z9', 'latest'];
      for (const tag of names) await pushImage(context, 'list', 'one', tag);
      const sorted = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      const seen: string[] = [];
      for (let last: string | undefined, more = true, pages = 0; more; pages++) {
        expect(pages).toBeLessThan(10);
        const page = await listTags(context, named('list'), { last, limit: 3 });
        seen.push(...page.tags);
        last = page.tags.at(-1);
        more = page.more;
      }
      expect(seen).toEqual(sorted);
    });

    test('a page that ends the list says so; a page of 0 is empty', async () => {
      const { context } = registry;
      for (const tag of ['a', 'b']) await pushImage(context, 'ends', 'one', tag);
      expect(await listTags(context, named('ends'), { limit: 2 })).toEqual({
        tags: ['a', 'b'].map(tagged),
        more: false,
      });
      expect(await listTags(context, named('ends'), { limit: 0 })).toEqual({ tags: [], more: true });
      expect(await listTags(context, named('ends'), { last: 'b', limit: 2 })).toEqual({ tags: [], more: false });
    });
  });

  describe('compare and swap', () => {
    test('If-Match with the current digest moves the tag, with another it changes nothing', async () => {
      const { context } = registry;
      const one = await pushImage(context, 'cas', 'one', 'latest');
      const two = imageOf({ config: one.config });
      const three = imageOf({ config: one.config, annotations: { three: 'yes' } });
      const second = await pushManifest(context, 'cas', two, 'latest', { match: [one.digest] });
      expect(await codeOf(pushManifest(context, 'cas', three, 'latest', { match: [one.digest] }))).toBe(
        'PRECONDITION_FAILED',
      );
      expect(await pulled(context, 'cas', 'latest')).toBe(second);
      expect(await history('cas', 'latest')).toHaveLength(2);
      await pushManifest(context, 'cas', three, 'latest', { match: [one.digest, second] });
      expect(await history('cas', 'latest')).toHaveLength(3);
    });

    test('a manifest whose precondition fails is not stored at all', async () => {
      const { context } = registry;
      const { config } = await pushImage(context, 'cas-none', 'one', 'latest');
      const document = imageOf({ config, annotations: { not: 'stored' } });
      expect(await codeOf(pushManifest(context, 'cas-none', document, 'latest', { none: ['*'] }))).toBe(
        'PRECONDITION_FAILED',
      );
      expect(await codeOf(pushManifest(context, 'cas-none', document, 'other', { match: ['*'] }))).toBe(
        'PRECONDITION_FAILED',
      );
      const { digest } =
        (await context.database.read
          .selectFrom('manifests')
          .select('digest')
          .where('annotations', 'like', '%stored%')
          .executeTakeFirst()) ?? {};
      expect(digest).toBeUndefined();
    });

    test('deleting with If-Match deletes what is expected alone', async () => {
      const { context } = registry;
      const one = await pushImage(context, 'cas-delete', 'one', 'latest');
      const two = await pushImage(context, 'cas-delete', 'two', 'latest');
      const remove = (match: string) =>
        deleteTag(context, named('cas-delete'), tagged('latest'), { match: [match] }, ACTOR);
      expect(await codeOf(remove(one.digest))).toBe('PRECONDITION_FAILED');
      expect(await codeOf(remove(two.digest))).toBe('none');
      expect(await codeOf(remove(two.digest))).toBe('PRECONDITION_FAILED');
    });

    test('of many writers at once with the same If-Match exactly one wins', async () => {
      const { context, anotherProcess } = registry;
      const start = await pushImage(context, 'race', 'start', 'latest');
      const processes = [context, anotherProcess('r2'), anotherProcess('r3')];
      let expected = start.digest;
      for (let round = 0; round < 8; round++) {
        const documents = processes.map((_, i) =>
          imageOf({ config: start.config, annotations: { writer: `${round}-${i}` } }),
        );
        const codes = await Promise.all(
          processes.map((process, i) =>
            codeOf(pushManifest(process, 'race', documents[i] ?? {}, 'latest', { match: [expected] })),
          ),
        );
        expect(codes.sort()).toEqual(['PRECONDITION_FAILED', 'PRECONDITION_FAILED', 'none']);
        const now = await pulled(context, 'race', 'latest');
        expect(now).not.toBe(expected);
        expected = now ?? expected;
      }
      expect(await history('race', 'latest')).toHaveLength(9);
    });

    test('of many creators at once with If-None-Match: * exactly one wins', async () => {
      const { context, anotherProcess } = registry;
      const { config } = await pushImage(context, 'create', 'start', 'start');
      const processes = [context, anotherProcess('c2'), anotherProcess('c3')];
      for (let round = 0; round < 8; round++) {
        const codes = await Promise.all(
          processes.map((process, i) => {
            const document = imageOf({ config, annotations: { creator: `${round}-${i}` } });
            return codeOf(pushManifest(process, 'create', document, `v${round}`, { none: ['*'] }));
          }),
        );
        expect(codes.sort()).toEqual(['PRECONDITION_FAILED', 'PRECONDITION_FAILED', 'none']);
        expect(await history('create', `v${round}`)).toHaveLength(1);
      }
    });

    test('the first push to a repository by many at once makes one repository and loses no tag', async () => {
      const { anotherProcess } = registry;
      const processes = ['f1', 'f2', 'f3', 'f4'].map(anotherProcess);
      await Promise.all(processes.map((process, i) => pushImage(process, 'first/of-all', `seed ${i}`, `t${i}`)));
      const { tags } = await listTags(registry.context, named('first/of-all'), { limit: 10 });
      expect(tags).toEqual(['t0', 't1', 't2', 't3'].map(tagged));
    });
  });

  describe('immutable patterns', () => {
    test('a tag that matches can be made once, and then neither moved nor deleted', async () => {
      const { context } = registry;
      const one = await pushImage(context, 'fixed', 'one', 'latest');
      await setImmutableTags(context, named('fixed'), ['v*', 'rc-?'], ACTOR);
      await pushImage(context, 'fixed', 'one', 'v1');
      const move = codeOf(pushImage(context, 'fixed', 'two', 'v1'));
      expect(await move).toBe('DENIED');
      expect(await codeOf(deleteTag(context, named('fixed'), tagged('v1'), {}, ACTOR))).toBe('DENIED');
      expect(await codeOf(deleteManifest(context, named('fixed'), one.digest, ACTOR))).toBe('DENIED');
      expect(await pulled(context, 'fixed', 'v1')).toBe(one.digest);
    });

    test('pushing the same manifest to an immutable tag again is no change and succeeds', async () => {
      const { context } = registry;
      await pushImage(context, 'fixed-same', 'one', 'v1');
      await setImmutableTags(context, named('fixed-same'), ['v*'], ACTOR);
      await pushImage(context, 'fixed-same', 'one', 'v1');
      expect(await history('fixed-same', 'v1')).toHaveLength(1);
    });

    test('other tags move, and no pattern makes every tag movable again', async () => {
      const { context } = registry;
      await pushImage(context, 'movable', 'one', 'v1');
      await setImmutableTags(context, named('movable'), ['v*'], ACTOR);
      await pushImage(context, 'movable', 'one', 'latest');
      await pushImage(context, 'movable', 'two', 'latest');
      await setImmutableTags(context, named('movable'), [], ACTOR);
      expect(await codeOf(pushImage(context, 'movable', 'two', 'v1'))).toBe('none');
    });

    test('patterns of a repository that is not there are refused', async () => {
      expect(await codeOf(setImmutableTags(registry.context, named('no/repository'), ['*'], ACTOR))).toBe(
        'NAME_UNKNOWN',
      );
    });
  });
});
