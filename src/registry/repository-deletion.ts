import type { Transaction } from 'kysely';
import { DatabaseFullError, DatabaseUnavailableError } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';
import type { Digest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/names.ts';
import type { Actor, RegistryContext } from './context.ts';
import { dropContent } from './namespace-content.ts';
import { BEFORE_NAMES, getRepository, lockNames, missingRepository, takeRepository } from './repositories.ts';

/** What goes with a repository. */
export interface RepositoryDeletion {
  tags: number;
  manifests: number;
  /** Of its manifests, and of its blobs that no other repository has. */
  bytes: number;
  /** Who uses its manifests, a line each: while there are any it is not deleted. */
  users: string[];
}

/** Rows removed in one transaction: a push waits that long. */
const BATCH = 200;
/** Digests asked for in one statement. */
const PAGE = 1_000;
const MOST_USERS = 100;

/** Said before anything is done. @throws OciError NAME_UNKNOWN */
export async function planRepositoryDeletion(
  context: RegistryContext,
  name: RepositoryName,
): Promise<RepositoryDeletion> {
  const { id } = await getRepository(context, name);
  const { read } = context.database;
  const tags = await read
    .selectFrom('tags')
    .select((count) => count.fn.countAll<number | string>().as('n'))
    .where('repository_id', '=', id)
    .executeTakeFirstOrThrow();
  const manifests = await read
    .selectFrom('manifests')
    .select((sum) => [
      sum.fn.countAll<number | string>().as('n'),
      sum.fn.sum<number | string | null>('size').as('bytes'),
    ])
    .where('repository_id', '=', id)
    .executeTakeFirstOrThrow();
  const blobs = await read
    .selectFrom('repository_blobs as l')
    .innerJoin('blobs as b', 'b.digest', 'l.digest')
    .select((sum) => sum.fn.sum<number | string | null>('b.size').as('bytes'))
    .where('l.repository_id', '=', id)
    .where((where) =>
      where.not(
        where.exists(
          where
            .selectFrom('repository_blobs as o')
            .select('o.digest')
            .whereRef('o.digest', '=', 'l.digest')
            .where('o.repository_id', '<>', id),
        ),
      ),
    )
    .executeTakeFirstOrThrow();
  return {
    tags: Number(tags.n),
    manifests: Number(manifests.n),
    bytes: Number(manifests.bytes ?? 0) + Number(blobs.bytes ?? 0),
    users: await usersOfRepository(context, id, name),
  };
}

/**
 * Deletes a repository with its tags, their history, its manifests, uploads and former names. Its blobs' bytes are left to garbage
 * collection.
 *
 * It is gone at once, in one small transaction that takes its name away, and the name is free: a push that ends before goes with it, one
 * that begins after makes a new repository. Then its rows are removed in batches; what a crash leaves of them, garbage
 * collection removes.
 *
 * @throws OciError NAME_UNKNOWN; CONFLICT while something that is deployed uses it
 */
export async function deleteRepository(context: RegistryContext, name: RepositoryName, actor: Actor): Promise<void> {
  const { tags, manifests, users } = await planRepositoryDeletion(context, name);
  if (users.length > 0) {
    throw new OciError('CONFLICT', `name: ${name} is in use: ${users.join('; ')}`, { name, users });
  }
  const id = await context.database.transaction(async (tx) => {
    await lockNames(context, tx, [name]);
    const found = await takeRepository(context, tx, name);
    if (found === undefined) return undefined;
    await tx.deleteFrom('uploads').where('repository_id', '=', found).execute();
    await tx.deleteFrom('repository_aliases').where('repository_id', '=', found).execute();
    const gone = `!${found}/${name}` as RepositoryName;
    await tx.updateTable('repositories').set({ name: gone, visibility: 'private' }).where('id', '=', found).execute();
    await context.record(tx, actor, { action: 'repository.delete', subject: name, detail: { tags, manifests } });
    return found;
  });
  if (id === undefined) throw await missingRepository(context, name);
  try {
    await removeRows(context, id, rest);
  } catch (error) {
    // It is deleted, and garbage collection removes what is left.
    if (!(error instanceof DatabaseUnavailableError || error instanceof DatabaseFullError)) throw error;
  }
}

/** Removes what a crash left of deleted repositories. */
export async function finishDeletions(context: RegistryContext, breathe: () => Promise<void>): Promise<void> {
  const left = await context.database.read
    .selectFrom('repositories')
    .select('id')
    .where('name', '<', BEFORE_NAMES)
    .execute();
  for (const { id } of left) await removeRows(context, id, breathe);
}

/** As long as the batch took, so that pushes have the database for half of the time. */
async function rest(ms: number): Promise<void> {
  await Bun.sleep(Math.min(Math.max(ms, 1), 100));
}

/** Need not be durable: what comes back after a power cut belongs to no name, and is removed again. */
async function removeRows(context: RegistryContext, id: number, breathe: (ms: number) => Promise<void>): Promise<void> {
  for (let more = true; more; ) {
    const started = performance.now();
    more = await context.database.relaxedTransaction((tx) => removeBatch(context, tx, id));
    await breathe(performance.now() - started);
  }
}

/** Returns whether there may be more. The last batch takes the repository's own row along. */
async function removeBatch(context: RegistryContext, tx: Transaction<Schema>, id: number): Promise<boolean> {
  if (context.database.kind === 'postgres') {
    // Whoever still writes rows of it, having found it before, is waited for.
    const row = await tx.selectFrom('repositories').select('id').where('id', '=', id).forUpdate().executeTakeFirst();
    if (row === undefined) return false;
  }
  const manifests = await tx
    .selectFrom('manifests')
    .select('digest')
    .where('repository_id', '=', id)
    .limit(BATCH)
    .execute();
  if (manifests.length > 0) {
    const digests = manifests.map((row) => row.digest);
    await tx.deleteFrom('tags').where('repository_id', '=', id).where('digest', 'in', digests).execute();
    await tx.deleteFrom('manifests').where('repository_id', '=', id).where('digest', 'in', digests).execute();
    await dropContent(context, tx, id, digests);
    return true;
  }
  const links = await tx
    .selectFrom('repository_blobs')
    .select('digest')
    .where('repository_id', '=', id)
    .limit(BATCH)
    .execute();
  if (links.length > 0) {
    const digests = links.map((row) => row.digest);
    await tx.deleteFrom('repository_blobs').where('repository_id', '=', id).where('digest', 'in', digests).execute();
    await dropContent(context, tx, id, digests);
    return true;
  }
  const history = await tx
    .selectFrom('tag_history')
    .select('id')
    .where('repository_id', '=', id)
    .limit(BATCH)
    .execute();
  if (history.length > 0) {
    const ids = history.map((row) => row.id);
    await tx.deleteFrom('tag_history').where('id', 'in', ids).execute();
    return true;
  }
  await tx.deleteFrom('uploads').where('repository_id', '=', id).execute();
  await tx.deleteFrom('repositories').where('id', '=', id).execute();
  return false;
}

/** A line for each use of one of its manifests, at most 100. */
async function usersOfRepository(context: RegistryContext, id: number, name: RepositoryName): Promise<string[]> {
  const inUse = [...(await context.digestsInUse())];
  const users = new Set<string>();
  for (let i = 0; i < inUse.length && users.size < MOST_USERS; i += PAGE) {
    const rows: { digest: Digest }[] = await context.database.read
      .selectFrom('manifests')
      .select('digest')
      .where('repository_id', '=', id)
      .where('digest', 'in', inUse.slice(i, i + PAGE))
      .execute();
    for (const { digest } of rows)
      for (const user of await context.usersOf(context.database.read, digest, name)) users.add(user);
  }
  return [...users].slice(0, MOST_USERS);
}
