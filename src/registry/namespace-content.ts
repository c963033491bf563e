import { sql, type Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { Digest } from '../oci/digest.ts';
import { namespaceOf, type RepositoryName } from '../oci/names.ts';
import type { RegistryContext } from './context.ts';
import { chargeQuota, refundQuota } from './quota-shares.ts';

/** A blob or manifest and its size in bytes. */
export interface Content {
  digest: Digest;
  size: number;
}

/** Rows of one statement. */
const BATCH = 500;

/**
 * Says that a repository has got blobs or manifests that it did not have. Each counts once for the namespace, in however many of its
 * repositories it is. Called in the transaction that adds the rows, so that the count is never wrong.
 *
 * @throws OciError DENIED when the namespace's quota has no room for what is new to it
 */
export async function addContent(
  context: RegistryContext,
  tx: Transaction<Schema>,
  repositoryId: number,
  content: readonly Content[],
): Promise<void> {
  if (content.length === 0) return;
  await addTo(context, tx, await namespaceIn(context, tx, repositoryId), content);
}

/** The opposite of `addContent`: each of these is in the repository no more. Gives back what the namespace has no more. */
export async function dropContent(
  context: RegistryContext,
  tx: Transaction<Schema>,
  repositoryId: number,
  digests: readonly Digest[],
): Promise<void> {
  if (digests.length === 0) return;
  await dropFrom(context, tx, await namespaceIn(context, tx, repositoryId), digests);
}

/**
 * Moves what a repository has from one namespace's count to another's; its name has been changed in this transaction.
 *
 * @throws OciError DENIED when the new namespace's quota has no room for it
 */
export async function moveContent(
  context: RegistryContext,
  tx: Transaction<Schema>,
  move: { repositoryId: number; from: RepositoryName; to: RepositoryName },
): Promise<void> {
  const from = namespaceOf(move.from);
  const to = namespaceOf(move.to);
  if (from === to) return;
  const manifests = await tx
    .selectFrom('manifests')
    .select(['digest', 'size'])
    .where('repository_id', '=', move.repositoryId)
    .execute();
  const blobs = await tx
    .selectFrom('repository_blobs as l')
    .innerJoin('blobs as b', 'b.digest', 'l.digest')
    .select(['l.digest', 'b.size'])
    .where('l.repository_id', '=', move.repositoryId)
    .execute();
  for (const content of [manifests, blobs]) {
    await dropFrom(
      context,
      tx,
      from,
      content.map(({ digest }) => digest),
    );
    await addTo(context, tx, to, content);
  }
}

/** Bytes that a namespace holds, counted now: each blob and manifest once. */
export async function contentBytes(tx: Pick<Transaction<Schema>, 'selectFrom'>, namespace: string): Promise<number> {
  const row = await tx
    .selectFrom('namespace_content')
    .select((select) => select.fn.sum<number | string | null>('size').as('bytes'))
    .where('namespace', '=', namespace)
    .executeTakeFirst();
  return Number(row?.bytes ?? 0);
}

/** The namespace of a repository's name; of one that is being deleted the one it had. */
export function accountedNamespace(name: RepositoryName): string {
  return namespaceOf(name.startsWith('!') ? (name.slice(name.indexOf('/') + 1) as RepositoryName) : name);
}

/** On PostgreSQL the repository can't be renamed until the transaction ends. */
async function namespaceIn(context: RegistryContext, tx: Transaction<Schema>, repositoryId: number): Promise<string> {
  const query = tx.selectFrom('repositories').select('name').where('id', '=', repositoryId);
  const { name } = await (context.database.kind === 'postgres' ? query.forKeyShare() : query).executeTakeFirstOrThrow();
  return accountedNamespace(name);
}

async function addTo(
  context: RegistryContext,
  tx: Transaction<Schema>,
  namespace: string,
  content: readonly Content[],
): Promise<void> {
  let bytes = 0;
  // In one order, so that two transactions never wait for each other.
  const sorted = [...content].sort(byDigest);
  for (let i = 0; i < sorted.length; i += BATCH) {
    const rows = await tx
      .insertInto('namespace_content')
      .values(sorted.slice(i, i + BATCH).map(({ digest, size }) => ({ namespace, digest, size, links: 1 })))
      .onConflict((conflict) =>
        conflict.columns(['namespace', 'digest']).doUpdateSet({ links: sql`namespace_content.links + 1` }),
      )
      .returning(['size', 'links'])
      .execute();
    for (const { size, links } of rows) if (links === 1) bytes += size;
  }
  if (bytes > 0) await chargeQuota(context, tx, namespace, bytes);
}

async function dropFrom(
  context: RegistryContext,
  tx: Transaction<Schema>,
  namespace: string,
  digests: readonly Digest[],
): Promise<void> {
  let bytes = 0;
  const sorted = [...digests].sort();
  for (let i = 0; i < sorted.length; i += BATCH) {
    const batch = sorted.slice(i, i + BATCH);
    await tx
      .updateTable('namespace_content')
      .set({ links: sql`links - 1` })
      .where('namespace', '=', namespace)
      .where('digest', 'in', batch)
      .execute();
    const gone = await tx
      .deleteFrom('namespace_content')
      .where('namespace', '=', namespace)
      .where('digest', 'in', batch)
      .where('links', '<=', 0)
      .returning('size')
      .execute();
    for (const { size } of gone) bytes += size;
  }
  if (bytes > 0) await refundQuota(context, tx, namespace, bytes);
}

function byDigest(a: Content, b: Content): number {
  return a.digest < b.digest ? -1 : 1;
}
