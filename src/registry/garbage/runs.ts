import type { Transaction } from 'kysely';
import { DatabaseFullError } from '../../database/database.ts';
import { passGate } from '../../database/leases.ts';
import type { Schema } from '../../database/schema.ts';
import { OciError } from '../../oci/errors.ts';
import type { Actor, RegistryContext } from '../context.ts';
import { finishRemovals } from './blobs.ts';
import { collectGarbage, type GarbageOptions, type GarbageResult } from './collect.ts';
import { GarbageBusyError } from './lease.ts';
import type { GarbageItem } from './run.ts';

/** A process says so often that it is there, and counts as lost when it has not for so long. */
const RENEW_MS = 5_000;
const HOLD_MS = 30_000;
const MOST_ITEMS = 1_000;
const KEPT = 100;
/** Dry runs included: each is a process. */
const MOST_AT_ONCE = 4;
const LOST = 'the process ended before it was done';

/** A garbage collection as it is written down, whoever began it. Times are ms since 1970. */
export interface RecordedRun {
  id: string;
  dryRun: boolean;
  /** A user, `schedule` or `command line`. */
  startedBy: string;
  state: 'running' | 'done' | 'failed';
  startedAt: number;
  finishedAt: number | null;
  error: string | null;
  result: RecordedResult | null;
}

export type RecordedResult = Omit<GarbageResult, 'dryRun' | 'seconds'>;

export interface RecordedItem {
  kind: GarbageItem['kind'];
  repository: string | null;
  digest: string | null;
  size: number | null;
  why: string;
}

/**
 * Writes down that somebody wants a collection. A process of its own then does it: `collectRecorded` with the run's id.
 *
 * @throws OciError REFUSED while another one runs that is no dry run, or too many do
 */
export async function requestRun(context: RegistryContext, dryRun: boolean, actor: Actor): Promise<RecordedRun> {
  return context.database.transaction(async (tx) => {
    // Two that ask at one moment see each other.
    await passGate(tx, 'gc-request');
    const running = await tx
      .selectFrom('garbage_runs')
      .select(['dry_run', 'started_by', 'started_at'])
      .where('state', '=', 'running')
      .where('holder_until', '>=', context.now())
      .orderBy('id')
      .execute();
    const other = running.find((run) => run.dry_run === 0);
    if (other !== undefined && !dryRun) {
      throw new OciError(
        'REFUSED',
        `a garbage collection that ${other.started_by} began at ${new Date(other.started_at).toISOString()} is running; wait for it to end, or ask for a dry run`,
      );
    }
    if (running.length >= MOST_AT_ONCE) {
      throw new OciError('REFUSED', `${running.length} garbage collections are running; wait for one to end`);
    }
    const run = await insert(context, tx, dryRun, actor.name);
    await context.record(tx, actor, { action: 'garbage.collect', subject: run.id, detail: { dryRun } });
    return run;
  });
}

/**
 * Collects garbage once and writes down how it went. While it runs, it says every few seconds that it still does.
 *
 * @param options.run one that `requestRun` wrote down; without it this is another, begun by `startedBy`
 * @throws GarbageBusyError, and then there is no trace of a run that was nobody's wish
 */
export async function collectRecorded(
  context: RegistryContext,
  options: GarbageOptions & { run?: string | undefined; startedBy: string },
): Promise<GarbageResult> {
  const { dryRun, onItem, run, startedBy } = options;
  const id = run ?? (await writeDown(context, dryRun, startedBy));
  if (id === undefined) return collectGarbage(context, options);
  const items: RecordedItem[] = [];
  // A beat that fails is followed by another.
  const beat = setInterval(() => void stay(context, id).catch(() => {}), RENEW_MS);
  try {
    const result = await collectGarbage(context, {
      ...options,
      onItem: (item) => {
        if (dryRun && items.length < MOST_ITEMS) items.push(recorded(item));
        onItem?.(item);
      },
    });
    const { tags, uploads, manifests, links, blobs, bytes } = result;
    const done = { tags, uploads, manifests, links, blobs, bytes };
    await finish(context, id, { state: 'done', result: JSON.stringify(done), items: JSON.stringify(items) });
    return result;
  } catch (error) {
    if (run === undefined && error instanceof GarbageBusyError) {
      await context.database.relaxedTransaction((tx) => tx.deleteFrom('garbage_runs').where('id', '=', id).execute());
    } else {
      const reason = error instanceof Error ? error.message : 'unknown error';
      // What went wrong first is what is thrown.
      await finish(context, id, { state: 'failed', error: reason.slice(0, 1_000) }).catch(() => {});
    }
    throw error;
  } finally {
    clearInterval(beat);
  }
}

/** For a run whose process is known to have ended; one that is over stays as it is. */
export async function loseRun(context: RegistryContext, id: string): Promise<void> {
  await context.database.relaxedTransaction((tx) =>
    tx
      .updateTable('garbage_runs')
      .set({ state: 'failed', error: LOST, finished_at: context.now() })
      .where('id', '=', id)
      .where('state', '=', 'running')
      .execute(),
  );
}

/** Does what a collector that was killed could not: ends its removals, and its run when somebody had asked for it. */
export async function cleanUpAfterCollector(context: RegistryContext, run: string | undefined): Promise<void> {
  if (run !== undefined) await loseRun(context, run);
  await finishRemovals(context);
}

/** Newest first. @param page.before the id of the last one of the page before */
export async function listRuns(
  context: RegistryContext,
  page: { before: string | undefined; limit: number },
): Promise<{ runs: RecordedRun[]; more: boolean }> {
  let query = context.database.read.selectFrom('garbage_runs').select(COLUMNS);
  if (page.before !== undefined) query = query.where('id', '<', page.before);
  const rows = await query
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .execute();
  return { runs: rows.slice(0, page.limit).map((row) => runOf(context, row)), more: rows.length > page.limit };
}

/** undefined when there is none */
export async function findRun(
  context: RegistryContext,
  id: string,
): Promise<(RecordedRun & { items: RecordedItem[] }) | undefined> {
  const row = await context.database.read
    .selectFrom('garbage_runs')
    .select([...COLUMNS, 'items'])
    .where('id', '=', id)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  return { ...runOf(context, row), items: row.items === null ? [] : (JSON.parse(row.items) as RecordedItem[]) };
}

const COLUMNS = [
  'id',
  'dry_run',
  'started_by',
  'state',
  'started_at',
  'finished_at',
  'error',
  'result',
  'holder_until',
] as const;

type Row = Pick<Schema['garbage_runs'], (typeof COLUMNS)[number]>;

/** One whose process was killed, or whose machine lost power, has written down no end. */
function runOf(context: RegistryContext, row: Row): RecordedRun {
  const lost = row.state === 'running' && row.holder_until < context.now();
  return {
    id: row.id,
    dryRun: row.dry_run === 1,
    startedBy: row.started_by,
    state: lost ? 'failed' : row.state,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    error: lost ? LOST : row.error,
    // One of an earlier Berth has no tags.
    result: row.result === null ? null : { tags: 0, ...(JSON.parse(row.result) as Omit<RecordedResult, 'tags'>) },
  };
}

function recorded({ kind, repository, digest, size, why }: GarbageItem): RecordedItem {
  return { kind, repository: repository ?? null, digest: digest ?? null, size: size ?? null, why };
}

async function insert(
  context: RegistryContext,
  tx: Transaction<Schema>,
  dryRun: boolean,
  startedBy: string,
): Promise<RecordedRun> {
  const now = context.now();
  const row: Row = {
    id: context.newId(),
    dry_run: dryRun ? 1 : 0,
    started_by: startedBy.slice(0, 300),
    state: 'running',
    started_at: now,
    finished_at: null,
    error: null,
    result: null,
    holder_until: now + HOLD_MS,
  };
  await tx
    .insertInto('garbage_runs')
    .values({ ...row, items: null })
    .execute();
  const oldest = await tx
    .selectFrom('garbage_runs')
    .select('id')
    .orderBy('id', 'desc')
    .offset(KEPT - 1)
    .limit(1)
    .executeTakeFirst();
  if (oldest !== undefined) await tx.deleteFrom('garbage_runs').where('id', '<', oldest.id).execute();
  return runOf(context, row);
}

/** Where there is no space to write it down, there is all the more to collect: undefined. */
async function writeDown(context: RegistryContext, dryRun: boolean, startedBy: string): Promise<string | undefined> {
  try {
    return await context.database.relaxedTransaction(async (tx) => (await insert(context, tx, dryRun, startedBy)).id);
  } catch (error) {
    if (error instanceof DatabaseFullError) return undefined;
    throw error;
  }
}

async function stay(context: RegistryContext, id: string): Promise<void> {
  await context.database.relaxedTransaction((tx) =>
    tx
      .updateTable('garbage_runs')
      .set({ holder_until: context.now() + HOLD_MS })
      .where('id', '=', id)
      .where('state', '=', 'running')
      .execute(),
  );
}

async function finish(
  context: RegistryContext,
  id: string,
  end: { state: 'done'; result: string; items: string } | { state: 'failed'; error: string },
): Promise<void> {
  await context.database.relaxedTransaction((tx) =>
    tx
      .updateTable('garbage_runs')
      .set({ ...end, finished_at: context.now() })
      .where('id', '=', id)
      .execute(),
  );
}
