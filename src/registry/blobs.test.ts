import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { digestOf } from '../oci/digest.ts';
import { StoreUnavailableError } from '../storage/blob-store.ts';
import { deleteBlob, mountBlob, readBlob, repositoriesWithBlob, statBlob } from './blobs.ts';
import { collectGarbage } from './garbage/collect.ts';
import {
  ACTOR,
  bytesOf,
  codeOf,
  gate,
  HOUR,
  imageOf,
  interposed,
  MINUTE,
  named,
  nextTurn,
  openTestRegistry,
  pushBlob,
  pushManifest,
  type TestRegistry,
} from './testing.ts';

onEachDatabase('blobs', (newPlace, kind) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace());
  });
  afterAll(() => registry?.remove());
  beforeEach(nextTurn);
  const linkOf = (digest: string, name: string) =>
    registry.context.database.read
      .selectFrom('repository_blobs as l')
      .innerJoin('repositories as r', 'r.id', 'l.repository_id')
      .select('l.protected_until')
      .where('l.digest', '=', digest as never)
      .where('r.name', '=', named(name))
      .executeTakeFirst();

  test('a blob can be read in the repository that it was pushed to, and in no other', async () => {
    const { context } = registry;
    const digest = await pushBlob(context, 'mine', 'content');
    const blob = await readBlob(context, named('mine'), digest);
    expect(blob.size).toBe(7);
    if (blob.kind === 'bytes') expect(await blob.bytes.text()).toBe('content');
    expect(await codeOf(readBlob(context, named('yours'), digest))).toBe('BLOB_UNKNOWN');
    expect(await codeOf(statBlob(context, named('yours'), digest))).toBe('BLOB_UNKNOWN');
  });

  test('a blob whose bytes are missing is an unavailable store and never "not there"', async () => {
    const { context, store } = registry;
    const digest = await pushBlob(context, 'damaged', 'lost content');
    await store.remove(digest);
    await expect(readBlob(context, named('damaged'), digest)).rejects.toBeInstanceOf(StoreUnavailableError);
  });

  test('asking for a blob prolongs its protection to a whole grace window, at least to half of it', async () => {
    const { context, advance } = registry;
    const digest = await pushBlob(context, 'asked', 'asked for');
    advance(10 * MINUTE);
    expect(await statBlob(context, named('asked'), digest)).toBe(9);
    expect(((await linkOf(digest, 'asked'))?.protected_until ?? 0) - context.now()).toBeGreaterThan(HOUR / 2);
    advance(40 * MINUTE);
    await nextTurn();
    await statBlob(context, named('asked'), digest);
    expect(((await linkOf(digest, 'asked'))?.protected_until ?? 0) - context.now()).toBeWithin(59 * MINUTE, HOUR + 1);
  });

  test('what was asked for is not collected within the grace window that follows', async () => {
    const own = await openTestRegistry(await newPlace());
    try {
      const digest = await pushBlob(own.context, 'app', 'base layer');
      own.advance(HOUR - MINUTE);
      await nextTurn();
      await statBlob(own.context, named('app'), digest);
      own.advance(HOUR - MINUTE);
      await collectGarbage(own.context, { dryRun: false });
      await nextTurn();
      const config = await pushBlob(own.context, 'app', 'config');
      expect(await codeOf(pushManifest(own.context, 'app', imageOf({ config, layers: [digest] }), 'latest'))).toBe(
        'none',
      );
    } finally {
      own.remove();
    }
  });

  describe('mounting', () => {
    test('makes a blob of another repository this one’s too, without a second copy', async () => {
      const { context } = registry;
      const digest = await pushBlob(context, 'from', 'shared');
      expect(await mountBlob(context, named('into'), digest, named('from'), ACTOR)).toBe(true);
      await nextTurn();
      expect(await statBlob(context, named('into'), digest)).toBe(6);
      expect((await repositoriesWithBlob(context, digest, 10)).sort()).toEqual(['from', 'into'].map(named));
    });

    test('from a repository that does not have it is false and makes no repository', async () => {
      const { context } = registry;
      const digest = await pushBlob(context, 'has-it', 'other content');
      expect(await mountBlob(context, named('would-be-new'), digest, named('has-not'), ACTOR)).toBe(false);
      expect(
        await mountBlob(context, named('would-be-new'), digestOf(bytesOf('nowhere')), named('has-it'), ACTOR),
      ).toBe(false);
      const row = await context.database.read
        .selectFrom('repositories')
        .select('id')
        .where('name', '=', named('would-be-new'))
        .executeTakeFirst();
      expect(row).toBeUndefined();
    });

    test('onto itself is success', async () => {
      const { context } = registry;
      const digest = await pushBlob(context, 'self', 'self content');
      expect(await mountBlob(context, named('self'), digest, named('self'), ACTOR)).toBe(true);
    });

    test('keeps the bytes when the source is deleted after', async () => {
      const own = await openTestRegistry(await newPlace());
      try {
        const digest = await pushBlob(own.context, 'from', 'shared');
        await mountBlob(own.context, named('into'), digest, named('from'), ACTOR);
        await deleteBlob(own.context, named('from'), digest, ACTOR);
        await collectGarbage(own.context, { dryRun: false });
        await nextTurn();
        expect((await readBlob(own.context, named('into'), digest)).size).toBe(6);
      } finally {
        own.remove();
      }
    });
  });

  describe('deleting', () => {
    test('takes the blob out of one repository alone', async () => {
      const { context } = registry;
      const digest = await pushBlob(context, 'one', 'in two');
      await pushBlob(context, 'two', 'in two');
      await deleteBlob(context, named('one'), digest, ACTOR);
      await nextTurn();
      expect(await codeOf(statBlob(context, named('one'), digest))).toBe('BLOB_UNKNOWN');
      expect(await statBlob(context, named('two'), digest)).toBe(6);
      expect(await codeOf(deleteBlob(context, named('one'), digest, ACTOR))).toBe('BLOB_UNKNOWN');
    });

    test('is refused while a manifest of the repository names it, as config or as layer', async () => {
      const { context } = registry;
      const config = await pushBlob(context, 'in-use', 'config');
      const layer = await pushBlob(context, 'in-use', 'layer');
      await pushManifest(context, 'in-use', imageOf({ config, layers: [layer] }), 'latest');
      for (const digest of [config, layer]) {
        expect(await codeOf(deleteBlob(context, named('in-use'), digest, ACTOR))).toBe('UNSUPPORTED');
        expect(await statBlob(context, named('in-use'), digest)).toBeGreaterThan(0);
      }
    });

    test('in a repository that is not there is NAME_UNKNOWN', async () => {
      expect(await codeOf(deleteBlob(registry.context, named('no/such'), digestOf(bytesOf('x')), ACTOR))).toBe(
        'NAME_UNKNOWN',
      );
    });

    test('a deleted blob can be pushed again at once', async () => {
      const { context } = registry;
      const digest = await pushBlob(context, 'again', 'again and again');
      await deleteBlob(context, named('again'), digest, ACTOR);
      await pushBlob(context, 'again', 'again and again');
      await nextTurn();
      expect(await statBlob(context, named('again'), digest)).toBe(15);
    });
  });

  describe.if(kind === 'postgres')('beside a push', () => {
    test('a blob is not deleted under a manifest that is being pushed', async () => {
      const { context, anotherProcess } = registry;
      const config = await pushBlob(context, 'under', 'config under');
      const moment = gate();
      const pusher = interposed(anotherProcess('b2'), { beforeCommit: moment.pass });
      const push = codeOf(pushManifest(pusher, 'under', imageOf({ config }), 'latest'));
      await moment.arrived;
      const deletion = codeOf(deleteBlob(context, named('under'), config, ACTOR));
      await Bun.sleep(100);
      moment.open();
      expect(await push).toBe('none');
      expect(await deletion).toBe('UNSUPPORTED');
    });

    test('a manifest that names a blob which is being deleted is refused', async () => {
      const { context, anotherProcess } = registry;
      const config = await pushBlob(context, 'going', 'config going');
      const moment = gate();
      const deleter = interposed(anotherProcess('b3'), { beforeCommit: moment.pass });
      const deletion = codeOf(deleteBlob(deleter, named('going'), config, ACTOR));
      await moment.arrived;
      const push = codeOf(pushManifest(context, 'going', imageOf({ config }), 'latest'));
      await Bun.sleep(100);
      moment.open();
      expect(await deletion).toBe('none');
      expect(await push).toBe('MANIFEST_BLOB_UNKNOWN');
    });
  });
});
