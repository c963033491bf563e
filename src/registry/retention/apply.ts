import type { Transaction } from 'kysely';
import type { Schema } from '../../database/schema.ts';
import type { Digest } from '../../oci/digest.ts';
import type { RepositoryName, Tag } from '../../oci/names.ts';
import type { Actor, RegistryContext } from '../context.ts';
import { isImmutable, type Repository } from '../repositories.ts';
import { currentDigest, deleteTagRow } from '../tags.ts';
import { whyOf } from './decide.ts';
import { policyFor, type StoredPolicy, stillHolds } from './policies.ts';
import { survey } from './survey.ts';

/** Who removes tags by a policy, in the tag's history and the audit log. */
export const RETENTION: Actor = { name: 'retention', source: '' };
/** Tags in one transaction: a few ms of the write lock. */
const BATCH = 20;
const REMOVALS_KEPT_MS = 90 * 86_400_000;

/** A tag that goes, as it was when that was decided. */
export interface Candidate {
  tag: Tag;
  digest: Digest;
  pushedAt: number;
  why: string;
}

export interface AppliedRetention {
  /** Tags that were looked at. */
  tags: number;
  removed: number;
  /** Whether the time was over before all were removed. */
  more: boolean;
}

export interface ApplyOptions {
  dryRun: boolean;
  /** Whose wish it is. */
  actor: Actor;
  onTag?: (candidate: Candidate) => void;
  /** Called between batches. */
  breathe: () => Promise<void>;
  /** Whether to stop after this batch. */
  enough?: () => boolean;
}

/**
 * Removes the tags of a repository that its policy does not keep, as deletions like any other: `berth tag rollback` brings them back, and
 * their manifests stay for the history window. A tag that was moved, became immutable or in use since it was decided stays, and so do all
 * from the moment at which the policy is changed.
 */
export async function applyRetention(
  context: RegistryContext,
  repository: { id: number; name: RepositoryName },
  options: ApplyOptions,
): Promise<AppliedRetention> {
  const { read } = context.database;
  const stored = await policyFor(read, repository);
  const found = await readRepository(read, repository.id);
  if (stored === undefined || found === undefined || stored.policy.rules.length === 0) {
    return { tags: 0, removed: 0, more: false };
  }
  const { tags, candidates } = await candidatesOf(context, found, stored);
  for (const candidate of candidates) options.onTag?.(candidate);
  if (options.dryRun || candidates.length === 0) return { tags, removed: candidates.length, more: false };
  let removed = 0;
  let next = 0;
  for (let holds = true; holds && next < candidates.length && (next === 0 || !options.enough?.()); next += BATCH) {
    const batch = candidates.slice(next, next + BATCH);
    const gone = await context.database.relaxedTransaction((tx) => removeBatch(context, tx, found, stored, batch));
    holds = gone !== undefined;
    removed += gone ?? 0;
    await options.breathe();
    if (!holds) return finished(context, found, options.actor, { tags, removed, more: false });
  }
  return finished(context, found, options.actor, { tags, removed, more: next < candidates.length });
}

async function candidatesOf(context: RegistryContext, repository: Repository, { policy }: StoredPolicy) {
  const candidates: Candidate[] = [];
  let tags = 0;
  await survey(context, repository, policy, ({ name, digest, pushedAt }, { keep, reason }) => {
    tags++;
    if (!keep) candidates.push({ tag: name, digest, pushedAt, why: whyOf(policy, reason) });
  });
  return { tags, candidates };
}

/** A line in the audit log for what was done in a repository. */
async function finished(
  context: RegistryContext,
  repository: Repository,
  actor: Actor,
  applied: AppliedRetention,
): Promise<AppliedRetention> {
  const { tags, removed } = applied;
  if (removed > 0) {
    const detail = { tags, removed };
    await context.database.relaxedTransaction((tx) =>
      context.record(tx, actor, { action: 'retention.apply', subject: repository.name, detail }),
    );
  }
  return applied;
}

/** Returns how many went; undefined when the policy or the repository is another one now. */
async function removeBatch(
  context: RegistryContext,
  tx: Transaction<Schema>,
  before: Repository,
  stored: StoredPolicy,
  batch: readonly Candidate[],
): Promise<number | undefined> {
  const repository = await readRepository(tx, before.id, context.database.kind === 'postgres');
  if (repository?.name !== before.name || !(await stillHolds(tx, repository, stored))) return undefined;
  await lockManifests(context, tx, repository.id, batch);
  let removed = 0;
  for (const { tag, digest, pushedAt, why } of batch) {
    if ((await currentDigest(context, tx, repository.id, tag)) !== digest) continue;
    if ((await setAt(tx, repository.id, tag)) !== pushedAt || isImmutable(repository, tag)) continue;
    if ((await context.usersOf(tx, digest, repository.name)).length > 0) continue;
    await deleteTagRow(context, tx, repository, { tag, previous: digest, actor: RETENTION });
    await tx
      .insertInto('retention_removals')
      .values({ repository_id: repository.id, tag, digest, why, at: context.now() })
      .execute();
    removed++;
  }
  return removed;
}

/** @param hold that it is not renamed or deleted until the transaction ends */
async function readRepository(
  rows: Pick<Transaction<Schema>, 'selectFrom'>,
  id: number,
  hold = false,
): Promise<Repository | undefined> {
  const query = rows.selectFrom('repositories').select(['name', 'immutable_tags']).where('id', '=', id);
  const row = await (hold ? query.forKeyShare() : query).executeTakeFirst();
  return (
    row && {
      id,
      name: row.name,
      immutableTags: row.immutable_tags === null ? [] : (JSON.parse(row.immutable_tags) as string[]),
    }
  );
}

/**
 * On PostgreSQL whoever makes a release of one of them, or points a tag at it, is waited for, and then seen. The order is manifest, then
 * tag, as in `putManifest`.
 */
async function lockManifests(
  context: RegistryContext,
  tx: Transaction<Schema>,
  repositoryId: number,
  batch: readonly Candidate[],
): Promise<void> {
  if (context.database.kind !== 'postgres') return;
  await tx
    .selectFrom('manifests')
    .select('digest')
    .where('repository_id', '=', repositoryId)
    .where('digest', 'in', [...new Set(batch.map((candidate) => candidate.digest))])
    .orderBy('digest')
    .forUpdate()
    .execute();
}

async function setAt(tx: Transaction<Schema>, repositoryId: number, tag: Tag): Promise<number | undefined> {
  const row = await tx
    .selectFrom('tags')
    .select('updated_at')
    .where('repository_id', '=', repositoryId)
    .where('name', '=', tag)
    .executeTakeFirst();
  return row?.updated_at;
}

/** Forgets what was removed long ago. */
export async function forgetRemovals(context: RegistryContext): Promise<void> {
  await context.database.relaxedTransaction((tx) =>
    tx
      .deleteFrom('retention_removals')
      .where('at', '<', context.now() - REMOVALS_KEPT_MS)
      .execute(),
  );
}
