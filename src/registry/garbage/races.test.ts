import { afterAll, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../../database/test-databases.ts';
import type { Digest } from '../../oci/digest.ts';
import { parseReference } from '../../oci/names.ts';
import { mountBlob, statBlob } from '../blobs.ts';
import type { RegistryContext } from '../context.ts';
import { statManifest } from '../manifests.ts';
import { deleteTag, rollbackTag } from '../tags.ts';
import {
  ACTOR,
  bodyOf,
  bytesOf,
  codeOf,
  collect,
  DAY,
  gate,
  imageOf,
  indexOf,
  interposed,
  inventory,
  MINUTE,
  named,
  nextTurn,
  openTestRegistry,
  pushBlob,
  pushImage,
  pushManifest,
  removing,
  type TestRegistry,
  tagged,
} from '../testing.ts';
import { appendUpload, startUpload } from '../uploads.ts';
import { verify } from '../verify.ts';
import { GarbageBusyError } from './lease.ts';
import type { GarbageItem } from './run.ts';

const LONG = 3 * DAY;

/** Each line of the table "A push beside it" in protocol.md, at the worst moment. */
onEachDatabase('garbage collection beside clients', (newPlace, kind) => {
  const opened: TestRegistry[] = [];
  afterAll(() => {
    for (const registry of opened) registry.remove();
  });
  const open = async () => {
    const registry = await openTestRegistry(await newPlace());
    opened.push(registry);
    return { ...registry, client: registry.anotherProcess('client') };
  };

  /** Collects; once `kind` has been named, a client does something before the transaction that would remove it. */
  const collectWith = async (context: RegistryContext, moment: GarbageItem['kind'], client: () => Promise<unknown>) => {
    let armed = false;
    let met = false;
    const beforeTransaction = async () => {
      if (!armed || met) return;
      met = true;
      await nextTurn();
      await client();
    };
    const found = await collect(interposed(context, { beforeTransaction }), {
      moment: (item) => {
        armed ||= item.kind === moment;
      },
    });
    // Otherwise nothing happened beside the collection, and the test would show nothing.
    expect(met).toBe(true);
    return found;
  };
  const expectWhole = async (context: RegistryContext) => expect((await verify(context)).faults).toEqual([]);
  const left = async (context: RegistryContext) => (await inventory(context)).manifests;

  describe('a manifest that was found dead, and then', () => {
    const cases: Record<
      string,
      (client: RegistryContext, image: { digest: Digest; config: Digest }) => Promise<unknown>
    > = {
      'is asked for': (client, { digest }) => statManifest(client, named('app'), parseReference(digest)),
      'is pushed again': (client) => pushImage(client, 'app', 'one', 'latest'),
      'is named by an index': (client, { digest }) => pushManifest(client, 'app', indexOf([digest]), 'latest'),
      'is rolled back to': (client, { digest }) =>
        rollbackTag(client, named('app'), tagged('other'), { to: digest, actor: ACTOR }),
    };
    test.each(Object.keys(cases))('%s, stays with all that it names', async (name) => {
      const { context, client, advance } = await open();
      const image = await pushImage(context, 'app', 'one');
      await pushImage(context, 'app', 'two', 'other');
      advance(LONG);
      const { result } = await collectWith(context, 'manifest', () => cases[name]?.(client, image) ?? Promise.reject());
      expect(result.manifests).toBe(0);
      expect(await left(context)).toContain(image.digest);
      await expectWhole(context);
      await nextTurn();
      expect(await codeOf(statBlob(context, named('app'), image.layer))).toBe('none');
    });

    test('has its tag deleted, stays: it is in the history now', async () => {
      const { context, client, advance } = await open();
      const { digest } = await pushImage(context, 'app', 'one');
      advance(LONG);
      await collectWith(context, 'manifest', async () => {
        await pushImage(client, 'app', 'one', 'brief');
        await deleteTag(client, named('app'), tagged('brief'), {}, ACTOR);
        await client.database.transaction((tx) => tx.updateTable('manifests').set({ protected_until: 0 }).execute());
      });
      expect(await left(context)).toContain(digest);
    });

    test('becomes a subject, may go: a subject need not be there', async () => {
      const { context, client, advance } = await open();
      const { digest, config } = await pushImage(context, 'app', 'one');
      advance(LONG);
      let referrer: Digest | undefined;
      await collectWith(context, 'manifest', async () => {
        await pushBlob(client, 'app', 'config of one');
        referrer = await pushManifest(client, 'app', imageOf({ config, subject: digest }));
      });
      expect(await left(context)).toEqual(new Set([referrer as Digest]));
      await expectWhole(context);
    });
  });

  describe('an index that was found dead with its entries', () => {
    const prepare = async () => {
      const registry = await open();
      const { context, advance } = registry;
      const amd64 = await pushImage(context, 'app', 'amd64');
      const arm64 = await pushImage(context, 'app', 'arm64');
      const index = await pushManifest(context, 'app', indexOf([amd64.digest, arm64.digest]));
      const referrer = await pushManifest(context, 'app', imageOf({ config: amd64.config, subject: index }));
      advance(LONG);
      return { ...registry, amd64, arm64, index, referrer };
    };

    test('and is asked for, stays with all entries and referrers', async () => {
      const { context, client, index, amd64, arm64, referrer } = await prepare();
      await collectWith(context, 'manifest', () => statManifest(client, named('app'), parseReference(index)));
      expect(await left(context)).toEqual(new Set([index, referrer, amd64.digest, arm64.digest]));
      await expectWhole(context);
    });

    test('one of which is asked for, goes without that one', async () => {
      const { context, client, amd64 } = await prepare();
      await collectWith(context, 'manifest', () => statManifest(client, named('app'), parseReference(amd64.digest)));
      expect(await left(context)).toEqual(new Set([amd64.digest]));
      await expectWhole(context);
    });

    test('one of which an index of another client names, goes without that one', async () => {
      const { context, client, arm64 } = await prepare();
      let other: Digest | undefined;
      await collectWith(context, 'manifest', async () => {
        other = await pushManifest(client, 'app', indexOf([arm64.digest], { of: 'another' }), 'latest');
      });
      expect(await left(context)).toEqual(new Set([arm64.digest, other as Digest]));
      await expectWhole(context);
    });
  });

  describe('a blob that no manifest named, and that then', () => {
    const cases: Record<string, (client: RegistryContext, digest: Digest) => Promise<unknown>> = {
      'is asked for': (client, digest) => statBlob(client, named('app'), digest),
      'is pushed again': (client) => pushBlob(client, 'app', 'alone'),
      'is mounted elsewhere': (client, digest) => mountBlob(client, named('other'), digest, named('app'), ACTOR),
      'is named by a manifest': (client, digest) => pushManifest(client, 'app', imageOf({ config: digest }), 'latest'),
    };
    test.each(Object.keys(cases))('%s, stays', async (name) => {
      const { context, client, advance } = await open();
      const digest = await pushBlob(context, 'app', 'alone');
      advance(LONG);
      await collectWith(context, 'link', () => cases[name]?.(client, digest) ?? Promise.reject());
      await nextTurn();
      expect(await codeOf(statBlob(context, named('app'), digest))).toBe('none');
      expect((await inventory(context)).files).toContain(digest);
      await expectWhole(context);
    });
  });

  test('a blob that left its last repository and is pushed to another before it is condemned, stays', async () => {
    const { context, client, advance } = await open();
    const digest = await pushBlob(context, 'app', 'alone');
    advance(LONG);
    let transactions = 0;
    let pushedAt = 0;
    const beforeTransaction = async () => {
      transactions++;
      const links = await context.database.read.selectFrom('repository_blobs').select('digest').execute();
      if (links.length > 0 || pushedAt > 0) return;
      pushedAt = transactions;
      await pushBlob(client, 'other', 'alone');
    };
    await collect(interposed(context, { beforeTransaction }));
    expect(pushedAt).toBeGreaterThan(0);
    await nextTurn();
    expect(await codeOf(statBlob(context, named('other'), digest))).toBe('none');
    await expectWhole(context);
  });

  /** A collection that has looked at the only blob for the last time, and waits before it removes the bytes. */
  const collectUntilRemoval = async () => {
    const registry = await open();
    const digest = await pushBlob(registry.context, 'app', 'alone');
    registry.advance(LONG);
    const moment = gate();
    const collection = collect(removing(registry.context, moment.pass));
    await moment.arrived;
    return { ...registry, digest, moment, collection };
  };

  test('a push of a blob whose bytes are being removed waits, and then stores it anew', async () => {
    const { context, client, digest, moment, collection } = await collectUntilRemoval();
    expect(await codeOf(statBlob(client, named('app'), digest))).toBe('BLOB_UNKNOWN');
    expect(await mountBlob(client, named('other'), digest, named('app'), ACTOR)).toBe(false);
    let pushed = false;
    const push = pushBlob(client, 'other', 'alone').then(() => {
      pushed = true;
    });
    await Bun.sleep(150);
    expect(pushed).toBe(false);
    moment.open();
    expect((await collection).result.blobs).toBe(1);
    await push;
    await nextTurn();
    expect(await codeOf(statBlob(client, named('other'), digest))).toBe('none');
    expect((await inventory(context)).files).toContain(digest);
    await expectWhole(context);
  });

  test('a collector that stood still between its check and the removal takes no bytes that were pushed since', async () => {
    const { context, client, advance, digest, moment, collection } = await collectUntilRemoval();
    // Its lease is over; another one takes over and finishes.
    advance(MINUTE);
    expect((await collect(client)).result.blobs).toBe(1);
    await pushBlob(client, 'other', 'alone');
    moment.open();
    await expect(collection).rejects.toBeInstanceOf(GarbageBusyError);
    await nextTurn();
    expect(await codeOf(statBlob(client, named('other'), digest))).toBe('none');
    await expectWhole(context);
    expect((await inventory(context)).files).toContain(digest);
  });

  test('an upload that was found expired and then goes on, stays', async () => {
    const { context, client, advance, store } = await open();
    const { id } = await startUpload(context, named('app'), ACTOR);
    advance(LONG);
    const chunk = { body: bodyOf([bytesOf('late')]) };
    const { result } = await collectWith(context, 'upload', () => appendUpload(client, named('app'), id, chunk));
    expect(result.uploads).toBe(0);
    expect(await store.uploadSize(id)).toBe(4);
  });

  // On SQLite one transaction ends before the next begins; here two are open at once.
  describe.if(kind === 'postgres')('in transactions that overlap', () => {
    /** Collects with a stop before the commit of the transaction that follows the first thing of `kind`. */
    const collectUntilCommit = (context: RegistryContext, moment: GarbageItem['kind']) => {
      const stop = gate();
      let armed = false;
      let passed = false;
      const beforeCommit = async () => {
        if (!armed || passed) return;
        passed = true;
        await stop.pass();
      };
      const collection = collect(interposed(context, { beforeCommit }), {
        moment: (item) => {
          armed ||= item.kind === moment;
        },
      });
      return { collection, stop };
    };

    test('a manifest that names what is being removed is refused, and nothing dangles', async () => {
      const { context, client, advance } = await open();
      const digest = await pushBlob(context, 'app', 'alone');
      const child = await pushImage(context, 'app', 'child');
      advance(LONG);
      const { collection, stop } = collectUntilCommit(context, 'manifest');
      await stop.arrived;
      const push = codeOf(pushManifest(client, 'app', indexOf([child.digest]), 'latest'));
      await Bun.sleep(100);
      stop.open();
      await collection;
      expect(await push).toBe('MANIFEST_BLOB_UNKNOWN');
      expect(await codeOf(pushManifest(client, 'app', imageOf({ config: digest }), 'latest'))).toBe(
        'MANIFEST_BLOB_UNKNOWN',
      );
      await expectWhole(context);
    });

    test('a blob named by a manifest that is being committed is not unlinked', async () => {
      const { context, client, advance } = await open();
      const digest = await pushBlob(context, 'app', 'alone');
      advance(LONG);
      const stop = gate();
      const pusher = interposed(client, { beforeCommit: stop.pass });
      const push = codeOf(pushManifest(pusher, 'app', imageOf({ config: digest }), 'latest'));
      await stop.arrived;
      const collection = collect(context);
      await Bun.sleep(150);
      stop.open();
      expect(await push).toBe('none');
      expect((await collection).result.links).toBe(0);
      await expectWhole(context);
    });

    test('a manifest that a tag is being moved to is not removed', async () => {
      const { context, client, advance } = await open();
      const { digest } = await pushImage(context, 'app', 'one');
      await pushImage(context, 'app', 'two', 'latest');
      advance(LONG);
      const stop = gate();
      const roller = interposed(client, { beforeCommit: stop.pass });
      const rollback = codeOf(rollbackTag(roller, named('app'), tagged('latest'), { to: digest, actor: ACTOR }));
      await stop.arrived;
      const collection = collect(context);
      await Bun.sleep(150);
      stop.open();
      expect(await rollback).toBe('none');
      expect((await collection).result.manifests).toBe(0);
      await expectWhole(context);
    });

    test('a blob that is being linked to another repository is not condemned', async () => {
      const { context, client, advance } = await open();
      const digest = await pushBlob(context, 'app', 'alone');
      advance(LONG);
      const stop = gate();
      let linking = false;
      const mounter = interposed(client, { beforeCommit: stop.pass });
      const mount = mountBlob(mounter, named('other'), digest, named('app'), ACTOR).then((mounted) => {
        linking = mounted;
      });
      await stop.arrived;
      const collection = collect(context);
      await Bun.sleep(150);
      stop.open();
      await mount;
      await collection;
      expect(linking).toBe(true);
      await nextTurn();
      expect(await codeOf(statBlob(context, named('other'), digest))).toBe('none');
      await expectWhole(context);
    });
  });
});
