import type { Transaction } from 'kysely';
import type { Schema, Visibility } from '../../database/schema.ts';
import { OciError } from '../../oci/errors.ts';
import { isRepositoryName, type RepositoryName } from '../../oci/names.ts';
import { type CachePrefix, KNOWN_WITHIN_MS } from '../../registry/cache-prefixes.ts';
import type { Actor } from '../../registry/context.ts';
import type { UpstreamsContext } from '../context.ts';
import { unknownUpstream } from '../upstreams.ts';
import { cachedRepository } from './cache-context.ts';

/** A prefix whose repositories are another registry's. */
export interface Cache extends CachePrefix {
  /** Those that were pulled so far. */
  repositories: number;
  createdBy: string;
  /** Times are ms since 1970. */
  createdAt: number;
  updatedAt: number;
}

export interface CacheWishes {
  upstream: string;
  /** '' for nothing. */
  remotePrefix: string;
  freshMs: number;
  visibility: Visibility;
}

const MOST_PREFIX = 200;
/** A year. */
const MOST_FRESH_MS = 366 * 24 * 60 * 60_000;
const MOST_NAMED = 5;

/** By prefix. */
export async function listCaches(context: UpstreamsContext): Promise<Cache[]> {
  const rows = await cacheRows(context.database.read).orderBy('c.prefix').execute();
  return Promise.all(rows.map(async (row) => cacheOf(row, await belowIn(context.database.read, row.prefix))));
}

/** @throws OciError NOT_FOUND */
export async function getCache(context: UpstreamsContext, prefix: string): Promise<Cache> {
  const { read } = context.database;
  const row = await cacheRows(read).where('c.prefix', '=', prefix).executeTakeFirst();
  if (row === undefined) throw unknownCache(prefix);
  return cacheOf(row, await belowIn(read, prefix));
}

/**
 * Makes a prefix a cache, or changes it. On return every process knows. What is below it already must be of the same place: what people
 * pushed would be mixed with what the upstream has.
 *
 * @throws OciError BODY_INVALID, NOT_FOUND, CONFLICT naming repositories that are in the way
 */
export async function setCache(
  context: UpstreamsContext,
  prefix: string,
  wishes: CacheWishes,
  actor: Actor,
): Promise<void> {
  check(prefix, wishes);
  const { upstream, remotePrefix, freshMs, visibility } = wishes;
  await context.database.transaction(async (tx) => {
    const row = await tx.selectFrom('upstreams').select('address').where('name', '=', upstream).executeTakeFirst();
    if (row === undefined) throw unknownUpstream(upstream);
    await refuseOthers(tx, { prefix, address: row.address, ...wishes });
    const before = await tx.selectFrom('caches').select('visibility').where('prefix', '=', prefix).executeTakeFirst();
    const now = context.now();
    const latest = await tx
      .selectFrom('caches')
      .select((select) => select.fn.max('updated_at').as('at'))
      .executeTakeFirst();
    // Never the same twice, so that who keeps the list sees that it has changed.
    const updated = Math.max(now, Number(latest?.at ?? 0) + 1);
    const values = { upstream, remote_prefix: remotePrefix, fresh_ms: freshMs, visibility, updated_at: updated };
    await tx
      .insertInto('caches')
      .values({ prefix, ...values, created_by: actor.name, created_at: now })
      .onConflict((conflict) => conflict.column('prefix').doUpdateSet(values))
      .execute();
    if (before !== undefined && before.visibility !== visibility) await showAs(tx, prefix, visibility);
    const detail = { upstream, remotePrefix, freshMs, visibility };
    await context.record(tx, actor, { action: 'cache.set', subject: prefix, detail });
  });
  await untilKnown(context);
}

/** What was fetched stays, as ordinary repositories. @throws OciError NOT_FOUND */
export async function removeCache(context: UpstreamsContext, prefix: string, actor: Actor): Promise<void> {
  await context.database.transaction(async (tx) => {
    const { numDeletedRows } = await tx.deleteFrom('caches').where('prefix', '=', prefix).executeTakeFirstOrThrow();
    if (numDeletedRows === 0n) throw unknownCache(prefix);
    await context.record(tx, actor, { action: 'cache.remove', subject: prefix });
  });
  await untilKnown(context);
}

/** On SQLite everyone sees at once that something was committed. */
async function untilKnown({ database }: UpstreamsContext): Promise<void> {
  if (database.kind === 'postgres') await Bun.sleep(KNOWN_WITHIN_MS);
}

function check(prefix: string, { remotePrefix, freshMs }: CacheWishes): void {
  if (!isRepositoryName(prefix) || prefix.length > MOST_PREFIX) {
    throw new OciError(
      'BODY_INVALID',
      `prefix: ${JSON.stringify(prefix.slice(0, 300))} is not the beginning of repository names, as in dockerhub or ops/quay`,
    );
  }
  if (remotePrefix !== '' && !isRepositoryName(remotePrefix)) {
    throw new OciError(
      'BODY_INVALID',
      `remotePrefix: ${JSON.stringify(remotePrefix.slice(0, 300))} is not the beginning of repository names of the upstream`,
    );
  }
  if (!Number.isSafeInteger(freshMs) || freshMs < 0 || freshMs > MOST_FRESH_MS) {
    throw new OciError('BODY_INVALID', `freshSeconds: must be from 0 to ${MOST_FRESH_MS / 1_000}`);
  }
}

/** What was pulled before is seen by the same people as what is pulled from now on. Not that of a cache further in. */
async function showAs(tx: Transaction<Schema>, prefix: string, visibility: Visibility): Promise<void> {
  let change = tx
    .updateTable('repositories')
    .set({ visibility })
    .where('name', '>', `${prefix}/` as RepositoryName)
    .where('name', '<', `${prefix}0` as RepositoryName);
  for (const inner of await cachesIn(tx, prefix)) {
    change = change.where((where) =>
      where.or([where('name', '<', `${inner}/` as RepositoryName), where('name', '>', `${inner}0` as RepositoryName)]),
    );
  }
  await change.execute();
}

async function cachesIn(tx: Transaction<Schema>, prefix: string): Promise<string[]> {
  const rows = await tx
    .selectFrom('caches')
    .select('prefix')
    .where('prefix', '>', `${prefix}/`)
    .where('prefix', '<', `${prefix}0`)
    .execute();
  return rows.map((row) => row.prefix);
}

/** @throws OciError CONFLICT */
async function refuseOthers(tx: Transaction<Schema>, cache: CachePrefix): Promise<void> {
  const rows = await tx
    .selectFrom('repositories as r')
    .leftJoin('cache_repositories as c', 'c.repository_id', 'r.id')
    .select(['r.name', 'c.upstream', 'c.remote_name'])
    .where('r.name', '>', `${cache.prefix}/` as RepositoryName)
    .where('r.name', '<', `${cache.prefix}0` as RepositoryName)
    .orderBy('r.name')
    .execute();
  const inner = await cachesIn(tx, cache.prefix);
  const others = rows.filter(
    (row) =>
      !inner.some((prefix) => row.name.startsWith(`${prefix}/`)) &&
      (row.upstream !== cache.upstream || row.remote_name !== cachedRepository(cache, row.name).remoteName),
  );
  if (others.length === 0) return;
  const names = others.slice(0, MOST_NAMED).map(({ name }) => name);
  const more = others.length > names.length ? `, and ${others.length - names.length} more` : '';
  throw new OciError(
    'CONFLICT',
    `prefix: below ${cache.prefix} there are repositories that are not of ${cache.upstream}: ${names.join(', ')}${more}; rename or delete them, or choose another prefix`,
    { repositories: names },
  );
}

function cacheRows(rows: Pick<Transaction<Schema>, 'selectFrom'>) {
  return rows
    .selectFrom('caches as c')
    .innerJoin('upstreams as u', 'u.name', 'c.upstream')
    .select([
      'c.prefix',
      'c.upstream',
      'u.address',
      'c.remote_prefix',
      'c.fresh_ms',
      'c.visibility',
      'c.created_by',
      'c.created_at',
      'c.updated_at',
    ]);
}

async function belowIn(rows: Pick<Transaction<Schema>, 'selectFrom'>, prefix: string): Promise<number> {
  const found = await rows
    .selectFrom('repositories')
    .select((select) => select.fn.countAll<number | string>().as('n'))
    .where('name', '>', `${prefix}/` as RepositoryName)
    .where('name', '<', `${prefix}0` as RepositoryName)
    .executeTakeFirst();
  return Number(found?.n ?? 0);
}

function cacheOf(
  row: Awaited<ReturnType<ReturnType<typeof cacheRows>['executeTakeFirstOrThrow']>>,
  repositories: number,
): Cache {
  const { prefix, upstream, address, visibility } = row;
  return {
    prefix,
    upstream,
    address,
    visibility,
    remotePrefix: row.remote_prefix,
    freshMs: row.fresh_ms,
    repositories,
    createdBy: row.created_by,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function unknownCache(prefix: string): OciError {
  return new OciError('NOT_FOUND', `prefix: ${JSON.stringify(prefix.slice(0, 300))} is no cache`);
}
