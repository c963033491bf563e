import { type Kysely, sql, type Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import type { RegistryContext } from './context.ts';

/**
 * How a quota is kept exact without a row that every push waits for: what is left of it lies in a few rows, and a push takes
 * from any one of them that nobody else holds and that has enough. Only when none has, near the limit, it takes all of them, in one order,
 * and deals out evenly what is left. The sum of the rows is at all times what the quota leaves.
 *
 * SQLite has one writer, which nobody waits beside: there one row does.
 */
const SHARES = { sqlite: 1, postgres: 8 } as const;

/** Of a namespace that has no quota nothing is taken. @throws OciError DENIED */
export async function chargeQuota(
  context: RegistryContext,
  tx: Transaction<Schema>,
  namespace: string,
  bytes: number,
): Promise<void> {
  if (context.database.kind === 'postgres') {
    const { rows } = await sql<{ share: number }>`
      select share from quota_shares where namespace = ${namespace} and free >= ${bytes}
      order by random() limit 1 for update skip locked`.execute(tx);
    const share = rows[0]?.share;
    if (share !== undefined) return give(tx, namespace, share, -bytes);
  }
  const shares = await lockShares(context, tx, namespace);
  if (shares.length === 0) return;
  const free = shares.reduce((sum, share) => sum + share.free, 0);
  if (free < bytes) throw await quotaExceeded(tx, namespace, bytes, free);
  await deal(tx, namespace, free - bytes, shares.length);
}

export async function refundQuota(
  context: RegistryContext,
  tx: Transaction<Schema>,
  namespace: string,
  bytes: number,
): Promise<void> {
  if (context.database.kind === 'postgres') {
    const { rows } = await sql<{ share: number }>`
      select share from quota_shares where namespace = ${namespace} order by random() limit 1 for update skip locked`.execute(
      tx,
    );
    const share = rows[0]?.share;
    if (share !== undefined) return give(tx, namespace, share, bytes);
  }
  const [first] = await lockShares(context, tx, namespace);
  if (first !== undefined) await give(tx, namespace, first.share, bytes);
}

/** Makes or replaces the shares of a quota. `free` is below zero when more is there than may be. */
export async function setShares(
  context: RegistryContext,
  tx: Transaction<Schema>,
  namespace: string,
  free: number,
): Promise<void> {
  await tx.deleteFrom('quota_shares').where('namespace', '=', namespace).execute();
  const count = SHARES[context.database.kind];
  const values = parts(free, count).map((part, share) => ({ namespace, share, free: part }));
  await tx.insertInto('quota_shares').values(values).execute();
}

/** What a quota leaves; undefined without one. */
export async function freeBytes(
  rows: Pick<Kysely<Schema>, 'selectFrom'>,
  namespace: string,
): Promise<number | undefined> {
  const row = await rows
    .selectFrom('quota_shares')
    .select((select) => select.fn.sum<number | string | null>('free').as('free'))
    .where('namespace', '=', namespace)
    .executeTakeFirst();
  return row === undefined || row.free === null ? undefined : Number(row.free);
}

/** Docker prints the message as it is. */
export async function quotaExceeded(
  rows: Pick<Kysely<Schema>, 'selectFrom'>,
  namespace: string,
  bytes: number,
  free: number,
): Promise<OciError> {
  const row = await rows.selectFrom('quotas').select('bytes').where('namespace', '=', namespace).executeTakeFirst();
  const quota = row?.bytes ?? 0;
  const whose = namespace === '' ? 'names without a namespace' : namespace;
  return new OciError(
    'DENIED',
    `quota: ${whose} may hold ${quota} bytes and holds ${quota - free}; ${bytes} more do not fit. Delete tags and wait for garbage collection, or ask an administrator for more`,
    { namespace, quota, used: quota - free, wanted: bytes },
  );
}

async function lockShares(context: RegistryContext, tx: Transaction<Schema>, namespace: string) {
  const query = tx.selectFrom('quota_shares').select(['share', 'free']).where('namespace', '=', namespace);
  const ordered = query.orderBy('share');
  return (context.database.kind === 'postgres' ? ordered.forUpdate() : ordered).execute();
}

async function give(tx: Transaction<Schema>, namespace: string, share: number, bytes: number): Promise<void> {
  await tx
    .updateTable('quota_shares')
    .set({ free: sql`free + ${bytes}` })
    .where('namespace', '=', namespace)
    .where('share', '=', share)
    .execute();
}

async function deal(tx: Transaction<Schema>, namespace: string, free: number, count: number): Promise<void> {
  for (const [share, part] of parts(free, count).entries()) {
    await tx
      .updateTable('quota_shares')
      .set({ free: part })
      .where('namespace', '=', namespace)
      .where('share', '=', share)
      .execute();
  }
}

function parts(bytes: number, count: number): number[] {
  const each = Math.floor(bytes / count);
  return Array.from({ length: count }, (_, i) => (i === 0 ? bytes - each * (count - 1) : each));
}
