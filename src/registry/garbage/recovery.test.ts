import { afterAll, describe, expect, test } from 'bun:test';
import { eventually } from '../../../tests/support/processes.ts';
import { onEachDatabase } from '../../database/test-databases.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { deleteBlob, statBlob } from '../blobs.ts';
import type { RegistryContext, RegistryStep } from '../context.ts';
import {
  ACTOR,
  bytesOf,
  codeOf,
  collect,
  DAY,
  HOUR,
  imageOf,
  interposed,
  inventory,
  MINUTE,
  named,
  nextTurn,
  openTestRegistry,
  pushBlob,
  pushManifest,
  removing,
  type TestRegistry,
} from '../testing.ts';
import { verify } from '../verify.ts';
import { GarbageBusyError } from './lease.ts';

class Crash extends Error {}

onEachDatabase('garbage collection after a crash', (newPlace) => {
  const opened: TestRegistry[] = [];
  afterAll(() => {
    for (const registry of opened) registry.remove();
  });
  const open = async () => {
    const registry = await openTestRegistry(await newPlace());
    opened.push(registry);
    return registry;
  };
  /** A process that ends at `step`: its work goes no further. */
  const crashing = (context: RegistryContext, step: RegistryStep): RegistryContext => ({
    ...context,
    onStep: (reached) => {
      if (reached === step) throw new Crash(step);
    },
  });
  const crash = async (work: Promise<unknown>) => {
    await expect(work).rejects.toBeInstanceOf(Crash);
  };
  /** A push that finishes a removal has the lease for that moment. */
  const collectOnceFree = (context: RegistryContext) =>
    eventually('the lease is free', 30_000, async () => {
      try {
        await collect(context);
        return true;
      } catch (error) {
        if (error instanceof GarbageBusyError) return false;
        throw error;
      }
    });
  const content = 'half done';
  const digest = digestOf(bytesOf(content));
  const stateOf = async ({ database }: RegistryContext, of: Digest = digest) =>
    (await database.read.selectFrom('blobs').select('state').where('digest', '=', of).executeTakeFirst())?.state;
  const nothing = { manifests: new Set<Digest>(), blobs: new Set<Digest>(), files: new Set<Digest>() };
  const hasIt = async (context: RegistryContext, name: string) => {
    await nextTurn();
    return (await codeOf(statBlob(context, named(name), digest))) === 'none';
  };

  describe('of a push', () => {
    test.each(['blob-claimed', 'blob-committed'] as const)(
      'at %s: what it left is collected after its grace window',
      async (step) => {
        const { context, advance, anotherProcess } = await open();
        await crash(pushBlob(crashing(anotherProcess('dead'), step), 'app', content));
        expect(await stateOf(context)).toBe('pending');
        expect((await collect(context)).items).toEqual([]);
        expect(await stateOf(context)).toBe('pending');
        advance(2 * HOUR);
        expect((await collect(context)).result.blobs).toBe(1);
        advance(2 * DAY);
        await collect(context);
        expect(await inventory(context)).toEqual(nothing);
      },
    );

    test.each(['blob-claimed', 'blob-committed'] as const)('at %s: the same push works at once', async (step) => {
      const { context, anotherProcess } = await open();
      await crash(pushBlob(crashing(anotherProcess('dead'), step), 'app', content));
      await pushBlob(context, 'app', content);
      expect(await stateOf(context)).toBe('stored');
      expect(await hasIt(context, 'app')).toBe(true);
      expect((await verify(context)).faults).toEqual([]);
    });

    test('at manifest-written: nothing of it is there, and its blobs are kept for the next try', async () => {
      const { context, anotherProcess } = await open();
      await pushBlob(context, 'app', content);
      const dead = crashing(anotherProcess('dead'), 'manifest-written');
      await crash(pushManifest(dead, 'app', imageOf({ config: digest }), 'latest'));
      expect((await inventory(context)).manifests.size).toBe(0);
      await collect(context);
      expect(await codeOf(pushManifest(context, 'app', imageOf({ config: digest }), 'latest'))).toBe('none');
    });
  });

  describe('of a collection', () => {
    const condemned = async (step: 'blob-condemned' | 'blob-removed') => {
      const registry = await open();
      const { context, advance, anotherProcess } = registry;
      await pushBlob(context, 'app', content);
      advance(DAY);
      await crash(collect(crashing(anotherProcess('dead'), step)));
      return registry;
    };

    test.each(['blob-condemned', 'blob-removed'] as const)('at %s: the next one finishes it', async (step) => {
      const { context } = await condemned(step);
      expect(await stateOf(context)).toBe('deleting');
      expect((await verify(context)).faults).toEqual([]);
      expect((await collect(context)).result).toMatchObject({ blobs: 1, bytes: content.length });
      expect(await inventory(context)).toEqual(nothing);
    });

    test.each(['blob-condemned', 'blob-removed'] as const)(
      'at %s: a push of the same bytes waits for the next one',
      async (step) => {
        const { context, anotherProcess } = await condemned(step);
        const push = pushBlob(anotherProcess('client'), 'app', content);
        await Bun.sleep(100);
        await collectOnceFree(context);
        await push;
        expect(await hasIt(context, 'app')).toBe(true);
        expect((await inventory(context)).files).toContain(digest);
        expect((await verify(context)).faults).toEqual([]);
      },
    );

    test.each(['blob-condemned', 'blob-removed'] as const)(
      'at %s: a push is not refused for want of a next one',
      async (step) => {
        const { context, advance, anotherProcess } = await condemned(step);
        // The dead collector's lease is over.
        advance(2 * MINUTE);
        const push = codeOf(pushBlob(anotherProcess('client'), 'app', content));
        await Bun.sleep(100);
        advance(MINUTE);
        expect(await push).toBe('none');
        expect(await hasIt(context, 'app')).toBe(true);
        expect((await verify(context)).faults).toEqual([]);
      },
    );

    test('that cannot remove some bytes: what it had removed is forgotten, and can be pushed at once', async () => {
      const { context, advance, anotherProcess } = await open();
      const contents = ['one', 'two', 'three'];
      for (const each of contents) await pushBlob(context, 'app', each);
      advance(DAY);
      const removed: Digest[] = [];
      const failing = removing(anotherProcess('failing'), async (of) => {
        if (removed.length === 1) throw new Crash('EIO');
        removed.push(of);
      });
      await crash(collect(failing));
      const [first] = removed;
      const again = contents.find((each) => digestOf(bytesOf(each)) === first) ?? '';
      const push = codeOf(pushBlob(context, 'app', again));
      await Bun.sleep(100);
      advance(MINUTE);
      expect(await push).toBe('none');
      await collect(context);
      expect((await inventory(context)).files).toEqual(new Set([first as Digest]));
      expect((await verify(context)).faults).toEqual([]);
    });
  });

  describe('bytes that no row names', () => {
    const orphan = async ({ store }: TestRegistry) => {
      const writer = await store.openUpload('orphan-upload', 0);
      await writer.write(bytesOf(content));
      await writer.close();
      await store.commitUpload('orphan-upload', digest);
    };

    test('are removed after the grace window, and not before', async () => {
      const registry = await open();
      await orphan(registry);
      const { context, advance } = registry;
      expect((await collect(context)).items).toEqual([]);
      expect((await verify(context)).orphans).toBe(1);
      advance(HOUR + MINUTE);
      expect((await collect(context, { dryRun: true })).result).toMatchObject({ blobs: 1, bytes: content.length });
      const { result, items } = await collect(context);
      expect(items).toMatchObject([{ kind: 'orphan', digest, size: content.length }]);
      expect(result).toMatchObject({ blobs: 1, bytes: content.length });
      expect(await inventory(context)).toEqual(nothing);
    });

    test('are left when they are pushed between being found and being removed', async () => {
      const registry = await open();
      await orphan(registry);
      const { context, advance, anotherProcess } = registry;
      advance(HOUR + MINUTE);
      let looking = false;
      let pushed = false;
      // The first transaction after this question is the one that condemns the orphan: nothing else is there.
      const digestsInUse = async () => {
        looking = true;
        return new Set<Digest>();
      };
      const beforeTransaction = async () => {
        if (!looking || pushed) return;
        pushed = true;
        await pushBlob(anotherProcess('client'), 'app', content);
      };
      const { result } = await collect(interposed({ ...context, digestsInUse }, { beforeTransaction }));
      expect(pushed).toBe(true);
      expect(await hasIt(context, 'app')).toBe(true);
      expect((await inventory(context)).files).toContain(digest);
      expect(result.blobs).toBe(0);
    });

    test('pushed while they are removed are stored anew', async () => {
      const registry = await open();
      await orphan(registry);
      const { context, advance, anotherProcess } = registry;
      advance(HOUR + MINUTE);
      let push: Promise<unknown> | undefined;
      const slow = removing(context, async () => {
        push ??= pushBlob(anotherProcess('client'), 'app', content);
        await Bun.sleep(80);
      });
      await collect(slow);
      await push;
      expect(push).toBeDefined();
      expect(await hasIt(context, 'app')).toBe(true);
      expect((await verify(context)).faults).toEqual([]);
    });
  });

  test('a blob deleted by a client and pushed again at once is stored, whatever collection does', async () => {
    const { context, advance, anotherProcess } = await open();
    await pushBlob(context, 'app', content);
    advance(DAY);
    await deleteBlob(context, named('app'), digest, ACTOR);
    await Promise.all([collect(context), pushBlob(anotherProcess('client'), 'app', content)]);
    expect(await hasIt(context, 'app')).toBe(true);
    expect((await verify(context)).faults).toEqual([]);
  });
});
