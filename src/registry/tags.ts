import { sql, type Transaction } from 'kysely';
import type { Schema, TagAction } from '../database/schema.ts';
import type { Digest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import type { RepositoryName, Tag } from '../oci/names.ts';
import type { Actor, RegistryContext } from './context.ts';
import { getRepository, isImmutable, type Repository } from './repositories.ts';

/**
 * What a client expects of a tag before it changes it (RFC 9110 §13.1, distribution-spec PR 251): `match` lists digests of
 * which the tag must have one, `none` lists those that it must not have; '*' stands for any.
 */
export interface TagPrecondition {
  match?: readonly string[] | undefined;
  none?: readonly string[] | undefined;
}

export interface TagHistoryEntry {
  id: number;
  tag: Tag;
  /** null: the tag was deleted */
  digest: Digest | null;
  previous: Digest | null;
  action: TagAction;
  actor: string;
  source: string;
  at: number;
  /** Whether the manifest can still be pulled, and so be rolled back to. */
  available: boolean;
}

/** One page of tag names in byte order (end-8), each > `last`. One more than `limit` is never returned. @throws OciError NAME_UNKNOWN */
export async function listTags(
  context: RegistryContext,
  name: RepositoryName,
  page: { last?: string | undefined; limit: number },
): Promise<{ tags: Tag[]; more: boolean }> {
  const repository = await getRepository(context, name);
  const rows = await context.database.read
    .selectFrom('tags')
    .select('name')
    .where('repository_id', '=', repository.id)
    .where('name', '>', (page.last ?? '') as Tag)
    .orderBy('name')
    .limit(page.limit + 1)
    .execute();
  return { tags: rows.slice(0, page.limit).map((row) => row.name), more: rows.length > page.limit };
}

/** Deletes a tag; its manifest stays for the keep window (end-9). @throws OciError MANIFEST_UNKNOWN, PRECONDITION_FAILED, DENIED */
export async function deleteTag(
  context: RegistryContext,
  name: RepositoryName,
  tag: Tag,
  precondition: TagPrecondition,
  actor: Actor,
): Promise<void> {
  const repository = await getRepository(context, name);
  await context.database.transaction(async (tx) => {
    const current = await currentDigest(context, tx, repository.id, tag);
    checkPrecondition(tag, current, precondition);
    if (current === undefined) throw new OciError('MANIFEST_UNKNOWN', `tag: ${name} has no ${tag}`, { name, tag });
    if (isImmutable(repository, tag)) throw immutable(repository, tag);
    await deleteTagRow(context, tx, repository, { tag, previous: current, actor });
  });
}

/**
 * The changes of a tag, newest first. Survives the tag's deletion.
 *
 * @param page `before` is the id of the last entry of the page before
 * @throws OciError NAME_UNKNOWN; MANIFEST_UNKNOWN when there never was such a tag
 */
export async function tagHistory(
  context: RegistryContext,
  name: RepositoryName,
  tag: Tag,
  page: { before?: number | undefined; limit: number },
): Promise<{ entries: TagHistoryEntry[]; more: boolean }> {
  const repository = await getRepository(context, name);
  const rows = await context.database.read
    .selectFrom('tag_history as h')
    .leftJoin('manifests as m', (join) =>
      join.onRef('m.repository_id', '=', 'h.repository_id').onRef('m.digest', '=', 'h.digest'),
    )
    .select(['h.id', 'h.tag', 'h.digest', 'h.previous', 'h.action', 'h.actor', 'h.source', 'h.at', 'm.size'])
    .where('h.repository_id', '=', repository.id)
    .where('h.tag', '=', tag)
    .where('h.id', '<', page.before ?? Number.MAX_SAFE_INTEGER)
    .orderBy('h.id', 'desc')
    .limit(page.limit + 1)
    .execute();
  if (rows.length === 0 && page.before === undefined) {
    throw new OciError('MANIFEST_UNKNOWN', `tag: ${name} never had a tag ${tag}`, { name, tag });
  }
  const entries = rows.slice(0, page.limit).map(({ size, ...row }) => ({ ...row, available: size !== null }));
  return { entries, more: rows.length > page.limit };
}

/**
 * Points a tag back: at `to`, or at what it named before its current digest was pushed (or before it was deleted). Doing it
 * again goes one push further back. The rollback is an entry of the history like any other.
 *
 * @throws OciError MANIFEST_UNKNOWN when there is nothing to go back to, or its manifest is gone; DENIED, PRECONDITION_FAILED
 */
export async function rollbackTag(
  context: RegistryContext,
  name: RepositoryName,
  tag: Tag,
  rollback: { to?: Digest | undefined; actor: Actor; precondition?: TagPrecondition },
): Promise<{ digest: Digest; previous: Digest | undefined }> {
  const repository = await getRepository(context, name);
  return context.database.transaction(async (tx) => {
    const current = await currentDigest(context, tx, repository.id, tag);
    const digest = rollback.to ?? (await digestBefore(tx, repository, tag, current));
    const touched = await tx
      .updateTable('manifests')
      .set({ protected_until: context.now() + context.policy.graceMs })
      .where('repository_id', '=', repository.id)
      .where('digest', '=', digest)
      .executeTakeFirst();
    if (touched.numUpdatedRows === 0n) {
      throw new OciError(
        'MANIFEST_UNKNOWN',
        `tag: cannot roll ${name}:${tag} back to ${digest}: that manifest is gone (deleted, or collected after the history window); push it again or choose another digest`,
        { tag, digest },
      );
    }
    await moveTag(context, tx, repository, {
      tag,
      digest,
      action: 'rollback',
      actor: rollback.actor,
      precondition: rollback.precondition ?? {},
    });
    const detail = { digest, previous: current ?? null };
    await context.record(tx, rollback.actor, { action: 'tag.rollback', subject: `${name}:${tag}`, detail });
    return { digest, previous: current };
  });
}

/**
 * Points a tag at a manifest that is there, and writes the history. Nothing happens when it already points there. Returns what it
 * named before.
 */
export async function moveTag(
  context: RegistryContext,
  tx: Transaction<Schema>,
  repository: Repository,
  move: { tag: Tag; digest: Digest; action: TagAction; actor: Actor; precondition: TagPrecondition },
): Promise<Digest | undefined> {
  const { tag, digest } = move;
  const current = await currentDigest(context, tx, repository.id, tag);
  checkPrecondition(tag, current, move.precondition);
  if (current === digest) return current;
  if (current !== undefined && isImmutable(repository, tag)) throw immutable(repository, tag);
  const now = context.now();
  await tx
    .insertInto('tags')
    .values({ repository_id: repository.id, name: tag, digest, updated_at: now })
    .onConflict((conflict) => conflict.columns(['repository_id', 'name']).doUpdateSet({ digest, updated_at: now }))
    .execute();
  await tx
    .insertInto('tag_history')
    .values({
      repository_id: repository.id,
      tag,
      digest,
      previous: current ?? null,
      action: move.action,
      actor: move.actor.name,
      source: move.actor.source,
      at: now,
    })
    .execute();
  // What follows a deployment is not followed by one.
  if (move.action !== 'promote') {
    await context.tagMoved(tx, { repository: repository.name, tag, actor: move.actor });
  }
  return current;
}

/** Removes a tag that is known to be there, and writes the history and the record. */
export async function deleteTagRow(
  context: RegistryContext,
  tx: Transaction<Schema>,
  repository: Repository,
  deletion: { tag: Tag; previous: Digest; actor: Actor },
): Promise<void> {
  await tx.deleteFrom('tags').where('repository_id', '=', repository.id).where('name', '=', deletion.tag).execute();
  await tx
    .insertInto('tag_history')
    .values({
      repository_id: repository.id,
      tag: deletion.tag,
      digest: null,
      previous: deletion.previous,
      action: 'delete',
      actor: deletion.actor.name,
      source: deletion.actor.source,
      at: context.now(),
    })
    .execute();
  const subject = `${repository.name}:${deletion.tag}`;
  await context.record(tx, deletion.actor, { action: 'tag.delete', subject, detail: { previous: deletion.previous } });
}

/** What a tag names now. On PostgreSQL it takes a lock on the tag, also on one that is not there, until the transaction ends. */
export async function currentDigest(
  context: RegistryContext,
  tx: Transaction<Schema>,
  repositoryId: number,
  tag: Tag,
): Promise<Digest | undefined> {
  if (context.database.kind === 'postgres') {
    await sql`select pg_advisory_xact_lock(${repositoryId}::int, hashtext(${tag}))`.execute(tx);
  }
  const row = await tx
    .selectFrom('tags')
    .select('digest')
    .where('repository_id', '=', repositoryId)
    .where('name', '=', tag)
    .executeTakeFirst();
  return row?.digest;
}

/**
 * Walks the history as a stack: a push or a deletion lies on top of what was there, a rollback takes off what lies above
 * the digest it went to. What is below the top is where the tag goes back to.
 */
async function digestBefore(
  tx: Transaction<Schema>,
  repository: Repository,
  tag: Tag,
  current: Digest | undefined,
): Promise<Digest> {
  const entries = await tx
    .selectFrom('tag_history')
    .select(['digest', 'action'])
    .where('repository_id', '=', repository.id)
    .where('tag', '=', tag)
    .orderBy('id')
    .execute();
  const stack: (Digest | null)[] = [];
  for (const { digest, action } of entries) {
    if (action === 'rollback' && stack.includes(digest)) while (stack.at(-1) !== digest) stack.pop();
    else stack.push(digest);
  }
  stack.pop();
  while (stack.length > 0) {
    const before = stack.pop();
    if (before) return before;
  }
  throw new OciError(
    'MANIFEST_UNKNOWN',
    `tag: ${repository.name}:${tag} has nothing before ${current ?? 'now'} to roll back to`,
    { tag },
  );
}

function checkPrecondition(tag: Tag, current: Digest | undefined, precondition: TagPrecondition): void {
  const names = (list: readonly string[]) => current !== undefined && (list.includes('*') || list.includes(current));
  const { match, none } = precondition;
  if ((match === undefined || names(match)) && (none === undefined || !names(none))) return;
  throw new OciError(
    'PRECONDITION_FAILED',
    `tag: ${tag} is ${current ?? 'not there'}, which is not what the request expects`,
    {
      tag,
      current: current ?? null,
    },
  );
}

function immutable(repository: Repository, tag: Tag): OciError {
  return new OciError(
    'DENIED',
    `tag: ${tag} is immutable in ${repository.name} (patterns: ${repository.immutableTags.join(', ')})`,
    {
      tag,
      immutable: repository.immutableTags,
    },
  );
}
