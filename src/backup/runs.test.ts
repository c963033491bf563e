import { afterAll, beforeEach, expect, test } from 'bun:test';
import { join } from 'node:path';
import { onEachDatabase } from '../database/test-databases.ts';
import type { RegistryContext } from '../registry/context.ts';
import { HOUR, MINUTE, openTestRegistry, type TestRegistry } from '../registry/testing.ts';
import { FolderTarget } from './folder-target.ts';
import { type BackupManifest, manifestKey } from './format.ts';
import { backupFigures, listBackupRuns, loseBackup, recordBackup, refuseEmptied, takeDueBackup } from './runs.ts';
import { putText } from './target.ts';

const TARGET = '/backup/berth';
const DAILY = { everyMs: 24 * HOUR };

const manifest = (id: string): BackupManifest => ({
  format: 1,
  id,
  at: 1,
  finishedAt: 2,
  berth: '1',
  schema: 1,
  database: 'sqlite',
  dump: { size: 1, sha256: '', rows: 1 },
  blobs: { count: 3, bytes: 300, copied: 2, copiedBytes: 200 },
  faults: [],
  secretKey: { fingerprint: null, key: null },
});

onEachDatabase('backups that are written down', (newPlace) => {
  let registry: TestRegistry;
  let context: RegistryContext;
  const registries: TestRegistry[] = [];
  beforeEach(async () => {
    registry = await openTestRegistry(await newPlace());
    registries.push(registry);
    ({ context } = registry);
  });
  afterAll(() => {
    for (const each of registries) each.remove();
  });
  const due = (from: RegistryContext = context, target = TARGET) => takeDueBackup(from, target, DAILY);
  const { signal } = new AbortController();
  const record = (run: string | undefined, work: () => Promise<BackupManifest>, stopped = signal, target = TARGET) =>
    recordBackup(context, target, { run, startedBy: 'command line', signal: stopped }, work);
  const well = (run?: string, target = TARGET) => record(run, async () => manifest('b1'), signal, target);
  const badly = async (run?: string) => {
    const failing = record(run, async () => {
      throw new Error('no room');
    });
    await expect(failing).rejects.toThrow('no room');
  };
  const states = async () => (await listBackupRuns(context, 100)).map(({ state }) => state);

  test('are due at first, then when the time has gone by, whoever asks', async () => {
    const run = await due();
    expect(run).toBeDefined();
    await well(run);
    expect(await due()).toBeUndefined();
    registry.advance(23 * HOUR);
    const after = registry.anotherProcess('after the restart');
    expect(await due(after)).toBeUndefined();
    registry.advance(HOUR);
    expect(await due(after)).toBeDefined();
  });

  test('are taken by one of many that see them due', async () => {
    const others = Array.from({ length: 4 }, (_, i) => registry.anotherProcess(`p${i + 2}`));
    const taken = await Promise.all([context, ...others].map((each) => due(each)));
    expect(taken.filter((run) => run !== undefined)).toHaveLength(1);
    expect(await states()).toEqual(['running']);
  });

  test('begin by the schedule at no other while one runs there, by hand too, and of each target by itself', async () => {
    const begun = Promise.withResolvers<void>();
    const end = Promise.withResolvers<void>();
    const byHand = record(undefined, async () => {
      begun.resolve();
      await end.promise;
      return manifest('by hand');
    });
    await begun.promise;
    expect(await due()).toBeUndefined();
    expect(await due(context, 's3://bucket/berth/')).toBeDefined();
    end.resolve();
    await byHand;
    // It is as good as one of the schedule.
    expect(await due()).toBeUndefined();
  });

  test('are tried again after one failed, later each time', async () => {
    await badly(await due());
    expect(await due()).toBeUndefined();
    registry.advance(MINUTE);
    await badly(await due());
    registry.advance(MINUTE);
    expect(await due()).toBeUndefined();
    registry.advance(MINUTE);
    await well(await due());
    expect(await states()).toEqual(['done', 'failed', 'failed']);
    expect((await listBackupRuns(context, 3)).map(({ error }) => error)).toEqual([null, 'no room', 'no room']);
  });

  test('are lost with their process: at once when somebody knows, else after a minute', async () => {
    const run = (await due()) ?? '';
    await loseBackup(context, run, undefined);
    expect(await listBackupRuns(context, 1)).toMatchObject([
      { id: run, state: 'failed', error: 'the process ended before it was done' },
    ]);
    registry.advance(MINUTE);
    expect(await due()).toBeDefined();
    registry.advance(MINUTE / 2);
    expect(await states()).toEqual(['running', 'failed']);
    // Half an hour is more than the pause after two.
    registry.advance(30 * MINUTE);
    expect(await states()).toEqual(['failed', 'failed']);
    expect(await due()).toBeDefined();
  });

  test('that were stopped leave no trace, and are due as before', async () => {
    const controller = new AbortController();
    const stopped = record(
      await due(),
      async () => {
        controller.abort(new Error('stopped'));
        throw new Error('stopped');
      },
      controller.signal,
    );
    await expect(stopped).rejects.toThrow('stopped');
    expect(await states()).toEqual([]);
    expect(await due()).toBeDefined();
  });

  test('are refused by a target that had some and has none, as a disk that is not mounted', async () => {
    const target = new FolderTarget(join(registry.root, 'elsewhere'));
    await refuseEmptied(context, target);
    await well(undefined, target.name);
    const gone = refuseEmptied(context, target);
    await expect(gone).rejects.toThrow(
      `${target.name}: the backups that were made there are gone; mount the disk that has them`,
    );
    await putText(target, manifestKey('b1'), '{}');
    await refuseEmptied(context, target);
  });

  test('that ended are not lost afterwards', async () => {
    const run = (await due()) ?? '';
    await well(run);
    await loseBackup(context, run, 'late');
    expect(await states()).toEqual(['done']);
  });

  test('of a time that is not yet do not keep others from being made', async () => {
    registry.advance(365 * 24 * HOUR);
    await well(await due());
    registry.advance(-365 * 24 * HOUR);
    expect(await due()).toBeDefined();
  });

  test('that began by a clock which was set back since are lost, and another is made', async () => {
    registry.advance(365 * 24 * HOUR);
    await due();
    registry.advance(-365 * 24 * HOUR);
    expect(await states()).toEqual(['failed']);
    expect(await due()).toBeDefined();
    expect(await states()).toEqual(['failed', 'running']);
  });

  test('give the figures of a target, or of the last to any', async () => {
    const none = { lastSuccess: 0, lastSeconds: 0, lastBytes: 0, lastCopiedBytes: 0, lastFaults: 0, failures: 0 };
    expect(await backupFigures(context, TARGET)).toEqual(none);
    await badly();
    expect(await backupFigures(context, TARGET)).toEqual({ ...none, failures: 1 });
    await well();
    const figures = await backupFigures(context, TARGET);
    expect(figures).toMatchObject({ lastBytes: 300, lastCopiedBytes: 200, lastFaults: 0, failures: 0 });
    expect(figures.lastSuccess).toBeWithin(context.now() - MINUTE, context.now() + 1);
    registry.advance(HOUR);
    await badly();
    await well(undefined, '/elsewhere');
    expect(await backupFigures(context, TARGET)).toEqual({ ...figures, failures: 1 });
    expect((await backupFigures(context, undefined)).lastSuccess).toBeGreaterThan(figures.lastSuccess);
    expect((await backupFigures(context, undefined)).failures).toBe(0);
  });

  test('keep the last success while a hundred others fail', async () => {
    await well();
    const { lastSuccess } = await backupFigures(context, TARGET);
    for (let i = 0; i < 105; i++) {
      registry.advance(1_000);
      await badly();
    }
    const figures = await backupFigures(context, TARGET);
    expect(figures).toMatchObject({ lastSuccess, failures: 100 });
    expect(await listBackupRuns(context, 200)).toHaveLength(101);
  });
});
