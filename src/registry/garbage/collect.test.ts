import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../../database/test-databases.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { parseReference } from '../../oci/names.ts';
import { deleteBlob, mountBlob, statBlob } from '../blobs.ts';
import { deleteManifest, statManifest } from '../manifests.ts';
import { deleteTag } from '../tags.ts';
import {
  ACTOR,
  bodyOf,
  bytesOf,
  collect,
  DAY,
  HOUR,
  imageOf,
  indexOf,
  inventory,
  MINUTE,
  named,
  nextTurn,
  openTestRegistry,
  pulled,
  pushBlob,
  pushImage,
  pushManifest,
  type TestRegistry,
  tagged,
} from '../testing.ts';
import { appendUpload, startUpload } from '../uploads.ts';
import { verify } from '../verify.ts';

/** Long enough for every grace window and every history of `POLICY` to be over. */
const LONG = 3 * DAY;

onEachDatabase('garbage collection', (newPlace) => {
  let registry: TestRegistry;
  const opened: TestRegistry[] = [];
  afterAll(() => {
    for (const each of opened) each.remove();
  });
  const open = async (...args: Parameters<typeof openTestRegistry> extends [unknown, ...infer Rest] ? Rest : never) => {
    const made = await openTestRegistry(await newPlace(), ...args);
    opened.push(made);
    return made;
  };
  const untag = (name: string, tag: string, { context } = registry) =>
    deleteTag(context, named(name), tagged(tag), {}, ACTOR);
  const expectWhole = async ({ context } = registry) => expect((await verify(context)).faults).toEqual([]);

  describe('keeps', () => {
    const kept = new Map<string, Digest[]>();
    const gone = new Map<string, Digest[]>();
    let left: Awaited<ReturnType<typeof inventory>>;
    let inUse: Digest | undefined;

    // One registry with a repository for each root, collected once: the clock moves for all of them.
    beforeAll(async () => {
      registry = await open();
      const { context, advance } = registry;
      const image = async (name: string, seed: string, tag?: string) => {
        const { digest, config, layer } = await pushImage(context, name, `${name} ${seed}`, tag);
        return [digest, config, layer];
      };
      kept.set('a tag', await image('tagged', 'one', 'latest'));
      gone.set('no root', await image('untagged', 'one'));
      const used = await image('in-use', 'one');
      inUse = used[0];
      kept.set('what is in use', used);

      const entries = [await image('index', 'amd64'), await image('index', 'arm64')];
      const inner = await pushManifest(context, 'index', indexOf([entries[0]?.[0] as Digest]));
      kept.set('an index', [
        ...entries.flat(),
        inner,
        await pushManifest(context, 'index', indexOf([inner, entries[1]?.[0] as Digest]), 'latest'),
      ]);

      const subject = await image('referrers', 'subject', 'latest');
      const config = await pushBlob(context, 'referrers', '{}');
      const referrer = await pushManifest(context, 'referrers', imageOf({ config, subject: subject[0] as Digest }));
      const second = await pushManifest(context, 'referrers', imageOf({ config, subject: referrer }));
      kept.set('a subject', [...subject, config, referrer, second]);

      const dead = [await image('dead-index', 'amd64'), await image('dead-index', 'arm64')].flat();
      const attested = await pushManifest(
        context,
        'dead-index',
        imageOf({ config: dead[1] as Digest, subject: dead[0] as Digest }),
      );
      const deadIndex = await pushManifest(context, 'dead-index', indexOf([dead[0], dead[3]] as Digest[]), 'latest');
      await untag('dead-index', 'latest');
      gone.set('an index that nothing names, its entries and what refers to them', [...dead, attested, deadIndex]);

      const child = await image('child', 'one', 'child');
      const index = await pushManifest(context, 'child', indexOf([child[0] as Digest]), 'latest');
      await untag('child', 'latest');
      kept.set('an entry that has a tag of its own', child);
      gone.set('the index around it', [index]);

      gone.set('a tag’s former manifest after the history window', await image('moved-long-ago', 'one', 'latest'));
      await image('moved-long-ago', 'two', 'latest');
      const former = await image('moved', 'one', 'latest');
      const deleted = await image('deleted-tag', 'one', 'latest');
      const asked = await image('asked', 'one');
      gone.set('a blob that no manifest named in its grace window', [await pushBlob(context, 'blobs', 'never named')]);

      advance(LONG);
      await image('moved', 'two', 'latest');
      await untag('deleted-tag', 'latest');
      kept.set('a tag’s former manifest within the history window', former);
      kept.set('a deleted tag’s manifest within the history window', deleted);
      advance(DAY - HOUR / 2);
      await statManifest(context, named('asked'), parseReference(asked[0] as string));
      kept.set('a manifest that was asked for', asked);
      kept.set('a manifest pushed by digest in the grace window', await image('fresh', 'one'));
      kept.set('a blob in the grace window', [await pushBlob(context, 'blobs', 'soon to be named')]);
      await collect({ ...context, digestsInUse: async () => new Set(inUse === undefined ? [] : [inUse]) });
      left = await inventory(context);
    });

    test.each([
      'a tag',
      'an index',
      'a subject',
      'what is in use',
      'an entry that has a tag of its own',
      'a tag’s former manifest within the history window',
      'a deleted tag’s manifest within the history window',
      'a manifest that was asked for',
      'a manifest pushed by digest in the grace window',
      'a blob in the grace window',
    ])('%s and all that it reaches', (root) => {
      const digests = kept.get(root) ?? [];
      expect(digests.length).toBeGreaterThan(0);
      for (const digest of digests) {
        const row = left.manifests.has(digest) || left.blobs.has(digest);
        expect({ digest, row }).toEqual({ digest, row: true });
        if (left.blobs.has(digest)) expect(left.files).toContain(digest);
      }
    });

    test.each([
      'no root',
      'an index that nothing names, its entries and what refers to them',
      'the index around it',
      'a tag’s former manifest after the history window',
      'a blob that no manifest named in its grace window',
    ])('nothing of %s', (what) => {
      const digests = gone.get(what) ?? [];
      expect(digests.length).toBeGreaterThan(0);
      for (const digest of digests) {
        const found = [left.manifests, left.blobs, left.files].map((set) => set.has(digest));
        expect({ digest, found }).toEqual({ digest, found: [false, false, false] });
      }
    });

    test('a whole registry: every byte, manifest and tag that is left is right, and a second run finds nothing', async () => {
      await expectWhole();
      const again = await collect({ ...registry.context, digestsInUse: async () => new Set([inUse as Digest]) });
      expect(again.items).toEqual([]);
      expect(left.files).toEqual(left.blobs);
    });
  });

  test('manifests that are each other’s subjects go together', async () => {
    const { context, advance } = await open();
    const { digest: one } = await pushImage(context, 'cycle', 'one');
    const { digest: two } = await pushImage(context, 'cycle', 'two');
    const subjects = (first: Digest, second: Digest) =>
      context.database.transaction((tx) =>
        tx.updateTable('manifests').set({ subject: second }).where('digest', '=', first).execute(),
      );
    // No bytes can hash so, but a row can be damaged.
    await subjects(one, two);
    await subjects(two, one);
    await collect(context);
    expect((await inventory(context)).manifests.size).toBe(2);
    advance(LONG);
    expect((await collect(context)).result.manifests).toBe(2);
    expect((await inventory(context)).files.size).toBe(0);
  });

  test('says what it removed, how many and how many bytes', async () => {
    const own = await open();
    const { context, advance } = own;
    const { digest, config, layer } = await pushImage(context, 'app', 'seed', 'latest');
    await deleteManifest(context, named('app'), digest, ACTOR);
    const second = await pushImage(context, 'app', 'other', 'latest');
    await untag('app', 'latest', own);
    advance(LONG);
    const { result, items } = await collect(context);
    const blobs = [config, layer, second.config, second.layer];
    const bytes = ['config of seed', 'layer of seed', 'config of other', 'layer of other'].join('').length;
    expect(result).toMatchObject({ dryRun: false, uploads: 0, manifests: 1, links: 4, blobs: 4, bytes });
    const digests = (kind: string) => items.filter((item) => item.kind === kind).map((item) => item.digest);
    expect(digests('manifest')).toEqual([second.digest]);
    expect(digests('link').sort()).toEqual([...blobs].sort());
    expect(digests('blob').sort()).toEqual([...blobs].sort());
    expect(items.every((item) => item.why !== '')).toBe(true);
  });

  describe('a blob that several repositories have', () => {
    test('leaves the ones that do not name it, and stays for the one that does', async () => {
      const own = await open();
      const { context, advance } = own;
      const { layer } = await pushImage(context, 'names', 'shared', 'latest');
      await mountBlob(context, named('mounted'), layer, named('names'), ACTOR);
      await pushBlob(context, 'pushed', 'layer of shared');
      advance(LONG);
      const { result } = await collect(context);
      expect(result).toMatchObject({ manifests: 0, links: 2, blobs: 0 });
      expect((await inventory(context)).files).toContain(layer);
      await expectWhole(own);
      await untag('names', 'latest', own);
      advance(LONG);
      expect((await collect(context)).result).toMatchObject({ manifests: 1, links: 2, blobs: 2 });
      expect((await inventory(context)).files.size).toBe(0);
    });

    test('is removed at once when it was deleted everywhere and its grace window is over', async () => {
      const { context, advance } = await open();
      const digest = await pushBlob(context, 'one', 'deleted');
      await mountBlob(context, named('two'), digest, named('one'), ACTOR);
      await deleteBlob(context, named('one'), digest, ACTOR);
      await deleteBlob(context, named('two'), digest, ACTOR);
      await collect(context);
      expect((await inventory(context)).files).toContain(digest);
      advance(2 * HOUR);
      expect((await collect(context)).result).toMatchObject({ links: 0, blobs: 1, bytes: 7 });
      expect(await inventory(context)).toEqual({ manifests: new Set(), blobs: new Set(), files: new Set() });
    });

    test('that was asked for is kept for the grace window, and then named', async () => {
      const { context, advance } = await open();
      const digest = await pushBlob(context, 'app', 'asked for');
      advance(50 * MINUTE);
      await nextTurn();
      await statBlob(context, named('app'), digest);
      advance(50 * MINUTE);
      expect((await collect(context)).items).toEqual([]);
      advance(11 * MINUTE);
      expect((await collect(context)).result).toMatchObject({ links: 1, blobs: 1 });
    });
  });

  describe('an upload', () => {
    test('that nobody continued goes with its bytes, one that got bytes since stays', async () => {
      const { context, advance, store } = await open();
      const append = (id: string) => appendUpload(context, named('app'), id, { body: bodyOf([bytesOf('part')]) });
      const ids = [];
      for (let i = 0; i < 3; i++) ids.push((await startUpload(context, named('app'), ACTOR)).id);
      const [empty = '', old = '', continued = ''] = ids;
      await append(old);
      await append(continued);
      advance(DAY - HOUR);
      await append(continued);
      expect((await collect(context)).result.uploads).toBe(0);
      advance(2 * HOUR);
      const { result, items } = await collect(context);
      expect(result.uploads).toBe(2);
      expect(items.map((item) => item.upload).sort()).toEqual([empty, old].sort());
      expect(await store.uploadSize(old)).toBeUndefined();
      expect(await store.uploadSize(continued)).toBe(8);
    });

    test('that is being written is left, however long it takes', async () => {
      const { context, advance, store } = await open();
      const { id } = await startUpload(context, named('app'), ACTOR);
      const body = bodyOf([bytesOf('slow')], 'hang');
      const abort = new AbortController();
      const request = appendUpload(context, named('app'), id, { body, signal: abort.signal }).catch(() => {});
      while ((await store.uploadSize(id)) !== 4) await Bun.sleep(5);
      // Beyond the expiry, while the holder is known to live.
      await context.database.transaction((tx) => tx.updateTable('uploads').set({ touched_at: 0 }).execute());
      advance(1);
      expect((await collect(context)).result.uploads).toBe(0);
      expect((await collect(context, { dryRun: true })).result.uploads).toBe(0);
      abort.abort(new Error('the client went away'));
      await request;
      expect(await store.uploadSize(id)).toBe(4);
    });

    test('whose row is gone leaves its bytes only until it expires', async () => {
      const { context, advance, store } = await open();
      await (await store.openUpload('left-over', 0)).close();
      expect((await collect(context)).items).toEqual([]);
      advance(DAY + MINUTE);
      expect((await collect(context)).items).toMatchObject([{ kind: 'upload', upload: 'left-over' }]);
      expect(await store.uploadSize('left-over')).toBeUndefined();
    });
  });

  test('works while nothing is there', async () => {
    const { context } = await open();
    expect((await collect(context)).result).toMatchObject({ uploads: 0, manifests: 0, links: 0, blobs: 0, bytes: 0 });
    expect((await collect(context, { dryRun: true })).items).toEqual([]);
  });

  test('fails, and removes nothing, when it cannot be told what is in use', async () => {
    const { context, advance } = await open();
    await pushImage(context, 'app', 'one');
    advance(LONG);
    const before = await inventory(context);
    const silent = { ...context, digestsInUse: () => Promise.reject(new Error('no answer')) };
    await expect(collect(silent)).rejects.toThrow('no answer');
    expect(await inventory(context)).toEqual(before);
  });

  test('keeps what a sha512 digest names', async () => {
    const { context, advance } = await open();
    const config = await pushBlob(context, 'app', 'config');
    const document = imageOf({ config });
    const digest = digestOf(bytesOf(JSON.stringify(document)), 'sha512');
    await pushManifest(context, 'app', document, digest);
    await pushManifest(context, 'app', indexOf([digest]), 'latest');
    advance(LONG);
    expect((await collect(context)).items).toEqual([]);
    expect(await pulled(context, 'app', digest)).toBe(digest);
  });
});
