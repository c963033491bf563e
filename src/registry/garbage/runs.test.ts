import { afterAll, expect, test } from 'bun:test';
import { onEachDatabase } from '../../database/test-databases.ts';
import type { RegistryContext } from '../context.ts';
import {
  ACTOR,
  codeOf,
  DAY,
  gate,
  MINUTE,
  openTestRegistry,
  pushBlob,
  pushImage,
  removing,
  type TestRegistry,
} from '../testing.ts';
import { GarbageBusyError, takeGarbageLease } from './lease.ts';
import { collectRecorded, findRun, listRuns, loseRun, requestRun } from './runs.ts';

onEachDatabase('garbage collections that are written down', (newPlace) => {
  const opened: TestRegistry[] = [];
  afterAll(() => {
    for (const registry of opened) registry.remove();
  });
  const open = async () => {
    const registry = await openTestRegistry(await newPlace());
    opened.push(registry);
    return registry;
  };
  const all = async (context: RegistryContext) => (await listRuns(context, { before: undefined, limit: 1_000 })).runs;
  const byHand = { dryRun: false, startedBy: 'command line' };

  test('one that was asked for is running, then done with what it removed', async () => {
    const { context, advance } = await open();
    const digest = await pushBlob(context, 'app', 'alone');
    advance(DAY);
    const asked = await requestRun(context, false, ACTOR);
    expect(asked).toMatchObject({ dryRun: false, startedBy: 'alice', state: 'running', finishedAt: null });
    expect(await all(context)).toEqual([asked]);
    await collectRecorded(context, { ...byHand, run: asked.id });
    const done = await findRun(context, asked.id);
    expect(done).toMatchObject({
      state: 'done',
      error: null,
      result: { uploads: 0, manifests: 0, links: 1, blobs: 1, bytes: 5 },
      items: [],
    });
    expect(done?.finishedAt).toBeGreaterThanOrEqual(asked.startedAt);
    expect(await context.store.stat(digest)).toBeUndefined();
  });

  test('a dry run writes down what would go and why, at most a thousand of it, and removes nothing', async () => {
    const { context, advance } = await open();
    const { digest, layer } = await pushImage(context, 'app', 'one');
    advance(DAY);
    const few = await requestRun(context, true, ACTOR);
    await collectRecorded(context, { dryRun: true, run: few.id, startedBy: 'alice' });
    const found = await findRun(context, few.id);
    expect(found?.result).toMatchObject({ manifests: 1, links: 2, blobs: 2 });
    const of = (kind: string) => found?.items.filter((item) => item.kind === kind) ?? [];
    expect(of('manifest')).toEqual([
      { kind: 'manifest', repository: 'app', digest, size: expect.any(Number), why: expect.stringMatching(/./) },
    ]);
    expect(of('blob').map((item) => [item.repository, item.size])).toEqual([
      [null, expect.any(Number)],
      [null, expect.any(Number)],
    ]);
    expect(of('link').map((item) => item.digest)).toContain(layer);
    expect(await context.store.stat(layer)).toBeGreaterThan(0);

    await context.database.transaction((tx) =>
      tx
        .insertInto('uploads')
        .values(
          Array.from({ length: 1_200 }, (_, i) => ({
            id: `upload-${String(i).padStart(5, '0')}`,
            repository_id: 1,
            started_at: 1,
            touched_at: 1,
            holder: null,
            holder_until: 0,
            asked_to_yield: 0,
            hashed_digest: null,
            hashed_bytes: 0,
          })),
        )
        .execute(),
    );
    const many = await requestRun(context, true, ACTOR);
    await collectRecorded(context, { dryRun: true, run: many.id, startedBy: 'alice' });
    const { items, result } = (await findRun(context, many.id)) ?? {};
    expect([items?.length, result?.uploads]).toEqual([1_000, 1_200]);
  });

  test('is refused while another one runs, with who began it when; a dry run is not', async () => {
    const { context } = await open();
    const first = await requestRun(context, false, { name: 'bob', source: '192.0.2.9' });
    const began = new Date(first.startedAt).toISOString();
    await expect(requestRun(context, false, ACTOR)).rejects.toThrow(
      `a garbage collection that bob began at ${began} is running; wait for it to end, or ask for a dry run`,
    );
    expect(await codeOf(requestRun(context, true, ACTOR))).toBe('none');
    await loseRun(context, first.id);
    expect(await codeOf(requestRun(context, false, ACTOR))).toBe('none');
  });

  test('of many asked for at one moment one is begun, and never more than four processes', async () => {
    const { context, anotherProcess } = await open();
    const other = anotherProcess('p2');
    const ask = (dryRun: boolean) => (_: unknown, i: number) =>
      codeOf(requestRun(i % 2 === 0 ? context : other, dryRun, ACTOR));
    const wet = await Promise.all(Array.from({ length: 8 }, ask(false)));
    expect(wet.toSorted()).toEqual([...Array(7).fill('REFUSED'), 'none'].sort());
    const dry = await Promise.all(Array.from({ length: 8 }, ask(true)));
    expect(dry.filter((code) => code === 'none')).toHaveLength(3);
    expect(await all(context)).toHaveLength(4);
  });

  test('is in the audit log, in the same transaction', async () => {
    const { context } = await open();
    const entries: unknown[] = [];
    const recording: RegistryContext = {
      ...context,
      record: async (_, actor, entry) => {
        entries.push({ actor, ...entry });
      },
    };
    const { id } = await requestRun(recording, true, ACTOR);
    expect(entries).toEqual([{ actor: ACTOR, action: 'garbage.collect', subject: id, detail: { dryRun: true } }]);
    const failing: RegistryContext = {
      ...context,
      record: async () => {
        throw new Error('no space');
      },
    };
    await expect(requestRun(failing, true, ACTOR)).rejects.toThrow('no space');
    expect(await all(context)).toHaveLength(1);
  });

  test('one that nobody asked for is written down with who began it', async () => {
    const { context } = await open();
    await collectRecorded(context, byHand);
    await collectRecorded(context, { dryRun: false, startedBy: 'schedule' });
    expect((await all(context)).map(({ startedBy, state }) => [startedBy, state])).toEqual([
      ['schedule', 'done'],
      ['command line', 'done'],
    ]);
  });

  test('one that finds another at work leaves no trace by itself, and fails when it was asked for', async () => {
    const { context } = await open();
    const lease = await takeGarbageLease(context);
    await expect(collectRecorded(context, byHand)).rejects.toBeInstanceOf(GarbageBusyError);
    expect(await all(context)).toEqual([]);
    const asked = await requestRun(context, false, ACTOR);
    await expect(collectRecorded(context, { ...byHand, run: asked.id })).rejects.toBeInstanceOf(GarbageBusyError);
    expect(await findRun(context, asked.id)).toMatchObject({
      state: 'failed',
      error: 'another garbage collection is running; wait for it to end',
    });
    await lease.release();
  });

  test('one that breaks off has failed, with the reason', async () => {
    const { context, advance } = await open();
    await pushBlob(context, 'app', 'alone');
    advance(DAY);
    const asked = await requestRun(context, false, ACTOR);
    const broken = removing(context, async () => {
      throw new Error('the disk is read-only');
    });
    await expect(collectRecorded(broken, { ...byHand, run: asked.id })).rejects.toThrow('the disk is read-only');
    expect(await findRun(context, asked.id)).toMatchObject({ state: 'failed', error: 'the disk is read-only' });
  });

  test('one whose process was killed has failed as soon as that is known, or after half a minute without a word', async () => {
    const { context, advance } = await open();
    const known = await requestRun(context, false, ACTOR);
    await loseRun(context, known.id);
    const lost = { state: 'failed', error: 'the process ended before it was done' };
    expect(await findRun(context, known.id)).toMatchObject({ ...lost, finishedAt: expect.any(Number) });
    const silent = await requestRun(context, false, ACTOR);
    advance(MINUTE / 4);
    expect((await findRun(context, silent.id))?.state).toBe('running');
    advance(MINUTE / 2);
    expect(await findRun(context, silent.id)).toMatchObject({ ...lost, finishedAt: null });
    expect((await all(context))[0]).toMatchObject(lost);
    expect(await codeOf(requestRun(context, false, ACTOR))).toBe('none');
  });

  test('one that is over stays as it is, whatever is said of its process', async () => {
    const { context } = await open();
    const asked = await requestRun(context, false, ACTOR);
    await collectRecorded(context, { ...byHand, run: asked.id });
    await loseRun(context, asked.id);
    expect((await findRun(context, asked.id))?.state).toBe('done');
  });

  test('one that takes long keeps saying that it is there', async () => {
    const { context, advance } = await open();
    await pushBlob(context, 'app', 'alone');
    advance(DAY);
    const asked = await requestRun(context, false, ACTOR);
    const moment = gate();
    const running = collectRecorded(removing(context, moment.pass), { ...byHand, run: asked.id });
    await moment.arrived;
    advance(MINUTE);
    expect((await findRun(context, asked.id))?.state).toBe('failed');
    await Bun.sleep(6_000);
    expect((await findRun(context, asked.id))?.state).toBe('running');
    moment.open();
    await running.catch(() => {});
  }, 60_000);

  test('are kept to the newest hundred, and come in pages', async () => {
    const { context } = await open();
    for (let i = 0; i < 103; i++) await collectRecorded(context, { dryRun: true, startedBy: `run ${i}` });
    const first = await listRuns(context, { before: undefined, limit: 60 });
    const second = await listRuns(context, { before: first.runs.at(-1)?.id, limit: 60 });
    expect([first.runs.length, first.more, second.runs.length, second.more]).toEqual([60, true, 40, false]);
    const names = [...first.runs, ...second.runs].map(({ startedBy }) => startedBy);
    expect(names).toEqual(Array.from({ length: 100 }, (_, i) => `run ${102 - i}`));
    expect(await findRun(context, 'none')).toBeUndefined();
  }, 60_000);
});
