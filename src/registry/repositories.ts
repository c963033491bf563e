import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/names.ts';
import type { RegistryContext } from './context.ts';

export interface Repository {
  id: number;
  name: RepositoryName;
  immutableTags: string[];
}

export async function findRepository(context: RegistryContext, name: RepositoryName): Promise<Repository | undefined> {
  const row = await context.database.read
    .selectFrom('repositories')
    .select(['id', 'immutable_tags'])
    .where('name', '=', name)
    .executeTakeFirst();
  return row && { id: row.id, name, immutableTags: patterns(row.immutable_tags) };
}

/** @throws OciError NAME_UNKNOWN */
export async function getRepository(context: RegistryContext, name: RepositoryName): Promise<Repository> {
  const repository = await findRepository(context, name);
  if (repository === undefined) throw new OciError('NAME_UNKNOWN', `name: no repository ${name}`, { name });
  return repository;
}

/** The repository, made by the first push to it. */
export async function ensureRepository(
  tx: Transaction<Schema>,
  name: RepositoryName,
  now: number,
): Promise<Repository> {
  const find = () =>
    tx.selectFrom('repositories').select(['id', 'immutable_tags']).where('name', '=', name).executeTakeFirst();
  let row = await find();
  if (row === undefined) {
    await tx
      .insertInto('repositories')
      .values({ name, created_at: now, immutable_tags: null })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute();
    row = await find();
  }
  if (row === undefined) throw new Error(`repository ${name} vanished`);
  return { id: row.id, name, immutableTags: patterns(row.immutable_tags) };
}

/**
 * Sets which tags can't be moved or deleted once they exist.
 *
 * @param tags patterns with `*` (any characters) and `?` (one character); none makes every tag movable
 * @throws OciError NAME_UNKNOWN
 */
export async function setImmutableTags(context: RegistryContext, name: RepositoryName, tags: string[]): Promise<void> {
  const { id } = await getRepository(context, name);
  await context.database.transaction((tx) =>
    tx
      .updateTable('repositories')
      .set({ immutable_tags: tags.length === 0 ? null : JSON.stringify(tags) })
      .where('id', '=', id)
      .execute(),
  );
}

export function isImmutable(repository: Repository, tag: string): boolean {
  return repository.immutableTags.some((pattern) => matchesPattern(pattern, tag));
}

/** Whether `pattern` with `*` and `?` covers the whole of `text`. Linear in both: no backtracking over earlier stars. */
export function matchesPattern(pattern: string, text: string): boolean {
  let p = 0;
  let star = -1;
  let resume = 0;
  for (let t = 0; t < text.length; ) {
    if (pattern[p] === '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

function patterns(column: string | null): string[] {
  return column === null ? [] : (JSON.parse(column) as string[]);
}
