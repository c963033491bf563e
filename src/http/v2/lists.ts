import { parseDigest } from '../../oci/digest.ts';
import { OciError } from '../../oci/errors.ts';
import { parseRepositoryName, parseTag } from '../../oci/names.ts';
import { listRepositories } from '../../registry/catalog.ts';
import type { RegistryContext } from '../../registry/context.ts';
import { listReferrers } from '../../registry/referrers.ts';
import { listTags, tagHistory } from '../../registry/tags.ts';
import { type BerthRequest, pageSize } from '../request.ts';
import type { V2Context } from './context.ts';
import type { Outcome } from './outcome.ts';

/** The most that one answer holds; `Link` leads to the rest. */
const MOST_TAGS = 10_000;
const MOST_REPOSITORIES = 1_000;
const DEFAULT_REPOSITORIES = 100;
const MOST_REFERRERS = 1_000;
const MOST_HISTORY = 1_000;
const DEFAULT_HISTORY = 100;

export async function showTags(registry: RegistryContext, request: BerthRequest): Promise<Outcome> {
  const name = parseRepositoryName(request.param('name'));
  const limit = pageSize(request, MOST_TAGS) ?? MOST_TAGS;
  const { tags, more } = await listTags(registry, name, { last: request.query('last'), limit });
  return { kind: 'tags', name, tags, next: nextPage(`/v2/${name}/tags/list`, more, limit, { last: tags.at(-1) }) };
}

export async function showCatalog(registry: RegistryContext, request: BerthRequest): Promise<Outcome> {
  const limit = pageSize(request, MOST_REPOSITORIES) ?? DEFAULT_REPOSITORIES;
  const page = { last: request.query('last'), limit, filled: true };
  const { repositories, more } = await listRepositories(registry, await request.readable(), page);
  return {
    kind: 'catalog',
    repositories,
    next: nextPage('/v2/_catalog', more, limit, { last: repositories.at(-1) }),
  };
}

export async function showReferrers(registry: V2Context, request: BerthRequest): Promise<Outcome> {
  const name = parseRepositoryName(request.param('name'));
  const subject = parseDigest(request.param('digest'));
  const artifactType = request.query('artifactType') || undefined;
  const limit = pageSize(request, MOST_REFERRERS) ?? MOST_REFERRERS;
  const found = registry.through.cacheOf(name);
  const cache = found instanceof Promise ? await found : found;
  const there = cache && (await registry.through.referrers(cache, name, subject));
  if (there !== undefined) {
    const wanted = there.filter((referrer) => artifactType === undefined || referrer.artifactType === artifactType);
    return { kind: 'referrers', referrers: wanted, filtered: artifactType !== undefined, next: undefined };
  }
  const { referrers, more } = await listReferrers(registry, name, subject, {
    artifactType,
    last: request.query('last'),
    limit,
  });
  return {
    kind: 'referrers',
    referrers,
    filtered: artifactType !== undefined,
    next: nextPage(`/v2/${name}/referrers/${subject}`, more, limit, { artifactType, last: referrers.at(-1)?.digest }),
  };
}

/** distribution-spec PR 606: newest first, deletions included, also after the tag was deleted. */
export async function showTagHistory(registry: RegistryContext, request: BerthRequest): Promise<Outcome> {
  const name = parseRepositoryName(request.param('name'));
  const tag = parseTag(request.param('tag'));
  const limit = pageSize(request, MOST_HISTORY) ?? DEFAULT_HISTORY;
  const last = request.query('last');
  if (last !== undefined && !/^\d{1,15}$/.test(last)) {
    throw new OciError('PAGINATION_NUMBER_INVALID', 'last: not what a Link header gave', { last: last.slice(0, 50) });
  }
  const before = last === undefined ? undefined : Number(last);
  const { entries, more } = await tagHistory(registry, name, tag, { before, limit });
  const next = nextPage(`/v2/${name}/_oci/tag-history/${tag}`, more, limit, { last: entries.at(-1)?.id.toString() });
  return { kind: 'tag-history', name, tag, entries, next };
}

/** OCI Distribution 1.1 "Listing Tags": no `Link` for n=0, which asks for nothing. */
function nextPage(
  path: string,
  more: boolean,
  limit: number,
  query: Record<string, string | undefined>,
): string | undefined {
  if (!more || limit === 0) return undefined;
  const parameters = new URLSearchParams({ n: String(limit) });
  for (const [key, value] of Object.entries(query)) if (value !== undefined) parameters.set(key, value);
  return `${path}?${parameters}`;
}
