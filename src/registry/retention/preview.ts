import type { Digest } from '../../oci/digest.ts';
import { OciError } from '../../oci/errors.ts';
import { isTag, type RepositoryName, type Tag } from '../../oci/names.ts';
import type { RegistryContext } from '../context.ts';
import { getRepository } from '../repositories.ts';
import { type Decision, type Reason, type TagFacts, whyOf } from './decide.ts';
import { policyFor } from './policies.ts';
import type { RetentionPolicy } from './policy.ts';
import { survey } from './survey.ts';

export interface PreviewedTag {
  tag: Tag;
  digest: Digest;
  pushedAt: number;
  pulledAt: number | null;
  keep: boolean;
  reason: Reason;
  why: string;
}

export interface RetentionPreview {
  policy: RetentionPolicy;
  counts: { tags: number; removed: number; kept: number; immutable: number; inUse: number };
  /** Those that were set last first. */
  tags: PreviewedTag[];
  next: string | null;
}

export interface PreviewPage {
  /** Only those that go, or that stay. */
  decision?: 'keep' | 'remove' | undefined;
  /** `next` of the page before. */
  last?: string | undefined;
  limit: number;
}

/** Images of a page whose users are named. */
const MOST_NAMED = 100;

/**
 * What a policy would do with each tag of a repository now, and why. Changes nothing.
 *
 * @param policy without it the one that holds
 * @throws OciError NAME_UNKNOWN; NOT_FOUND when no policy holds; PAGINATION_NUMBER_INVALID
 */
export async function previewRetention(
  context: RegistryContext,
  name: RepositoryName,
  policy: RetentionPolicy | undefined,
  { decision, last, limit }: PreviewPage,
): Promise<RetentionPreview> {
  const repository = await getRepository(context, name);
  const judged = policy ?? (await policyFor(context.database.read, repository))?.policy;
  if (judged === undefined) {
    throw new OciError('NOT_FOUND', `policy: no retention policy holds in ${name}; send one, or set one first`);
  }
  const counts = { tags: 0, removed: 0, kept: 0, immutable: 0, inUse: 0 };
  const after = last ? cursorIn(last) : undefined;
  const chosen: [TagFacts, Decision][] = [];
  await survey(context, repository, judged, (tag, made) => {
    counts.tags++;
    counts[made.keep ? 'kept' : 'removed']++;
    if (made.reason.kind === 'immutable') counts.immutable++;
    if (made.reason.kind === 'in-use') counts.inUse++;
    if (chosen.length > limit || (decision !== undefined && made.keep !== (decision === 'keep'))) return;
    if (after === undefined || isBeyond(tag, after)) chosen.push([tag, made]);
  });
  const more = chosen.length > limit;
  const page = chosen.slice(0, limit);
  const users = await usersOf(context, name, page);
  const end = page.at(-1)?.[0];
  return {
    policy: judged,
    counts,
    tags: page.map(([tag, { keep, reason }]) => ({
      tag: tag.name,
      digest: tag.digest,
      pushedAt: tag.pushedAt,
      pulledAt: tag.pulledAt,
      keep,
      reason,
      why: whyOf(judged, reason, users.get(tag.digest)),
    })),
    next: more && end !== undefined ? `${end.pushedAt}.${end.name}` : null,
  };
}

async function usersOf(
  context: RegistryContext,
  name: RepositoryName,
  page: readonly [TagFacts, Decision][],
): Promise<Map<Digest, string[]>> {
  const users = new Map<Digest, string[]>();
  for (const [{ digest }, { reason }] of page) {
    if (reason.kind !== 'in-use' || users.has(digest)) continue;
    if (users.size >= MOST_NAMED) break;
    users.set(digest, await context.usersOf(context.database.read, digest, name));
  }
  return users;
}

function cursorIn(last: string): { pushedAt: number; name: string } {
  const [, pushedAt = '', name = ''] = /^(\d{1,15})\.(.+)$/.exec(last) ?? [];
  if (!isTag(name)) throw new OciError('PAGINATION_NUMBER_INVALID', 'last: not a cursor that this API gave', { last });
  return { pushedAt: Number(pushedAt), name };
}

function isBeyond(tag: TagFacts, { pushedAt, name }: { pushedAt: number; name: string }): boolean {
  return tag.pushedAt < pushedAt || (tag.pushedAt === pushedAt && tag.name < name);
}
