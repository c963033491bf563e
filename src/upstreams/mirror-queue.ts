import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { MirrorReport } from './mirrors.ts';
import type { MirroringContext } from './mirrors-context.ts';

/** A mirror that this process copies, until it is finished or the lease is lost. */
export interface TakenMirror {
  repositoryId: number;
  holder: string;
  /** Requests that were there when it began; they are served when it ends. */
  requested: number;
}

/** Mirrors whose time has come or that somebody asked for, and that nobody works at; the longest waiting first. */
export async function dueMirrors({ registry }: MirroringContext, limit: number): Promise<number[]> {
  const now = registry.now();
  const rows = await registry.database.read
    .selectFrom('mirrors')
    .select('repository_id')
    .where('lease_until', '<=', now)
    .where((where) => where.or([where('next_at', '<=', now), where('requested', '>', where.ref('served'))]))
    .orderBy('next_at')
    .limit(limit)
    .execute();
  return rows.map((row) => row.repository_id);
}

/** One process at a time has a mirror. undefined when another was quicker, or there is nothing to do any more. */
export function takeMirror(
  { registry, policy }: MirroringContext,
  repositoryId: number,
): Promise<TakenMirror | undefined> {
  const holder = `${registry.process}:${registry.newId()}`;
  return registry.database.relaxedTransaction(async (tx) => {
    const now = registry.now();
    const taken = await tx
      .updateTable('mirrors')
      .set({ lease_holder: holder, lease_until: now + policy.leaseMs })
      .where('repository_id', '=', repositoryId)
      .where('lease_until', '<=', now)
      .where((where) => where.or([where('next_at', '<=', now), where('requested', '>', where.ref('served'))]))
      .returning('requested')
      .executeTakeFirst();
    return taken && { repositoryId, holder, requested: taken.requested };
  });
}

/** @returns whether it is still held; not when the mirror is gone, or another process has taken over */
export async function keepMirror({ registry, policy }: MirroringContext, mirror: TakenMirror): Promise<boolean> {
  const kept = await registry.database.relaxedTransaction((tx) =>
    held(tx, mirror)
      .set({ lease_until: registry.now() + policy.leaseMs })
      .executeTakeFirst(),
  );
  return kept.numUpdatedRows > 0n;
}

/** Gives it back as it was: it is due still. */
export async function leaveMirror({ registry }: MirroringContext, mirror: TakenMirror): Promise<void> {
  await registry.database.relaxedTransaction((tx) =>
    held(tx, mirror).set({ lease_holder: null, lease_until: 0 }).execute(),
  );
}

/** Frees what processes that are known to have ended held; '' is all that ever held one. */
export async function leaveMirrorsOf({ registry }: MirroringContext, ended: string): Promise<void> {
  await registry.database.relaxedTransaction((tx) =>
    tx
      .updateTable('mirrors')
      .set({ lease_holder: null, lease_until: 0 })
      .where('lease_holder', 'like', ended === '' ? '%' : `${ended}:%`)
      .execute(),
  );
}

/**
 * Writes down how a run went, and when the next is. When it went otherwise than the one before, that is told.
 *
 * @param retryAt when the other registry said that it answers again, ms since 1970
 * @returns false when the lease was lost: then nothing is written
 */
export function finishMirror(
  { registry, policy, happened }: MirroringContext,
  mirror: TakenMirror,
  run: { startedAt: number; outcome: 'done' | 'failed'; report: MirrorReport; retryAt: number | undefined },
): Promise<boolean> {
  return registry.database.transaction(async (tx) => {
    const row = await tx
      .selectFrom('mirrors')
      .innerJoin('repositories', 'repositories.id', 'mirrors.repository_id')
      .select(['interval_ms', 'failures', 'outcome', 'repositories.name'])
      .where('repository_id', '=', mirror.repositoryId)
      .where('lease_holder', '=', mirror.holder)
      .executeTakeFirst();
    if (row === undefined) return false;
    const now = registry.now();
    const failed = run.outcome === 'failed';
    const failures = failed ? row.failures + 1 : 0;
    const late = 1 + Math.random() * policy.jitter;
    const pause = failed ? pauseAfter(policy, failures, row.interval_ms) : row.interval_ms;
    const updated = await held(tx, mirror)
      .set({
        lease_holder: null,
        lease_until: 0,
        next_at: Math.max(now + Math.round(pause * late), run.retryAt ?? 0),
        served: mirror.requested,
        started_at: run.startedAt,
        finished_at: now,
        outcome: run.outcome,
        report: JSON.stringify(run.report),
        failures,
        ...(failed ? {} : { succeeded_at: now }),
      })
      .executeTakeFirst();
    if (updated.numUpdatedRows === 0n) return false;
    if (failed !== (row.outcome === 'failed')) {
      await happened(tx, { kind: failed ? 'mirror.failure' : 'mirror.recovery', repository: row.name });
    }
    return true;
  });
}

/** How long it is waited after so many failures in a row, in ms. */
export function pauseAfter(policy: MirroringContext['policy'], failures: number, intervalMs: number): number {
  const most = Math.max(policy.mostRetryMs, intervalMs);
  return Math.min(policy.firstRetryMs * 2 ** Math.min(failures - 1, 40), most);
}

/** For the metrics: mirrors whose last run failed, and since when the one that waits longest has had no success. */
export async function mirrorFigures({
  registry,
}: Pick<MirroringContext, 'registry'>): Promise<{ mirrors: number; failing: number; oldest: number | null }> {
  const row = await registry.database.read
    .selectFrom('mirrors')
    .select((select) => [
      select.fn.countAll<number | string>().as('mirrors'),
      select.fn.sum<number | string | null>(select.case().when('failures', '>', 0).then(1).else(0).end()).as('failing'),
      select.fn.min<number | string | null>(select.fn.coalesce('succeeded_at', 'created_at')).as('oldest'),
    ])
    .executeTakeFirstOrThrow();
  return {
    mirrors: Number(row.mirrors),
    failing: Number(row.failing ?? 0),
    oldest: row.oldest === null ? null : Number(row.oldest),
  };
}

function held(tx: Transaction<Schema>, { repositoryId, holder }: TakenMirror) {
  return tx.updateTable('mirrors').where('repository_id', '=', repositoryId).where('lease_holder', '=', holder);
}
