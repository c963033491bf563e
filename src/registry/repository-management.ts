import { type Kysely, sql } from 'kysely';
import type { Schema, Visibility } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/names.ts';
import { refuseCached } from './cache-prefixes.ts';
import type { Actor, RegistryContext } from './context.ts';
import { insertRepository, lockNames, missingRepository, presentName } from './repositories.ts';

export interface RepositorySummary {
  name: RepositoryName;
  visibility: Visibility;
  description: string;
  createdAt: number;
  /** When a tag last changed; when it was made, if none ever did. */
  updatedAt: number;
}

export interface RepositoryDetails extends RepositorySummary {
  /** Markdown. */
  readme: string;
  tags: number;
  /** Bytes of its manifests and blobs, each once. */
  size: number;
}

/**
 * Makes an empty repository.
 *
 * @throws OciError NAME_TAKEN when there is one, or one had the name; DENIED below a cache
 */
export async function createRepository(
  context: RegistryContext,
  repository: { name: RepositoryName; visibility?: Visibility | undefined; description?: string | undefined },
  actor: Actor,
): Promise<void> {
  const { name, visibility = context.defaultVisibility, description = '' } = repository;
  await refuseCached(context.caches, name);
  await context.database.transaction(async (tx) => {
    await lockNames(context, tx, [name]);
    const there = await tx.selectFrom('repositories').select('id').where('name', '=', name).executeTakeFirst();
    if (there !== undefined) throw new OciError('NAME_TAKEN', `name: there is a repository ${name}`, { name });
    const now = await presentName(tx, name);
    if (now !== undefined) {
      throw new OciError('NAME_TAKEN', `name: ${name} is a former name of ${now}; remove it there first`, {
        name,
        renamedTo: now,
      });
    }
    await insertRepository(context, tx, { name, visibility, description }, actor);
  });
}

/** What people see of these repositories, in the order of `names`; of those that are gone nothing. */
export async function describeRepositories(
  context: RegistryContext,
  names: readonly RepositoryName[],
): Promise<RepositorySummary[]> {
  if (names.length === 0) return [];
  const rows = await summaries(context.database.read).where('r.name', 'in', names).execute();
  const found = new Map(rows.map((row) => [row.name, summaryOf(row)]));
  return names.flatMap((name) => found.get(name) ?? []);
}

/** @throws OciError NAME_UNKNOWN */
export async function getRepositoryDetails(context: RegistryContext, name: RepositoryName): Promise<RepositoryDetails> {
  const row = await summaries(context.database.read)
    .select((select) => [
      'r.readme',
      select
        .selectFrom('tags as t')
        .select((count) => count.fn.countAll<number | string>().as('n'))
        .whereRef('t.repository_id', '=', 'r.id')
        .as('tags'),
      select
        .selectFrom('manifests as m')
        .select((sum) => sum.fn.sum<number | string | null>('m.size').as('n'))
        .whereRef('m.repository_id', '=', 'r.id')
        .as('manifest_bytes'),
      select
        .selectFrom('repository_blobs as l')
        .innerJoin('blobs as b', 'b.digest', 'l.digest')
        .select((sum) => sum.fn.sum<number | string | null>('b.size').as('n'))
        .whereRef('l.repository_id', '=', 'r.id')
        .as('blob_bytes'),
    ])
    .where('r.name', '=', name)
    .executeTakeFirst();
  if (row === undefined) throw await missingRepository(context, name);
  return {
    ...summaryOf(row),
    readme: row.readme,
    tags: Number(row.tags),
    size: Number(row.manifest_bytes ?? 0) + Number(row.blob_bytes ?? 0),
  };
}

/** Changes what is given. @throws OciError NAME_UNKNOWN */
export async function updateRepository(
  context: RegistryContext,
  name: RepositoryName,
  change: { visibility?: Visibility | undefined; description?: string | undefined; readme?: string | undefined },
  actor: Actor,
): Promise<void> {
  const missing = await context.database.transaction(async (tx) => {
    const query = tx
      .selectFrom('repositories')
      .select(['id', 'visibility', 'description', 'readme'])
      .where('name', '=', name);
    const before = await (context.database.kind === 'postgres' ? query.forNoKeyUpdate() : query).executeTakeFirst();
    if (before === undefined) return true;
    const { visibility = before.visibility, description = before.description, readme = before.readme } = change;
    const detail = {
      ...(visibility === before.visibility ? {} : { visibility, visibilityBefore: before.visibility }),
      ...(description === before.description ? {} : { description }),
      ...(readme === before.readme ? {} : { readme: `${Buffer.byteLength(readme)} bytes` }),
    };
    if (Object.keys(detail).length === 0) return false;
    await tx.updateTable('repositories').set({ visibility, description, readme }).where('id', '=', before.id).execute();
    await context.record(tx, actor, { action: 'repository.update', subject: name, detail });
    return false;
  });
  if (missing) throw await missingRepository(context, name);
}

function summaries(db: Kysely<Schema>) {
  return db.selectFrom('repositories as r').select([
    'r.name',
    'r.visibility',
    'r.description',
    'r.created_at',
    // By the index (repository_id, at): its last entry.
    sql<number | null>`(select max(h.at) from tag_history h where h.repository_id = r.id)`.as('changed_at'),
  ]);
}

function summaryOf(row: {
  name: RepositoryName;
  visibility: Visibility;
  description: string;
  created_at: number;
  changed_at: number | null;
}): RepositorySummary {
  return {
    name: row.name,
    visibility: row.visibility,
    description: row.description,
    createdAt: row.created_at,
    updatedAt: row.changed_at ?? row.created_at,
  };
}
