import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { type Digest, digestAlgorithm, digestOf } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import { type ManifestTarget, parseManifest } from '../oci/manifest.ts';
import type { Reference, RepositoryName } from '../oci/names.ts';
import { greatest, manifestsNaming } from './blobs.ts';
import { refuseCached } from './cache-prefixes.ts';
import type { Actor, RegistryContext } from './context.ts';
import { addContent, dropContent } from './namespace-content.ts';
import type { PulledManifest } from './pull-reader.ts';
import { ensureRepository, getRepository, isImmutable, renamedRepository } from './repositories.ts';
import { currentDigest, deleteTagRow, moveTag, type TagPrecondition } from './tags.ts';

export interface PutManifest {
  name: RepositoryName;
  reference: Reference;
  bytes: Uint8Array;
  contentType: string | null;
  precondition: TagPrecondition;
  actor: Actor;
  /** Whether what it names may come later, or never: for a cache. */
  partial?: boolean;
}

/** Rows that one statement names; SQLite takes 32,766 values. */
const BATCH = 1_000;

/**
 * What a reference names (end-3). HEAD by digest also protects the manifest for a grace window, as `statBlob` does. Under a former
 * name of a repository a digest names what it did, a tag nothing.
 *
 * @throws OciError MANIFEST_UNKNOWN; NAME_UNKNOWN for a tag under a former name
 */
export async function getManifest(
  context: RegistryContext,
  name: RepositoryName,
  reference: Reference,
): Promise<PulledManifest> {
  const manifest = await context.pull.manifest(name, reference);
  if (manifest === undefined) throw await missingManifest(context, name, reference);
  return manifest;
}

/** As `getManifest`, for a client that asks whether it must push. */
export async function statManifest(
  context: RegistryContext,
  name: RepositoryName,
  reference: Reference,
): Promise<PulledManifest> {
  const manifest = await getManifest(context, name, reference);
  const now = context.now();
  if (reference.kind === 'digest' && manifest.protectedUntil < now + context.policy.graceMs / 2) {
    const touched = await context.database.relaxedTransaction((tx) =>
      tx
        .updateTable('manifests')
        .set({ protected_until: now + context.policy.graceMs })
        .where('repository_id', '=', manifest.repositoryId)
        .where('digest', '=', manifest.digest)
        .executeTakeFirst(),
    );
    if (touched.numUpdatedRows === 0n) throw unknownManifest(name, reference);
  }
  return manifest;
}

/**
 * Stores a manifest and points its tag at it (end-7), in one transaction. Everything it names must be in the
 * repository, except foreign layers and a missing subject. On return it is durable.
 *
 * @throws OciError MANIFEST_INVALID, MANIFEST_TOO_LARGE, DIGEST_INVALID, MANIFEST_BLOB_UNKNOWN, PRECONDITION_FAILED, DENIED (immutable
 *   tag, former name of a repository, below a cache)
 */
export async function putManifest(
  context: RegistryContext,
  put: PutManifest,
): Promise<{ digest: Digest; subject: Digest | undefined; repositoryId: number }> {
  const { bytes, reference } = put;
  await refuseCached(context.caches, put.name);
  const manifest = parseManifest(bytes, put.contentType);
  const digest = digestOf(bytes, reference.kind === 'digest' ? digestAlgorithm(reference.digest) : 'sha256');
  if (reference.kind === 'digest' && reference.digest !== digest) {
    throw new OciError('DIGEST_INVALID', `reference: the manifest is ${digest}, not ${reference.digest}`, {
      digest: reference.digest,
      uploaded: digest,
    });
  }
  context.database.requireRoom();
  const now = context.now();
  const repositoryId = await context.database.transaction(async (tx) => {
    const repository = await ensureRepository(context, tx, put.name, put.actor);
    await protectTargets(context, tx, repository.id, manifest.targets, put.partial ?? false);
    const protectedUntil = now + context.policy.graceMs;
    const size = bytes.byteLength;
    const inserted = await tx
      .insertInto('manifests')
      .values({
        repository_id: repository.id,
        digest,
        media_type: manifest.mediaType,
        artifact_type: manifest.artifactType ?? null,
        subject: manifest.subject ?? null,
        annotations: manifest.annotations === undefined ? null : JSON.stringify(manifest.annotations),
        size,
        content: bytes,
        pushed_at: now,
        pushed_by: put.actor.name,
        protected_until: protectedUntil,
      })
      .onConflict((conflict) => conflict.columns(['repository_id', 'digest']).doNothing())
      .executeTakeFirst();
    if ((inserted.numInsertedOrUpdatedRows ?? 0n) > 0n)
      await addContent(context, tx, repository.id, [{ digest, size }]);
    else await refreshManifest(tx, repository.id, digest, bytes, protectedUntil);
    for (let i = 0; i < manifest.targets.length; i += BATCH) {
      await tx
        .insertInto('manifest_references')
        .values(
          manifest.targets
            .slice(i, i + BATCH)
            .map(({ kind, digest: target }) => ({ repository_id: repository.id, manifest: digest, target, kind })),
        )
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
    const facts = { mediaType: manifest.mediaType, size };
    if (reference.kind === 'tag') {
      const { tag } = reference;
      const previous = await moveTag(context, tx, repository, {
        tag,
        digest,
        action: 'push',
        actor: put.actor,
        precondition: put.precondition,
      });
      const detail = { digest, previous: previous ?? null };
      await context.record(tx, put.actor, { action: 'tag.push', subject: `${put.name}:${tag}`, detail, facts });
    } else {
      await context.record(tx, put.actor, { action: 'manifest.push', subject: `${put.name}@${digest}`, facts });
    }
    context.onStep('manifest-written');
    return repository.id;
  }, 'growth');
  context.onStep('manifest-committed');
  return { digest, subject: manifest.subject, repositoryId };
}

/**
 * The same bytes, unless the stored ones were damaged. The media type stays the first one: a digest that is served as another type later
 * would be a changed image under an immutable name.
 *
 * @throws OciError UNAVAILABLE when it was removed meanwhile
 */
async function refreshManifest(
  tx: Transaction<Schema>,
  repositoryId: number,
  digest: Digest,
  bytes: Uint8Array,
  protectedUntil: number,
): Promise<void> {
  const touched = await tx
    .updateTable('manifests')
    .set({ content: bytes, size: bytes.byteLength, protected_until: greatest('protected_until', protectedUntil) })
    .where('repository_id', '=', repositoryId)
    .where('digest', '=', digest)
    .executeTakeFirst();
  if (touched.numUpdatedRows > 0n) return;
  throw new OciError('UNAVAILABLE', `manifest: ${digest} was removed meanwhile; push it again`, { digest });
}

/**
 * Deletes a manifest and every tag on it (end-9).
 *
 * @throws OciError MANIFEST_UNKNOWN; UNSUPPORTED while an index names it; DENIED while something deployed uses it or a
 *   tag on it is immutable
 */
export async function deleteManifest(
  context: RegistryContext,
  name: RepositoryName,
  digest: Digest,
  actor: Actor,
): Promise<void> {
  const repository = await getRepository(context, name);
  await context.database.transaction(async (tx) => {
    await lockManifest(context, tx, repository.id, digest);
    const users = await context.usersOf(tx, digest, name);
    if (users.length > 0) {
      throw new OciError('DENIED', `manifest: ${digest} is in use: ${users.join('; ')}`, { digest, users });
    }
    const parents = await manifestsNaming(tx, repository.id, digest);
    if (parents.length > 0) {
      throw new OciError(
        'UNSUPPORTED',
        `manifest: ${digest} is named by ${parents.length} index(es) of ${name}; delete them first`,
        {
          digest,
          manifests: parents,
        },
      );
    }
    const tags = await tx
      .selectFrom('tags')
      .select('name')
      .where('repository_id', '=', repository.id)
      .where('digest', '=', digest)
      .orderBy('name')
      .execute();
    const fixed = tags.find((tag) => isImmutable(repository, tag.name));
    if (fixed !== undefined) {
      throw new OciError('DENIED', `tag: ${fixed.name} is immutable in ${name}, and names ${digest}`, {
        tag: fixed.name,
      });
    }
    for (const tag of tags) {
      // A push may have moved it on since: then it is no longer this manifest's to delete.
      if ((await currentDigest(context, tx, repository.id, tag.name)) !== digest) continue;
      await deleteTagRow(context, tx, repository, { tag: tag.name, previous: digest, actor });
    }
    const deleted = await tx
      .deleteFrom('manifests')
      .where('repository_id', '=', repository.id)
      .where('digest', '=', digest)
      .executeTakeFirst();
    if (deleted.numDeletedRows === 0n) throw unknownManifest(name, { kind: 'digest', digest });
    await dropContent(context, tx, repository.id, [digest]);
    await context.record(tx, actor, { action: 'manifest.delete', subject: `${name}@${digest}` });
  });
}

/**
 * On PostgreSQL, takes the manifest's row before anything that depends on it is read: whoever names it (an index, a
 * tag) touches it first, so the two wait for each other. The order is manifest, then tag, as in `putManifest`.
 */
async function lockManifest(
  context: RegistryContext,
  tx: Transaction<Schema>,
  repositoryId: number,
  digest: Digest,
): Promise<void> {
  if (context.database.kind !== 'postgres') return;
  await tx
    .selectFrom('manifests')
    .select('digest')
    .where('repository_id', '=', repositoryId)
    .where('digest', '=', digest)
    .forUpdate()
    .execute();
}

/**
 * Checks that all targets are in the repository, unless it may have a part of them, and keeps garbage collection off them, in one statement a kind: a row
 * that is there is touched, so one that is being removed is waited for and then missed.
 */
async function protectTargets(
  context: RegistryContext,
  tx: Transaction<Schema>,
  repositoryId: number,
  targets: readonly ManifestTarget[],
  partial: boolean,
): Promise<void> {
  const until = context.now() + context.policy.graceMs;
  const manifests = targets.filter((target) => target.kind === 'manifest').map((target) => target.digest);
  const blobs = targets.filter((target) => target.kind !== 'manifest').map((target) => target.digest);
  for (const [table, digests] of [['repository_blobs', blobs] as const, ['manifests', manifests] as const]) {
    for (let i = 0; i < digests.length; i += BATCH) {
      const batch = digests.slice(i, i + BATCH);
      const touched = await tx
        .updateTable(table)
        .set({ protected_until: greatest('protected_until', until) })
        .where('repository_id', '=', repositoryId)
        .where('digest', 'in', batch)
        .executeTakeFirst();
      if (partial || touched.numUpdatedRows === BigInt(batch.length)) continue;
      const rows = await tx
        .selectFrom(table)
        .select('digest')
        .where('repository_id', '=', repositoryId)
        .where('digest', 'in', batch)
        .execute();
      const present = new Set(rows.map((row) => row.digest));
      const missing = batch.filter((digest) => !present.has(digest));
      throw new OciError(
        'MANIFEST_BLOB_UNKNOWN',
        `manifest: names ${missing.length} digest(s) that are not in the repository: ${missing.slice(0, 5).join(', ')}`,
        {
          missing: missing.slice(0, 100),
        },
      );
    }
  }
}

/** A tag under a former name is not looked for: it would go on to name what was pushed there under the other one. */
async function missingManifest(
  context: RegistryContext,
  name: RepositoryName,
  reference: Reference,
): Promise<OciError> {
  const renamed = reference.kind === 'tag' ? await renamedRepository(context, name) : undefined;
  return renamed ?? unknownManifest(name, reference);
}

export function unknownManifest(name: RepositoryName, reference: Reference): OciError {
  const text = reference.kind === 'tag' ? reference.tag : reference.digest;
  return new OciError('MANIFEST_UNKNOWN', `manifest: ${name} has no ${text}`, { name, reference: text });
}
