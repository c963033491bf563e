import { afterAll, expect, test } from 'bun:test';
import { onEachDatabase } from '../../database/test-databases.ts';
import type { Digest } from '../../oci/digest.ts';
import { statBlob } from '../blobs.ts';
import {
  codeOf,
  collect,
  DAY,
  gate,
  inventory,
  MINUTE,
  named,
  nextTurn,
  openTestRegistry,
  pushBlob,
  pushImage,
  removing,
  type TestRegistry,
} from '../testing.ts';
import { verify } from '../verify.ts';
import { GarbageBusyError, takeGarbageLease } from './lease.ts';

onEachDatabase('one garbage collection at a time', (newPlace) => {
  const opened: TestRegistry[] = [];
  afterAll(() => {
    for (const registry of opened) registry.remove();
  });
  const open = async () => {
    const registry = await openTestRegistry(await newPlace());
    opened.push(registry);
    return { ...registry, other: registry.anotherProcess('p2') };
  };
  const rowOf = ({ context }: TestRegistry) =>
    context.database.read.selectFrom('leases').selectAll().where('name', '=', 'gc').executeTakeFirstOrThrow();

  test('a second one is refused while the first runs, and may run after it', async () => {
    const { context, other, advance } = await open();
    await pushBlob(context, 'app', 'alone');
    advance(DAY);
    const moment = gate();
    const first = collect(removing(context, moment.pass));
    await moment.arrived;
    await expect(collect(other)).rejects.toBeInstanceOf(GarbageBusyError);
    moment.open();
    expect((await first).result.blobs).toBe(1);
    expect((await collect(other)).result.blobs).toBe(0);
  });

  test('of two that begin at the same moment one runs', async () => {
    const { context, other } = await open();
    const outcomes = await Promise.allSettled([
      takeGarbageLease(context),
      takeGarbageLease(other),
      takeGarbageLease(context),
    ]);
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(GarbageBusyError);
    }
  });

  test('a dry run needs no lease and takes none', async () => {
    const { context, other } = await open();
    const lease = await takeGarbageLease(context);
    expect((await collect(other, { dryRun: true })).result.dryRun).toBe(true);
    await lease.release();
    await collect(other, { dryRun: true });
    expect((await takeGarbageLease(context)).release).toBeDefined();
  });

  test('one that fails lets go', async () => {
    const { context, other, advance } = await open();
    await pushBlob(context, 'app', 'alone');
    advance(DAY);
    const failing = removing(context, () => Promise.reject(new Error('EIO')));
    await expect(collect(failing)).rejects.toThrow('EIO');
    expect((await collect(other)).result.blobs).toBe(1);
  });

  test('the lease of a process that died is passed over after 20 s, with the next fence', async () => {
    const registry = await open();
    const { context, other, advance } = registry;
    await takeGarbageLease(context);
    const { fence } = await rowOf(registry);
    advance(19_000);
    await expect(takeGarbageLease(other)).rejects.toBeInstanceOf(GarbageBusyError);
    advance(2_000);
    await takeGarbageLease(other);
    expect(await rowOf(registry)).toMatchObject({ fence: fence + 1 });
  });

  test('a holder that goes on keeps it, also beyond a minute', async () => {
    const { context, other, advance } = await open();
    const lease = await takeGarbageLease(context);
    for (let i = 0; i < 5; i++) {
      advance(40_000);
      await lease.renew();
      await expect(takeGarbageLease(other)).rejects.toBeInstanceOf(GarbageBusyError);
    }
    await lease.release();
    await (await takeGarbageLease(other)).release();
  });

  test('a holder that stood still learns that another took over, and lets the other’s lease be', async () => {
    const registry = await open();
    const { context, other, advance } = registry;
    const lost = await takeGarbageLease(context);
    advance(2 * MINUTE);
    await takeGarbageLease(other);
    const { holder, until } = await rowOf(registry);
    await expect(lost.renew()).rejects.toBeInstanceOf(GarbageBusyError);
    await lost.release().catch(() => {});
    expect(await rowOf(registry)).toMatchObject({ holder, until });
  });

  test('a collector that lost its lease removes nothing more, also what was pushed again since', async () => {
    const { context, other, advance, anotherProcess } = await open();
    const contents = Array.from({ length: 5 }, (_, i) => `blob ${i}`);
    for (const content of contents) await pushBlob(context, 'app', content);
    advance(DAY);
    const asked: Digest[] = [];
    const moment = gate();
    const stalled = removing(context, async (digest) => {
      asked.push(digest);
      if (asked.length === 2) await moment.pass();
    });
    const collection = collect(stalled);
    await moment.arrived;
    advance(2 * MINUTE);
    await collect(other);
    expect((await inventory(other)).blobs.size).toBe(0);
    const client = anotherProcess('client');
    const kept: Digest[] = [];
    for (const content of contents) {
      const digest = await pushBlob(client, 'app', content);
      // The removal at which it stood still was decided before; every one after is not.
      if (!asked.includes(digest)) kept.push(digest);
    }
    moment.open();
    await expect(collection).rejects.toBeInstanceOf(GarbageBusyError);
    expect(asked).toHaveLength(2);
    expect(kept).toHaveLength(3);
    await nextTurn();
    for (const digest of kept) expect(await codeOf(statBlob(client, named('app'), digest))).toBe('none');
    const faults = (await verify(client)).faults.map((fault) => fault.digest);
    expect(faults.filter((digest) => kept.includes(digest))).toEqual([]);
  });

  test('a collector that stood still before it looked at manifests takes none that is alive now', async () => {
    const { context, other, advance } = await open();
    const { digest } = await pushImage(context, 'app', 'one');
    advance(DAY * 3);
    const moment = gate();
    const stalled = {
      ...context,
      digestsInUse: async () => {
        await moment.pass();
        return new Set<Digest>();
      },
    };
    const collection = collect(stalled);
    await moment.arrived;
    advance(2 * MINUTE);
    await collect(other);
    await pushImage(other, 'app', 'one', 'latest');
    moment.open();
    await expect(collection).rejects.toBeInstanceOf(GarbageBusyError);
    expect((await inventory(context)).manifests).toEqual(new Set([digest]));
    expect((await verify(context)).faults).toEqual([]);
  });
});
