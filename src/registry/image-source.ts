import type { Kysely, Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { isRepositoryName, parseTag, type RepositoryName } from '../oci/names.ts';
import { greatest } from './blobs.ts';
import type { Actor, RegistryContext } from './context.ts';
import { findDocument, saidOfImage } from './image-documents.ts';
import { isImmutable, presentName } from './repositories.ts';
import { currentDigest, deleteTagRow, moveTag } from './tags.ts';

/*
 * The registry as releases see it (`releases/context.ts`, `ImageSource`): what a reference names, what its annotations say, a hold on it,
 * and the tags that follow deployments.
 */

/** Tags that a search among all of them looks at. */
const MOST_TAGS = 10_000;
const MOST_BATCH = 500;

type Rows = Pick<Kysely<Schema>, 'selectFrom'>;

/** @param reference a tag or a digest @returns undefined when there is no such manifest; the repository by its present name */
export async function findImage(
  context: RegistryContext,
  name: RepositoryName,
  reference: string,
): Promise<{ repository: RepositoryName; digest: Digest; tag: string | null } | undefined> {
  const { read } = context.database;
  const repository = await repositoryOf(read, name);
  if (repository === undefined) return undefined;
  if (isDigest(reference)) {
    const row = await read
      .selectFrom('manifests')
      .select('digest')
      .where('repository_id', '=', repository.id)
      .where('digest', '=', reference)
      .executeTakeFirst();
    return row && { repository: repository.name, digest: row.digest, tag: null };
  }
  const row = await read
    .selectFrom('tags')
    .select(['digest', 'name'])
    .where('repository_id', '=', repository.id)
    .where('name', '=', parseTag(reference))
    .executeTakeFirst();
  return row && { repository: repository.name, digest: row.digest, tag: row.name };
}

export async function tagsOfImage(
  context: RegistryContext,
  name: RepositoryName,
): Promise<{ name: string; digest: Digest; updatedAt: number }[]> {
  const { read } = context.database;
  const repository = await repositoryOf(read, name);
  if (repository === undefined) return [];
  const rows = await read
    .selectFrom('tags')
    .select(['name', 'digest', 'updated_at'])
    .where('repository_id', '=', repository.id)
    .orderBy('updated_at', 'desc')
    .limit(MOST_TAGS)
    .execute();
  return rows.map((row) => ({ name: row.name, digest: row.digest, updatedAt: row.updated_at }));
}

/**
 * The annotations of an image: those of its index come before those of a manifest, and these before its config's labels. And what a
 * pull of it takes, in bytes; of an index, its first image.
 */
export async function describeImage(
  context: RegistryContext,
  name: RepositoryName,
  digest: Digest,
): Promise<{ annotations: Record<string, string>; bytes: number }> {
  const repository = await repositoryOf(context.database.read, name);
  const top = repository && (await findDocument(context, repository.id, digest));
  if (repository === undefined || top === undefined) return { annotations: {}, bytes: 0 };
  const { annotations, image } = await saidOfImage(context, repository.id, top.document);
  const layers = image?.layers ?? [];
  return { annotations, bytes: layers.reduce((sum, layer) => sum + layer.size, image?.config?.size ?? 0) };
}

/** Keeps garbage collection off a manifest for a grace window. False when it is not there. */
export async function holdImage(
  context: RegistryContext,
  tx: Transaction<Schema>,
  name: RepositoryName,
  digest: Digest,
): Promise<boolean> {
  const repository = await repositoryOf(tx, name);
  if (repository === undefined) return false;
  const { numUpdatedRows } = await tx
    .updateTable('manifests')
    .set({ protected_until: greatest('protected_until', context.now() + context.policy.graceMs) })
    .where('repository_id', '=', repository.id)
    .where('digest', '=', digest)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Which of these are there still. */
export async function presentImages(
  rows: Rows,
  images: readonly { repository: RepositoryName; digest: Digest }[],
): Promise<Set<Digest>> {
  const present = new Set<Digest>();
  for (const { repository, digest } of images.slice(0, MOST_BATCH)) {
    const place = await repositoryOf(rows, repository);
    const found =
      place &&
      (await rows
        .selectFrom('manifests')
        .select('digest')
        .where('repository_id', '=', place.id)
        .where('digest', '=', digest)
        .executeTakeFirst());
    if (found !== undefined) present.add(digest);
  }
  return present;
}

/** Points a tag at a manifest that is there; nothing happens when it is not, or when the tag may not be moved. */
export async function pointTag(
  context: RegistryContext,
  tx: Transaction<Schema>,
  name: RepositoryName,
  tagText: string,
  digest: Digest,
  actor: Actor,
): Promise<void> {
  const repository = await repositoryOf(tx, name);
  if (repository === undefined || !(await holdImage(context, tx, name, digest))) return;
  const tag = parseTag(tagText);
  const current = await currentDigest(context, tx, repository.id, tag);
  const place = { id: repository.id, name: repository.name, immutableTags: repository.immutableTags };
  if (current === digest || (current !== undefined && isImmutable(place, tag))) return;
  await moveTag(context, tx, place, { tag, digest, action: 'promote', actor, precondition: {} });
  await context.record(tx, actor, {
    action: 'tag.promote',
    subject: `${repository.name}:${tag}`,
    detail: { digest, previous: current ?? null },
  });
}

/** As `pointTag`, for a tag that never moves: its pattern becomes one of the repository's immutable ones. */
export async function pinTag(
  context: RegistryContext,
  tx: Transaction<Schema>,
  name: RepositoryName,
  pin: { tag: string; pattern: string; digest: Digest },
  actor: Actor,
): Promise<void> {
  await pointTag(context, tx, name, pin.tag, pin.digest, actor);
  const repository = await repositoryOf(tx, name);
  if (repository === undefined || isImmutable(repository, pin.tag)) return;
  const patterns = [...repository.immutableTags, pin.pattern];
  await tx
    .updateTable('repositories')
    .set({ immutable_tags: JSON.stringify(patterns) })
    .where('id', '=', repository.id)
    .execute();
  await context.record(tx, actor, {
    action: 'repository.update',
    subject: repository.name,
    detail: { immutableTags: patterns },
  });
}

/** Removes a pinned tag that is no longer needed; one that names something else stays. */
export async function unpinTag(
  context: RegistryContext,
  tx: Transaction<Schema>,
  name: RepositoryName,
  pin: { tag: string; digest: Digest },
  actor: Actor,
): Promise<void> {
  const repository = await repositoryOf(tx, name);
  if (repository === undefined) return;
  const tag = parseTag(pin.tag);
  if ((await currentDigest(context, tx, repository.id, tag)) !== pin.digest) return;
  await deleteTagRow(context, tx, repository, { tag, previous: pin.digest, actor });
}

async function repositoryOf(
  rows: Rows,
  name: RepositoryName,
): Promise<{ id: number; name: RepositoryName; immutableTags: string[] } | undefined> {
  if (!isRepositoryName(name)) return undefined;
  const find = (wanted: RepositoryName) =>
    rows
      .selectFrom('repositories')
      .select(['id', 'name', 'immutable_tags'])
      .where('name', '=', wanted)
      .executeTakeFirst();
  const direct = await find(name);
  const now = direct === undefined ? await presentName(rows, name) : undefined;
  const row = direct ?? (now === undefined ? undefined : await find(now));
  return (
    row && {
      id: row.id,
      name: row.name,
      immutableTags: row.immutable_tags === null ? [] : JSON.parse(row.immutable_tags),
    }
  );
}
