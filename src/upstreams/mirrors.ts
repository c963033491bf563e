import type { Selectable, Transaction } from 'kysely';
import { z } from 'zod';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/names.ts';
import { refuseCached } from '../registry/cache-prefixes.ts';
import type { Actor } from '../registry/context.ts';
import { ensureRepository } from '../registry/repositories.ts';
import type { MirrorsContext } from './mirrors-context.ts';
import { unknownUpstream } from './upstreams.ts';

export interface MirrorWishes {
  upstream: string;
  /** What the repository is called there. */
  from: RepositoryName;
  /** Patterns; none takes every tag. */
  tags: string[];
  /** Whether signatures and what else has an image as its subject come along. */
  referrers: boolean;
  /** null: as fast as it goes. */
  bytesPerSecond: number | null;
  intervalMs: number;
}

export type MirrorChange = { [Name in keyof MirrorWishes]?: MirrorWishes[Name] | undefined };

/** A repository that follows one of another registry. */
export interface Mirror extends MirrorWishes {
  repository: RepositoryName;
  repositoryId: number;
  running: boolean;
  /** Times are ms since 1970. */
  nextAt: number;
  /** Runs that were asked for, and how many of these have ended. */
  requested: number;
  served: number;
  lastRun: { outcome: 'done' | 'failed'; startedAt: number; finishedAt: number; report: MirrorReport } | null;
  lastSuccessAt: number | null;
  /** Runs that failed since the last one that did not. */
  failures: number;
  createdBy: string;
  createdAt: number;
}

const subjects = z.array(z.object({ subject: z.string(), why: z.string() }));

/** What a run did, as the database has it. */
export const mirrorReport = z.object({
  /** Tags that were made or moved. */
  tags: z.number(),
  /** Tags that named the same already. */
  tagsPresent: z.number(),
  manifests: z.number(),
  blobs: z.number(),
  bytes: z.number(),
  seconds: z.number(),
  /** What could not be copied; the first of them. */
  failed: subjects,
  /** Immutable tags that the other registry has moved. */
  kept: subjects,
  /** Why it ended before everything was tried. */
  stopped: z.string().nullable(),
});
export type MirrorReport = z.infer<typeof mirrorReport>;

/**
 * Makes a repository follow one of another registry, and the repository where there is none; it is copied at once.
 *
 * @throws OciError CONFLICT, NOT_FOUND, DENIED for a former name or one below a cache
 */
export async function createMirror(
  context: MirrorsContext,
  repository: RepositoryName,
  wishes: MirrorWishes,
  actor: Actor,
): Promise<void> {
  const { registry, upstreams } = context;
  await refuseCached(registry.caches, repository, 'repository');
  await registry.database.transaction(async (tx) => {
    await requireUpstream(tx, wishes.upstream);
    const { id } = await ensureRepository(registry, tx, repository, actor);
    const now = registry.now();
    const made = await tx
      .insertInto('mirrors')
      .values({
        repository_id: id,
        upstream: wishes.upstream,
        remote_repository: wishes.from,
        tags: JSON.stringify(wishes.tags),
        referrers: wishes.referrers ? 1 : 0,
        bytes_per_second: wishes.bytesPerSecond,
        interval_ms: wishes.intervalMs,
        created_by: actor.name,
        created_at: now,
        next_at: now,
      })
      .onConflict((conflict) => conflict.column('repository_id').doNothing())
      .returning('repository_id')
      .executeTakeFirst();
    if (made === undefined) throw new OciError('CONFLICT', `repository: ${repository} is a mirror already`);
    await upstreams.record(tx, actor, { action: 'mirror.create', subject: repository, detail: { ...wishes } });
  });
}

/** By the repositories' names. */
export async function listMirrors(context: MirrorsContext): Promise<Mirror[]> {
  const rows = await mirrorRows(context).orderBy('r.name').execute();
  return rows.map((row) => mirrorOf(row, context.registry.now()));
}

/** @throws OciError NOT_FOUND */
export async function getMirror(context: MirrorsContext, repository: RepositoryName): Promise<Mirror> {
  const row = await mirrorRows(context).where('r.name', '=', repository).executeTakeFirst();
  if (row === undefined) throw unknownMirror(repository);
  return mirrorOf(row, context.registry.now());
}

/** undefined when it is gone. */
export async function findMirrorById(context: MirrorsContext, repositoryId: number): Promise<Mirror | undefined> {
  const row = await mirrorRows(context).where('m.repository_id', '=', repositoryId).executeTakeFirst();
  return row && mirrorOf(row, context.registry.now());
}

/** Changes what is given, and has it copied so at once. @throws OciError NOT_FOUND */
export async function updateMirror(
  context: MirrorsContext,
  repository: RepositoryName,
  change: MirrorChange,
  actor: Actor,
): Promise<void> {
  const { repositoryId } = await getMirror(context, repository);
  const { upstream, from, tags, referrers, bytesPerSecond, intervalMs } = change;
  await context.registry.database.transaction(async (tx) => {
    if (upstream !== undefined) await requireUpstream(tx, upstream);
    const updated = await tx
      .updateTable('mirrors')
      .set((set) => ({
        ...(upstream === undefined ? {} : { upstream }),
        ...(from === undefined ? {} : { remote_repository: from }),
        ...(tags === undefined ? {} : { tags: JSON.stringify(tags) }),
        ...(referrers === undefined ? {} : { referrers: referrers ? 1 : 0 }),
        ...(bytesPerSecond === undefined ? {} : { bytes_per_second: bytesPerSecond }),
        ...(intervalMs === undefined ? {} : { interval_ms: intervalMs }),
        failures: 0,
        requested: set('requested', '+', 1),
      }))
      .where('repository_id', '=', repositoryId)
      .executeTakeFirst();
    if (updated.numUpdatedRows === 0n) throw unknownMirror(repository);
    await context.upstreams.record(tx, actor, { action: 'mirror.update', subject: repository, detail: { ...change } });
  });
}

/** The repository stays, with all that was copied. A run that goes on ends within seconds. @throws OciError NOT_FOUND */
export async function deleteMirror(context: MirrorsContext, repository: RepositoryName, actor: Actor): Promise<void> {
  const { repositoryId } = await getMirror(context, repository);
  await context.registry.database.transaction(async (tx) => {
    const gone = await tx.deleteFrom('mirrors').where('repository_id', '=', repositoryId).executeTakeFirst();
    if (gone.numDeletedRows === 0n) throw unknownMirror(repository);
    await context.upstreams.record(tx, actor, { action: 'mirror.delete', subject: repository });
  });
}

/**
 * Asks for a run now; after the one that goes on, if there is one.
 *
 * @returns its number: it has ended when the mirror's `served` is that
 * @throws OciError NOT_FOUND
 */
export async function requestMirrorRun(
  context: MirrorsContext,
  repository: RepositoryName,
  actor: Actor,
): Promise<number> {
  const { repositoryId } = await getMirror(context, repository);
  return context.registry.database.transaction(async (tx) => {
    const row = await tx
      .updateTable('mirrors')
      .set((set) => ({ requested: set('requested', '+', 1) }))
      .where('repository_id', '=', repositoryId)
      .returning('requested')
      .executeTakeFirst();
    if (row === undefined) throw unknownMirror(repository);
    await context.upstreams.record(tx, actor, { action: 'mirror.run', subject: repository });
    return row.requested;
  });
}

function unknownMirror(repository: RepositoryName): OciError {
  return new OciError('NOT_FOUND', `repository: ${repository} is no mirror`);
}

async function requireUpstream(tx: Transaction<Schema>, name: string): Promise<void> {
  const row = await tx.selectFrom('upstreams').select('name').where('name', '=', name).executeTakeFirst();
  if (row === undefined) throw unknownUpstream(name);
}

function mirrorRows({ registry }: MirrorsContext) {
  return registry.database.read
    .selectFrom('mirrors as m')
    .innerJoin('repositories as r', 'r.id', 'm.repository_id')
    .selectAll('m')
    .select('r.name as repository');
}

function mirrorOf(row: Selectable<Schema['mirrors']> & { repository: RepositoryName }, now: number): Mirror {
  const { outcome, started_at: startedAt, finished_at: finishedAt, report } = row;
  return {
    repository: row.repository,
    repositoryId: row.repository_id,
    upstream: row.upstream,
    from: row.remote_repository,
    tags: JSON.parse(row.tags) as string[],
    referrers: row.referrers === 1,
    bytesPerSecond: row.bytes_per_second,
    intervalMs: row.interval_ms,
    running: row.lease_until > now,
    nextAt: row.next_at,
    requested: row.requested,
    served: row.served,
    lastRun:
      outcome === null || startedAt === null || finishedAt === null || report === null
        ? null
        : { outcome, startedAt, finishedAt, report: mirrorReport.parse(JSON.parse(report)) },
    lastSuccessAt: row.succeeded_at,
    failures: row.failures,
    createdBy: row.created_by,
    createdAt: row.created_at,
  };
}
