import { sql, type Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { Digest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/names.ts';
import { type StoredBlob, StoreUnavailableError } from '../storage/blob-store.ts';
import { refuseCached } from './cache-prefixes.ts';
import type { Actor, RegistryContext } from './context.ts';
import { addContent, dropContent } from './namespace-content.ts';
import { BEFORE_NAMES, ensureRepository, getRepository } from './repositories.ts';

const LINK_TRIES = 3;

/**
 * The size of a blob that the repository has (end-2, HEAD). A client asks before it pushes, and leaves out what is
 * there: so the answer "yes" also protects the blob for a grace window.
 *
 * @throws OciError BLOB_UNKNOWN
 */
export async function statBlob(context: RegistryContext, name: RepositoryName, digest: Digest): Promise<number> {
  const blob = await context.pull.blob(name, digest);
  // Bytes that were lost are not "there" for who asks whether to push: so the push brings them back.
  if (blob === undefined || (await context.store.stat(digest)) !== blob.size) throw unknownBlob(name, digest);
  const now = context.now();
  if (blob.protectedUntil < now + context.policy.graceMs / 2) {
    const touched = await context.database.relaxedTransaction((tx) =>
      tx
        .updateTable('repository_blobs')
        .set({ protected_until: now + context.policy.graceMs })
        .where('repository_id', '=', blob.repositoryId)
        .where('digest', '=', digest)
        .executeTakeFirst(),
    );
    if (touched.numUpdatedRows === 0n) throw unknownBlob(name, digest);
  }
  return blob.size;
}

/**
 * A blob to send (end-2). @throws OciError BLOB_UNKNOWN; StoreUnavailableError when the row is there and the bytes are
 * not: that is damage, and must not look like "push it again, it never was here".
 */
export async function readBlob(context: RegistryContext, name: RepositoryName, digest: Digest): Promise<StoredBlob> {
  const row = await context.pull.blob(name, digest);
  if (row === undefined) throw unknownBlob(name, digest);
  const blob = await context.store.read(digest);
  if (blob?.size !== row.size)
    throw new StoreUnavailableError(`the bytes of ${digest} are missing or cut; run berth verify`);
  return blob;
}

/**
 * Makes a blob of `from` a blob of `name` too, without its bytes travelling (end-11). False when `from` does not have it.
 *
 * @throws OciError DENIED when `name` is a former name of a repository, or below a cache
 */
export async function mountBlob(
  context: RegistryContext,
  name: RepositoryName,
  digest: Digest,
  from: RepositoryName,
  actor: Actor,
): Promise<boolean> {
  await refuseCached(context.caches, name);
  const blob = await context.pull.blob(from, digest);
  if (blob === undefined || (await context.store.stat(digest)) !== blob.size) return false;
  context.database.requireRoom();
  const now = context.now();
  return context.database.transaction(async (tx) => {
    const source = await tx
      .updateTable('repository_blobs')
      .set({ protected_until: greatest('protected_until', now + context.policy.graceMs) })
      .where('repository_id', '=', blob.repositoryId)
      .where('digest', '=', digest)
      .executeTakeFirst();
    if (source.numUpdatedRows === 0n) return false;
    const repository = await ensureRepository(context, tx, name, actor);
    await linkBlob(context, tx, repository.id, digest, blob.size);
    await context.mounted(tx, actor, { repository: name, from, digest, size: blob.size });
    return true;
  }, 'growth');
}

/** Repositories that have a blob, for a mount without `from` (OCI Distribution 1.1 "Mounting a blob from another repository"). */
export async function repositoriesWithBlob(
  context: RegistryContext,
  digest: Digest,
  limit: number,
): Promise<RepositoryName[]> {
  const rows = await context.database.read
    .selectFrom('repository_blobs as l')
    .innerJoin('repositories as r', 'r.id', 'l.repository_id')
    .select('r.name')
    .where('l.digest', '=', digest)
    .where('r.name', '>', BEFORE_NAMES)
    .limit(limit)
    .execute();
  return rows.map((row) => row.name);
}

/**
 * Takes a blob out of a repository (end-10). The bytes stay while another repository has it.
 *
 * @throws OciError BLOB_UNKNOWN; UNSUPPORTED while a manifest of the repository names it
 */
export async function deleteBlob(
  context: RegistryContext,
  name: RepositoryName,
  digest: Digest,
  actor: Actor,
): Promise<void> {
  const repository = await getRepository(context, name);
  await context.database.transaction(async (tx) => {
    // The row is taken first: on PostgreSQL a manifest that is being put then waits, and finds it gone.
    const deleted = await tx
      .deleteFrom('repository_blobs')
      .where('repository_id', '=', repository.id)
      .where('digest', '=', digest)
      .executeTakeFirst();
    if (deleted.numDeletedRows === 0n) throw unknownBlob(name, digest);
    const users = await manifestsNaming(tx, repository.id, digest);
    if (users.length > 0) {
      throw new OciError(
        'UNSUPPORTED',
        `blob: ${digest} is named by ${users.length} manifest(s) of ${name}; delete them first`,
        {
          digest,
          manifests: users,
        },
      );
    }
    await dropContent(context, tx, repository.id, [digest]);
    await context.record(tx, actor, { action: 'blob.delete', subject: `${name}@${digest}` });
  });
}

/** Up to 20 manifests of the repository that name `target`. */
export async function manifestsNaming(
  tx: Transaction<Schema>,
  repositoryId: number,
  target: Digest,
): Promise<Digest[]> {
  const rows = await tx
    .selectFrom('manifest_references')
    .select('manifest')
    .where('repository_id', '=', repositoryId)
    .where('target', '=', target)
    .limit(20)
    .execute();
  return rows.map((row) => row.manifest);
}

/** Says in the same transaction that the bytes are stored and that the repository has them. */
export async function linkBlob(
  context: RegistryContext,
  tx: Transaction<Schema>,
  repositoryId: number,
  digest: Digest,
  size: number,
): Promise<void> {
  const protectedUntil = context.now() + context.policy.graceMs;
  const stored = await tx
    .updateTable('blobs')
    .set({ state: 'stored', size, protected_until: greatest('protected_until', protectedUntil) })
    .where('digest', '=', digest)
    .where('state', '<>', 'deleting')
    .executeTakeFirst();
  if (stored.numUpdatedRows === 0n) {
    throw new OciError('UNAVAILABLE', `blob: ${digest} was removed meanwhile; push it again`, { digest });
  }
  if (await insertLink(tx, repositoryId, digest, protectedUntil)) {
    await addContent(context, tx, repositoryId, [{ digest, size }]);
  }
}

/** Returns whether the repository did not have the blob. On PostgreSQL a link may go between the two statements, but not again and again. */
async function insertLink(
  tx: Transaction<Schema>,
  repositoryId: number,
  digest: Digest,
  protectedUntil: number,
): Promise<boolean> {
  for (let tries = 0; tries < LINK_TRIES; tries++) {
    const inserted = await tx
      .insertInto('repository_blobs')
      .values({ repository_id: repositoryId, digest, protected_until: protectedUntil })
      .onConflict((conflict) => conflict.columns(['repository_id', 'digest']).doNothing())
      .executeTakeFirst();
    if ((inserted.numInsertedOrUpdatedRows ?? 0n) > 0n) return true;
    const touched = await tx
      .updateTable('repository_blobs')
      .set({ protected_until: protectedUntil })
      .where('repository_id', '=', repositoryId)
      .where('digest', '=', digest)
      .executeTakeFirst();
    if (touched.numUpdatedRows > 0n) return false;
  }
  throw new OciError('UNAVAILABLE', `blob: ${digest} was taken out of the repository meanwhile; push it again`, {
    digest,
  });
}

/** The later of a column's time and `time`: protection is only ever prolonged. */
export function greatest(column: 'protected_until' | 'manifests.protected_until', time: number) {
  return sql<number>`case when ${sql.ref(column)} > ${time} then ${sql.ref(column)} else ${time} end`;
}

export function unknownBlob(name: RepositoryName, digest: Digest): OciError {
  return new OciError('BLOB_UNKNOWN', `blob: ${name} has no ${digest}`, { name, digest });
}
