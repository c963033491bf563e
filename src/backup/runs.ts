import type { Kysely, Transaction } from 'kysely';
import { passGate } from '../database/leases.ts';
import type { Schema } from '../database/schema.ts';
import type { RegistryContext } from '../registry/context.ts';
import { BackupError, type BackupManifest, MANIFESTS } from './format.ts';
import { type BackupHistory, type BackupSchedule, nextBackup } from './schedule.ts';
import type { BackupTarget } from './target.ts';

/** A process says so often that it is there, and counts as lost when it has not for so long. */
const RENEW_MS = 10_000;
const HOLD_MS = 60_000;
/** Of a target and a state. */
const KEPT = 100;
/** As far ahead as another machine's clock may be; what says that it is of later is not believed. */
const CLOCKS_MS = 3_600_000;
const LOST = 'the process ended before it was done';

type Context = Pick<RegistryContext, 'database' | 'now' | 'newId'>;

/** A backup as it is written down, whoever began it. Times are ms since 1970. */
export interface BackupRun {
  id: string;
  target: string;
  /** `schedule` or `command line`. */
  startedBy: string;
  state: 'running' | 'done' | 'failed';
  startedAt: number;
  finishedAt: number | null;
  error: string | null;
  result: BackupRunResult | null;
}

export interface BackupRunResult {
  /** The backup's id in the target. */
  backup: string;
  blobs: number;
  bytes: number;
  /** Of these, what the target did not have. */
  copied: number;
  copiedBytes: number;
  /** Blobs that the registry itself had lost. */
  faults: number;
}

/** How backups go, for the metrics. Zeros when there was none. */
export interface BackupFigures {
  /** When the last one that ended well began, ms since 1970. */
  lastSuccess: number;
  lastSeconds: number;
  lastBytes: number;
  lastCopiedBytes: number;
  lastFaults: number;
  /** Those that failed since. */
  failures: number;
}

/**
 * Takes the next backup of a schedule, when it is due: over all processes and replicas that share the database one takes it, and none while
 * another backup to that target runs.
 *
 * @returns the run, for `recordBackup`; undefined when nothing is to be done
 */
export async function takeDueBackup(
  context: Context,
  target: string,
  schedule: BackupSchedule,
): Promise<string | undefined> {
  const due = async (rows: Pick<Kysely<Schema>, 'selectFrom'>) =>
    !(await isRunning(context, rows, target)) &&
    nextBackup(schedule, await historyOf(context, rows, target)) <= context.now();
  if (!(await due(context.database.read))) return undefined;
  return context.database.transaction(async (tx) => {
    // Two that ask at one moment see each other.
    await passGate(tx, 'backup-request');
    return (await due(tx)) ? insert(context, tx, target, 'schedule') : undefined;
  });
}

/**
 * Writes down that a backup is made, and how it went. While it runs, it says every few seconds that it still does. One that was stopped leaves no
 * trace: it has not failed, and is due as before.
 *
 * @param options.run one of `takeDueBackup`; without it this is another, begun by `startedBy`
 */
export async function recordBackup(
  context: Context,
  target: string,
  options: { run: string | undefined; startedBy: string; signal: AbortSignal },
  work: () => Promise<BackupManifest>,
): Promise<BackupManifest> {
  const { run, startedBy, signal } = options;
  const id = run ?? (await context.database.transaction((tx) => insert(context, tx, target, startedBy)));
  // A beat that fails is followed by another.
  const beat = setInterval(() => void stay(context, id).catch(() => {}), RENEW_MS);
  try {
    const manifest = await work();
    await finish(context, id, { state: 'done', error: null, result: JSON.stringify(resultOf(manifest)) });
    return manifest;
  } catch (error) {
    // What went wrong first is what is thrown.
    if (signal.aborted) await forget(context, id).catch(() => {});
    else {
      const reason = error instanceof Error ? error.message : 'unknown error';
      await finish(context, id, { state: 'failed', error: reason.slice(0, 1_000), result: null }).catch(() => {});
    }
    throw error;
  } finally {
    clearInterval(beat);
  }
}

/**
 * For a backup that nobody looks at: a folder whose disk is not mounted is empty, and would take a whole backup beneath the disk's place.
 *
 * @throws BackupError when backups were made to the target and none is there
 */
export async function refuseEmptied(context: Context, target: BackupTarget): Promise<void> {
  if ((await lastDone(context, context.database.read, target.name)) === undefined) return;
  for await (const _ of target.list(MANIFESTS)) return;
  throw new BackupError(
    `${target.name}: the backups that were made there are gone; mount the disk that has them, or begin anew with berth backup by hand`,
  );
}

/** For a run whose process is known to have ended; one that is over stays as it is. */
export async function loseBackup(context: Context, id: string, reason: string | undefined): Promise<void> {
  await context.database.relaxedTransaction((tx) =>
    tx
      .updateTable('backup_runs')
      .set({ state: 'failed', error: reason?.slice(0, 1_000) ?? LOST, finished_at: context.now() })
      .where('id', '=', id)
      .where('state', '=', 'running')
      .execute(),
  );
}

/** Newest first, over all targets. */
export async function listBackupRuns(context: Context, limit: number): Promise<BackupRun[]> {
  const rows = await context.database.read
    .selectFrom('backup_runs')
    .selectAll()
    .orderBy('started_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  return rows.map((row) => {
    const now = context.now();
    const lost = row.state === 'running' && (row.holder_until < now || row.holder_until > latestHold(now));
    return {
      id: row.id,
      target: row.target,
      startedBy: row.started_by,
      state: lost ? 'failed' : row.state,
      startedAt: row.started_at,
      finishedAt: row.finished_at,
      error: lost ? LOST : row.error,
      result: row.result === null ? null : (JSON.parse(row.result) as BackupRunResult),
    };
  });
}

/** @param target undefined for whichever was last written to */
export async function backupFigures(context: Context, target: string | undefined): Promise<BackupFigures> {
  const { read } = context.database;
  const last = await lastDone(context, read, target);
  const result = last === undefined || last.result === null ? undefined : (JSON.parse(last.result) as BackupRunResult);
  const { failures } = await failuresSince(context, read, target, last?.started_at);
  return {
    lastSuccess: last?.started_at ?? 0,
    lastSeconds: last === undefined ? 0 : ((last.finished_at ?? last.started_at) - last.started_at) / 1_000,
    lastBytes: result?.bytes ?? 0,
    lastCopiedBytes: result?.copiedBytes ?? 0,
    lastFaults: result?.faults ?? 0,
    failures,
  };
}

type Rows = Pick<Kysely<Schema>, 'selectFrom'>;

async function historyOf(context: Context, rows: Rows, target: string): Promise<BackupHistory> {
  const last = await lastDone(context, rows, target);
  return { success: last?.started_at, ...(await failuresSince(context, rows, target, last?.started_at)) };
}

async function lastDone(context: Context, rows: Rows, target: string | undefined) {
  let query = rows
    .selectFrom('backup_runs')
    .select(['started_at', 'finished_at', 'result'])
    .where('state', '=', 'done')
    .where('started_at', '<=', context.now() + CLOCKS_MS);
  if (target !== undefined) query = query.where('target', '=', target);
  return query.orderBy('started_at', 'desc').limit(1).executeTakeFirst();
}

/** One whose process was killed, or whose machine lost power, has written down no end. */
async function failuresSince(
  context: Context,
  rows: Rows,
  target: string | undefined,
  since = 0,
): Promise<{ failures: number; failedAt: number | undefined }> {
  const now = context.now();
  let query = rows
    .selectFrom('backup_runs')
    .select(['finished_at', 'holder_until'])
    .where((where) =>
      where.or([
        where('state', '=', 'failed'),
        where.and([where('state', '=', 'running'), where('holder_until', '<', now)]),
      ]),
    )
    .where('started_at', '>', since)
    .where('started_at', '<=', now + CLOCKS_MS);
  if (target !== undefined) query = query.where('target', '=', target);
  const failed = await query.orderBy('started_at', 'desc').limit(KEPT).execute();
  const ends = failed.map((row) => row.finished_at ?? row.holder_until);
  return { failures: failed.length, failedAt: ends.length === 0 ? undefined : Math.min(Math.max(...ends), now) };
}

async function isRunning(context: Context, rows: Rows, target: string): Promise<boolean> {
  const now = context.now();
  const running = await rows
    .selectFrom('backup_runs')
    .select('id')
    .where('target', '=', target)
    .where('state', '=', 'running')
    .where('holder_until', '>=', now)
    .where('holder_until', '<=', latestHold(now))
    .limit(1)
    .executeTakeFirst();
  return running !== undefined;
}

/** A process that says it is there for longer said so by a clock that was set back since; one that lives says it anew. */
function latestHold(now: number): number {
  return now + HOLD_MS + CLOCKS_MS;
}

async function insert(context: Context, tx: Transaction<Schema>, target: string, startedBy: string): Promise<string> {
  const now = context.now();
  const id = context.newId();
  await tx
    .insertInto('backup_runs')
    .values({
      id,
      target,
      started_by: startedBy,
      state: 'running',
      started_at: now,
      finished_at: null,
      error: null,
      result: null,
      holder_until: now + HOLD_MS,
    })
    .execute();
  // Many failures leave the last success where it is.
  for (const states of [['done'], ['running', 'failed']] as const) {
    const oldest = await tx
      .selectFrom('backup_runs')
      .select('started_at')
      .where('target', '=', target)
      .where('state', 'in', states)
      .orderBy('started_at', 'desc')
      .offset(KEPT - 1)
      .limit(1)
      .executeTakeFirst();
    if (oldest === undefined) continue;
    await tx
      .deleteFrom('backup_runs')
      .where('target', '=', target)
      .where('state', 'in', states)
      .where('started_at', '<', oldest.started_at)
      .execute();
  }
  return id;
}

async function stay(context: Context, id: string): Promise<void> {
  await context.database.relaxedTransaction((tx) =>
    tx
      .updateTable('backup_runs')
      .set({ holder_until: context.now() + HOLD_MS })
      .where('id', '=', id)
      .where('state', '=', 'running')
      .execute(),
  );
}

async function finish(
  context: Context,
  id: string,
  end: { state: 'done' | 'failed'; error: string | null; result: string | null },
): Promise<void> {
  await context.database.transaction((tx) =>
    tx
      .updateTable('backup_runs')
      .set({ ...end, finished_at: context.now() })
      .where('id', '=', id)
      .execute(),
  );
}

async function forget(context: Context, id: string): Promise<void> {
  await context.database.transaction((tx) =>
    tx.deleteFrom('backup_runs').where('id', '=', id).where('state', '=', 'running').execute(),
  );
}

function resultOf({ id, blobs, faults }: BackupManifest): BackupRunResult {
  return {
    backup: id,
    blobs: blobs.count,
    bytes: blobs.bytes,
    copied: blobs.copied,
    copiedBytes: blobs.copiedBytes,
    faults: faults.length,
  };
}
