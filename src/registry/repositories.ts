import { type Kysely, sql, type Transaction } from 'kysely';
import type { Schema, Visibility } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import { namespaceOf, type RepositoryName } from '../oci/names.ts';
import { matchesPattern } from '../oci/tag-pattern.ts';
import type { Actor, RegistryContext } from './context.ts';
import { applyDefaultQuota } from './quotas.ts';

export interface Repository {
  id: number;
  name: RepositoryName;
  immutableTags: string[];
}

/**
 * Sorts before every name. What is deleted has a name that sorts before it, so that nobody can ask for it, until the last of its rows
 * are removed.
 */
export const BEFORE_NAMES = '/' as RepositoryName;

export async function findRepository(context: RegistryContext, name: RepositoryName): Promise<Repository | undefined> {
  const row = await context.database.read
    .selectFrom('repositories')
    .select(['id', 'immutable_tags'])
    .where('name', '=', name)
    .executeTakeFirst();
  return row && { id: row.id, name, immutableTags: patterns(row.immutable_tags) };
}

/** @throws OciError NAME_UNKNOWN, with the name that it has now when this is a former one */
export async function getRepository(context: RegistryContext, name: RepositoryName): Promise<Repository> {
  const repository = await findRepository(context, name);
  if (repository === undefined) throw await missingRepository(context, name);
  return repository;
}

/** The one error for a name that nobody has and for one that the caller may not see. */
export function unknownRepository(name: RepositoryName): OciError {
  return new OciError('NAME_UNKNOWN', `name: no repository ${name}`, { name });
}

/** Why no repository has this name. Who got here may read what had it before: a former name has its repository's rights. */
export async function missingRepository(context: RegistryContext, name: RepositoryName): Promise<OciError> {
  return (await renamedRepository(context, name)) ?? unknownRepository(name);
}

/** For a former name: NAME_UNKNOWN that says the one it has now. */
export async function renamedRepository(context: RegistryContext, name: RepositoryName): Promise<OciError | undefined> {
  const now = await presentName(context.database.read, name);
  if (now === undefined) return undefined;
  return new OciError('NAME_UNKNOWN', `name: ${name} was renamed to ${now}`, { name, renamedTo: now });
}

/** The name that a repository has now, by a former one. */
export async function presentName(
  db: Pick<Kysely<Schema>, 'selectFrom'>,
  former: RepositoryName,
): Promise<RepositoryName | undefined> {
  const row = await db
    .selectFrom('repository_aliases as a')
    .innerJoin('repositories as r', 'r.id', 'a.repository_id')
    .select('r.name')
    .where('a.name', '=', former)
    .executeTakeFirst();
  return row?.name;
}

/**
 * The repository, made by the first push to it. Until the transaction ends it can't be renamed or deleted.
 *
 * @throws OciError DENIED for a former name
 */
export async function ensureRepository(
  context: RegistryContext,
  tx: Transaction<Schema>,
  name: RepositoryName,
  actor: Actor,
): Promise<Repository> {
  const found = await holdRepository(context, tx, name);
  if (found !== undefined) return found;
  await lockNames(context, tx, [name]);
  const made = await holdRepository(context, tx, name);
  if (made !== undefined) return made;
  const now = await presentName(tx, name);
  if (now !== undefined) {
    throw new OciError('DENIED', `name: ${name} was renamed to ${now}: push there, or remove the former name`, {
      name,
      renamedTo: now,
    });
  }
  return insertRepository(context, tx, { name, visibility: context.defaultVisibility, description: '' }, actor);
}

/** Makes a repository whose name is free, which `lockNames` keeps so. */
export async function insertRepository(
  context: RegistryContext,
  tx: Transaction<Schema>,
  repository: { name: RepositoryName; visibility: Visibility; description: string },
  actor: Actor,
): Promise<Repository> {
  const { id } = await tx
    .insertInto('repositories')
    .values({ ...repository, created_at: context.now(), immutable_tags: null })
    .returning('id')
    .executeTakeFirstOrThrow();
  const { name, visibility } = repository;
  await applyDefaultQuota(context, tx, name);
  await context.record(tx, actor, { action: 'repository.create', subject: name, detail: { visibility } });
  return { id, name, immutableTags: [] };
}

/**
 * Finds a repository for a change in it. On PostgreSQL its name and its existence are locked against others than such changes; who
 * renames or deletes takes the row `for update`, so one waits for the other, and then sees what it did.
 */
async function holdRepository(
  context: RegistryContext,
  tx: Transaction<Schema>,
  name: RepositoryName,
): Promise<Repository | undefined> {
  const query = tx.selectFrom('repositories').select(['id', 'immutable_tags']).where('name', '=', name);
  const row = await (context.database.kind === 'postgres' ? query.forKeyShare() : query).executeTakeFirst();
  return row && { id: row.id, name, immutableTags: patterns(row.immutable_tags) };
}

/**
 * Finds a repository to rename or delete it. On PostgreSQL whoever changes something in it is waited for, or waits and then does not find
 * it any more.
 */
export async function takeRepository(
  context: RegistryContext,
  tx: Transaction<Schema>,
  name: RepositoryName,
): Promise<number | undefined> {
  const query = tx.selectFrom('repositories').select('id').where('name', '=', name);
  return (await (context.database.kind === 'postgres' ? query.forUpdate() : query).executeTakeFirst())?.id;
}

/** Two kinds of advisory locks, apart from those of other names for the same number. */
const OF_NAME = 1;
const OF_NAMESPACE = 2;

/**
 * On PostgreSQL: from here to the end of the transaction nobody else makes a repository of one of these names, gives it one of
 * them or takes it from it. On SQLite there is one writer anyway.
 */
export async function lockNames(
  context: RegistryContext,
  tx: Transaction<Schema>,
  names: readonly RepositoryName[],
): Promise<void> {
  if (context.database.kind !== 'postgres') return;
  for (const namespace of new Set(names.map(namespaceOf).sort())) {
    await sql`select pg_advisory_xact_lock_shared(hashtextextended(${namespace}, ${OF_NAMESPACE}))`.execute(tx);
  }
  for (const name of new Set([...names].sort())) {
    await sql`select pg_advisory_xact_lock(hashtextextended(${name}, ${OF_NAME}))`.execute(tx);
  }
}

/** The same for every name beneath these namespaces. */
export async function lockNamespaces(
  context: RegistryContext,
  tx: Transaction<Schema>,
  namespaces: readonly string[],
): Promise<void> {
  if (context.database.kind !== 'postgres') return;
  for (const namespace of new Set([...namespaces].sort())) {
    await sql`select pg_advisory_xact_lock(hashtextextended(${namespace}, ${OF_NAMESPACE}))`.execute(tx);
  }
}

/**
 * Sets which tags can't be moved or deleted once they exist.
 *
 * @param tags patterns with `*` (any characters) and `?` (one character); none makes every tag movable
 * @throws OciError NAME_UNKNOWN
 */
export async function setImmutableTags(
  context: RegistryContext,
  name: RepositoryName,
  tags: string[],
  actor: Actor,
): Promise<void> {
  const { id } = await getRepository(context, name);
  await context.database.transaction(async (tx) => {
    await tx
      .updateTable('repositories')
      .set({ immutable_tags: tags.length === 0 ? null : JSON.stringify(tags) })
      .where('id', '=', id)
      .execute();
    await context.record(tx, actor, { action: 'repository.update', subject: name, detail: { immutableTags: tags } });
  });
}

export function isImmutable(repository: Repository, tag: string): boolean {
  return repository.immutableTags.some((pattern) => matchesPattern(pattern, tag));
}

function patterns(column: string | null): string[] {
  return column === null ? [] : (JSON.parse(column) as string[]);
}
