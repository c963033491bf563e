import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import { isRepositoryName, namespaceOf, type RepositoryName } from '../oci/names.ts';
import { refuseCached } from './cache-prefixes.ts';
import type { Actor, RegistryContext } from './context.ts';
import { moveContent } from './namespace-content.ts';
import { applyDefaultQuota } from './quotas.ts';
import { getRepository, lockNames, lockNamespaces, missingRepository, takeRepository } from './repositories.ts';

/** A former name of a repository: what digests name can still be pulled under it. */
export interface FormerName {
  name: RepositoryName;
  /** When the repository got another name, in ms since 1970. */
  since: number;
}

/**
 * Gives a repository another name, maybe in another namespace. The one it had becomes a former name: digests stay pullable under it,
 * tags do not, and nothing can be pushed there. A push that is under way is done before, or is refused.
 *
 * @throws OciError NAME_UNKNOWN, CONFLICT when it has the name already, NAME_TAKEN when another one has it or had it; DENIED from and to
 *   below a cache
 */
export async function renameRepository(
  context: RegistryContext,
  from: RepositoryName,
  to: RepositoryName,
  actor: Actor,
): Promise<void> {
  if (from === to) throw new OciError('CONFLICT', `to: it is called ${to} already`, { name: to });
  await refuseCached(context.caches, from);
  await refuseCached(context.caches, to, 'to');
  const renamed = await context.database.transaction(async (tx) => {
    await lockNames(context, tx, [from, to]);
    const id = await takeRepository(context, tx, from);
    if (id === undefined) return false;
    const clash = await clashOf(tx, id, to);
    if (clash !== undefined) throw new OciError('NAME_TAKEN', `to: ${clash}`, { name: to });
    await move(context, tx, { repositoryId: id, from, to }, actor);
    return true;
  });
  if (!renamed) throw await missingRepository(context, from);
}

/**
 * Renames every repository of a namespace from `from/…` to `to/…`, all of them or none; for when an account is deleted. Returns how
 * many there were.
 *
 * @throws OciError CONFLICT naming the first that can't be
 */
export async function transferRepositories(
  context: RegistryContext,
  from: string,
  to: string,
  actor: Actor,
): Promise<number> {
  if (from === to) throw new OciError('CONFLICT', `to: they are in ${to} already`);
  const caches = (await context.caches?.list()) ?? [];
  return context.database.transaction(async (tx) => {
    await lockNamespaces(context, tx, [from, to]);
    const query = tx
      .selectFrom('repositories')
      .select(['id', 'name'])
      .where('name', '>', `${from}/` as RepositoryName)
      .where('name', '<', `${from}0` as RepositoryName)
      .orderBy('name');
    const rows = await (context.database.kind === 'postgres' ? query.forUpdate() : query).execute();
    for (const { id, name } of rows) {
      const target = to + name.slice(from.length);
      if (!isRepositoryName(target)) {
        throw new OciError('CONFLICT', `to: ${name} can't become ${target}: that is no repository name`, { name });
      }
      const cache = caches.find(({ prefix }) => [name, target].some((either) => either.startsWith(`${prefix}/`)));
      if (cache !== undefined) {
        throw new OciError(
          'CONFLICT',
          `to: ${name} can't become ${target}: ${cache.prefix} is a cache of ${cache.address}; make it none first, with berth cache remove ${cache.prefix}`,
          { name },
        );
      }
      const clash = await clashOf(tx, id, target);
      if (clash !== undefined) throw new OciError('CONFLICT', `to: ${name} can't become ${target}: ${clash}`, { name });
      await move(context, tx, { repositoryId: id, from: name, to: target }, actor);
    }
    return rows.length;
  });
}

/** In the order of the names. @throws OciError NAME_UNKNOWN */
export async function listFormerNames(context: RegistryContext, name: RepositoryName): Promise<FormerName[]> {
  const { id } = await getRepository(context, name);
  const rows = await context.database.read
    .selectFrom('repository_aliases')
    .select(['name', 'created_at'])
    .where('repository_id', '=', id)
    .orderBy('name')
    .execute();
  return rows.map((row) => ({ name: row.name, since: row.created_at }));
}

/**
 * Gives a former name free: nothing can be pulled under it any more, and a push to it makes a new repository.
 *
 * @throws OciError NAME_UNKNOWN; NOT_FOUND when the repository did not have it
 */
export async function removeFormerName(
  context: RegistryContext,
  name: RepositoryName,
  former: RepositoryName,
  actor: Actor,
): Promise<void> {
  const { id } = await getRepository(context, name);
  await context.database.transaction(async (tx) => {
    await lockNames(context, tx, [former]);
    const { numDeletedRows } = await tx
      .deleteFrom('repository_aliases')
      .where('name', '=', former)
      .where('repository_id', '=', id)
      .executeTakeFirstOrThrow();
    if (numDeletedRows === 0n) throw new OciError('NOT_FOUND', `alias: ${former} is no former name of ${name}`);
    await context.record(tx, actor, { action: 'alias.remove', subject: name, detail: { alias: former } });
  });
}

/** Why a repository can't get a name. It may get back one that it had. */
async function clashOf(
  tx: Transaction<Schema>,
  repositoryId: number,
  name: RepositoryName,
): Promise<string | undefined> {
  const there = await tx.selectFrom('repositories').select('id').where('name', '=', name).executeTakeFirst();
  if (there !== undefined) return `there is a repository ${name}`;
  const former = await tx
    .selectFrom('repository_aliases')
    .select('repository_id')
    .where('name', '=', name)
    .executeTakeFirst();
  // Not whose: the caller may have no right to see that one.
  if (former !== undefined && former.repository_id !== repositoryId)
    return `${name} is a former name of another repository`;
  return undefined;
}

async function move(
  context: RegistryContext,
  tx: Transaction<Schema>,
  { repositoryId, from, to }: { repositoryId: number; from: RepositoryName; to: RepositoryName },
  actor: Actor,
): Promise<void> {
  await tx.deleteFrom('repository_aliases').where('name', '=', to).execute();
  await tx.updateTable('repositories').set({ name: to }).where('id', '=', repositoryId).execute();
  await tx
    .insertInto('repository_aliases')
    .values({ name: from, repository_id: repositoryId, created_at: context.now() })
    .execute();
  if (namespaceOf(from) !== namespaceOf(to)) await applyDefaultQuota(context, tx, to);
  await moveContent(context, tx, { repositoryId, from, to });
  await context.moved(tx, { repositoryId, from, to });
  await context.record(tx, actor, { action: 'repository.rename', subject: from, detail: { to } });
}
