import { type Kysely, sql, type Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { Digest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import { namespaceOf, type RepositoryName } from '../oci/names.ts';
import type { Actor, RegistryContext } from './context.ts';
import { contentBytes } from './namespace-content.ts';
import { freeBytes, quotaExceeded, setShares } from './quota-shares.ts';

/** How much a namespace holds and may hold, in bytes. A namespace is what stands before a name's first `/`; '' for names without one. */
export interface NamespaceUsage {
  namespace: string;
  used: number;
  /** null: as much as the disk takes. */
  quota: number | null;
  /** Whether the quota is the default, and follows it. */
  fromDefault: boolean;
}

/** The row that stands for every namespace without one of its own. No namespace is called so. */
const DEFAULT = '*';
/** 8 PiB: all sums stay exact. */
const MOST_BYTES = 2 ** 53 - 1;
const PAGE = 1_000;

export async function readUsage(context: RegistryContext, namespace: string): Promise<NamespaceUsage> {
  const { read } = context.database;
  const row = await quotaRow(read, namespace);
  const used = row === undefined ? await contentBytes(read, namespace) : row.bytes - Number(row.free);
  return { namespace, used, quota: row?.bytes ?? null, fromDefault: row?.from_default === 1 };
}

/** Namespaces that hold something or have a quota, by name, after `last`. */
export async function listUsage(
  context: RegistryContext,
  page: { last: string | undefined; limit: number },
): Promise<NamespaceUsage[]> {
  const names = new Set<string>();
  // '' is a namespace too, and sorts first.
  for (let last = page.last; names.size < page.limit; ) {
    const next = await nextNamespace(context.database.read, last);
    if (next === undefined) break;
    names.add(next);
    last = next;
  }
  const usages: NamespaceUsage[] = [];
  for (const namespace of names) usages.push(await readUsage(context, namespace));
  return usages;
}

/**
 * Sets how much a namespace may hold, in bytes. It may be less than what it holds: then nothing can be added until enough is gone.
 *
 * @throws OciError BODY_INVALID
 */
export async function setQuota(
  context: RegistryContext,
  namespace: string,
  bytes: number,
  actor: Actor,
): Promise<NamespaceUsage> {
  checkBytes(bytes);
  await context.database.transaction(async (tx) => {
    await writeQuota(context, tx, namespace, bytes, false);
    await context.record(tx, actor, { action: 'quota.set', subject: shown(namespace), detail: { bytes } });
  });
  return readUsage(context, namespace);
}

/** Takes a namespace's own quota away, so that the default holds, if there is one. @throws OciError NOT_FOUND */
export async function removeQuota(context: RegistryContext, namespace: string, actor: Actor): Promise<void> {
  await context.database.transaction(async (tx) => {
    const row = await quotaRow(tx, namespace);
    if (row === undefined || row.from_default === 1) {
      throw new OciError('NOT_FOUND', `namespace: ${shown(namespace)} has no quota of its own`);
    }
    await lockContent(context, tx);
    await tx.deleteFrom('quotas').where('namespace', '=', namespace).execute();
    await tx.deleteFrom('quota_shares').where('namespace', '=', namespace).execute();
    const fallback = await defaultIn(tx);
    if (fallback !== undefined) await writeQuota(context, tx, namespace, fallback, true);
    await context.record(tx, actor, { action: 'quota.remove', subject: shown(namespace) });
  });
}

/** Bytes that a namespace without a quota of its own may hold; undefined: as much as the disk takes. */
export function defaultQuota(context: RegistryContext): Promise<number | undefined> {
  return defaultIn(context.database.read);
}

/** @param bytes undefined takes the default away @throws OciError BODY_INVALID */
export async function setDefaultQuota(
  context: RegistryContext,
  bytes: number | undefined,
  actor: Actor,
): Promise<void> {
  if (bytes !== undefined) checkBytes(bytes);
  await context.database.transaction(async (tx) => {
    // Who makes a repository now is done before, or sees the new default.
    if (context.database.kind === 'postgres') await sql`lock table repositories in share mode`.execute(tx);
    if (bytes === undefined) {
      await lockContent(context, tx);
      const following = tx.selectFrom('quotas').select('namespace').where('from_default', '=', 1);
      await tx.deleteFrom('quota_shares').where('namespace', 'in', following).execute();
      await tx.deleteFrom('quotas').where('from_default', '=', 1).execute();
      await tx.deleteFrom('quotas').where('namespace', '=', DEFAULT).execute();
      await context.record(tx, actor, { action: 'quota.remove', subject: DEFAULT });
      return;
    }
    await tx
      .insertInto('quotas')
      .values({ namespace: DEFAULT, bytes, from_default: 0 })
      .onConflict((conflict) => conflict.column('namespace').doUpdateSet({ bytes }))
      .execute();
    await context.record(tx, actor, { action: 'quota.set', subject: DEFAULT, detail: { bytes } });
  });
  if (bytes !== undefined) await spreadDefault(context);
}

/** Gives the namespace of a repository that is being made the default quota, if it has none. */
export async function applyDefaultQuota(
  context: RegistryContext,
  tx: Transaction<Schema>,
  name: RepositoryName,
): Promise<void> {
  const namespace = namespaceOf(name);
  const bytes = await defaultIn(tx);
  if (bytes === undefined) return;
  const row = await quotaRow(tx, namespace);
  if (row === undefined || (row.from_default === 1 && row.bytes !== bytes)) {
    await writeQuota(context, tx, namespace, bytes, true);
  }
}

/** What an upload may grow to: nothing larger than the whole quota can ever be taken. */
export async function mostUploadBytes(context: RegistryContext, name: RepositoryName): Promise<number> {
  const row = await context.database.read
    .selectFrom('quotas')
    .select('bytes')
    .where('namespace', '=', namespaceOf(name))
    .executeTakeFirst();
  return row?.bytes ?? Number.POSITIVE_INFINITY;
}

/** For an upload of `size` bytes or more, which is more than `mostUploadBytes`. */
export async function uploadTooLarge(context: RegistryContext, name: RepositoryName, size: number): Promise<OciError> {
  const namespace = namespaceOf(name);
  const free = await freeBytes(context.database.read, namespace);
  return quotaExceeded(context.database.read, namespace, size, free ?? 0);
}

/**
 * Refuses a blob for which there is no room before its bytes are put into the store; `addContent` decides.
 *
 * @throws OciError DENIED
 */
export async function checkRoom(
  context: RegistryContext,
  name: RepositoryName,
  content: { digest: Digest; size: number },
): Promise<void> {
  const { read } = context.database;
  const namespace = namespaceOf(name);
  const free = await freeBytes(read, namespace);
  if (free === undefined || content.size <= free) return;
  const there = await read
    .selectFrom('namespace_content')
    .select('size')
    .where('namespace', '=', namespace)
    .where('digest', '=', content.digest)
    .executeTakeFirst();
  if (there === undefined) throw await quotaExceeded(read, namespace, content.size, free);
}

/** Every namespace that has repositories and no quota of its own gets the default, one after the other. */
async function spreadDefault(context: RegistryContext): Promise<void> {
  const done = new Set<string>();
  for (let last = '' as RepositoryName | undefined; last !== undefined; ) {
    const rows: { name: RepositoryName }[] = await context.database.read
      .selectFrom('repositories')
      .select('name')
      .where('name', '>', last)
      .orderBy('name')
      .limit(PAGE)
      .execute();
    for (const { name } of rows) {
      const namespace = namespaceOf(name);
      if (done.has(namespace)) continue;
      done.add(namespace);
      await context.database.transaction((tx) => applyDefaultQuota(context, tx, name));
    }
    last = rows.length < PAGE ? undefined : rows.at(-1)?.name;
  }
}

async function writeQuota(
  context: RegistryContext,
  tx: Transaction<Schema>,
  namespace: string,
  bytes: number,
  fromDefault: boolean,
): Promise<void> {
  await lockContent(context, tx);
  const row = { bytes, from_default: fromDefault ? 1 : 0 };
  await tx
    .insertInto('quotas')
    .values({ namespace, ...row })
    .onConflict((conflict) => conflict.column('namespace').doUpdateSet(row))
    .execute();
  await setShares(context, tx, namespace, bytes - (await contentBytes(tx, namespace)));
}

/**
 * On PostgreSQL: who adds or drops content now is done before, and who comes after sees the quota. So pushes take no lock for the sake
 * of a quota that may be set meanwhile.
 */
async function lockContent(context: RegistryContext, tx: Transaction<Schema>): Promise<void> {
  if (context.database.kind !== 'postgres') return;
  await sql`lock table namespace_content in share row exclusive mode`.execute(tx);
}

async function quotaRow(rows: Pick<Kysely<Schema>, 'selectFrom'>, namespace: string) {
  return rows
    .selectFrom('quotas as q')
    .select((select) => [
      'q.bytes',
      'q.from_default',
      select
        .selectFrom('quota_shares as s')
        .whereRef('s.namespace', '=', 'q.namespace')
        .select((sum) => sum.fn.sum<number | string>('s.free').as('free'))
        .as('free'),
    ])
    .where('q.namespace', '=', namespace)
    .executeTakeFirst();
}

async function defaultIn(rows: Pick<Kysely<Schema>, 'selectFrom'>): Promise<number | undefined> {
  const row = await rows.selectFrom('quotas').select('bytes').where('namespace', '=', DEFAULT).executeTakeFirst();
  return row?.bytes;
}

async function nextNamespace(
  rows: Pick<Kysely<Schema>, 'selectFrom'>,
  last: string | undefined,
): Promise<string | undefined> {
  let content = rows.selectFrom('namespace_content').select((select) => select.fn.min('namespace').as('namespace'));
  let quotas = rows
    .selectFrom('quotas')
    .select((select) => select.fn.min('namespace').as('namespace'))
    .where('namespace', '<>', DEFAULT);
  if (last !== undefined) {
    content = content.where('namespace', '>', last);
    quotas = quotas.where('namespace', '>', last);
  }
  const found = [await content.executeTakeFirst(), await quotas.executeTakeFirst()]
    .map((row) => row?.namespace ?? undefined)
    .filter((name) => name !== undefined);
  return found.sort()[0];
}

function checkBytes(bytes: number): void {
  if (Number.isSafeInteger(bytes) && bytes >= 0) return;
  throw new OciError('BODY_INVALID', `bytes: must be a whole number from 0 to ${MOST_BYTES}`);
}

/** In messages and the audit log. */
function shown(namespace: string): string {
  return namespace === '' ? '_' : namespace;
}
