import type { QueryClient } from '@tanstack/react-query';
import type { TagInfo } from '../../api/tags.ts';
import { ApiError } from '../../client/errors.ts';
import type { TagPage, TagsClient } from '../../client/tags.ts';

/** How a list of tags is filtered and ordered, as the API has it. */
export interface TagQuery {
  q: string;
  sort: 'name' | 'updated';
  order: 'asc' | 'desc';
}

/** The beginning of a list. Every tag has its details, unless it went while they were asked for. */
export interface TagBeginning {
  tags: TagInfo[];
  /** The cursor of what follows; null at the end. */
  next: string | null;
  /** When the details were read, ms since 1970: last pulls change without the tag. */
  readAt: number;
}

export const FIRST_TAGS = 50;
export const MORE_TAGS = 100;
/** Rows that one document bears; others are found by the filter. */
export const MOST_TAGS = 1_000;
/** Details that the API gives in one page. */
const DETAILS = 200;
/** Tags whose details are asked for one by one when they have changed. */
const SINGLE = 5;
const DETAILS_MS = 60_000;

export function tagListKey(repository: string, query: TagQuery) {
  return ['tags', repository, 'list', query] as const;
}

/**
 * The list as it is now, as far as it is shown already. What tells whether anything changed is names and digests alone, which the server
 * reads from an index; details are asked for where they are not known.
 *
 * @param shown undefined for the first time
 */
export async function readTags(
  server: TagsClient,
  repository: string,
  query: TagQuery,
  shown: TagBeginning | undefined,
): Promise<TagBeginning> {
  const count = Math.max(FIRST_TAGS, shown?.tags.length ?? 0);
  if (shown === undefined || Date.now() - shown.readAt > DETAILS_MS) return detailed(server, repository, query, count);
  const now = await server.page(repository, { ...query, n: String(count) });
  const known = new Map(shown.tags.map((tag) => [tag.name, tag]));
  const same = (tag: TagInfo) => {
    const one = known.get(tag.name);
    return one?.digest === tag.digest && one.updatedAt === tag.updatedAt ? one : undefined;
  };
  const changed = now.tags.filter((tag) => same(tag) === undefined);
  if (changed.length > SINGLE) return detailed(server, repository, query, count);
  const read = await Promise.all(changed.map((tag) => server.get(repository, tag.name).catch(goneIsUndefined)));
  const fresh = new Map(read.flatMap((tag) => (tag === undefined ? [] : [[tag.name, tag]])));
  const tags = now.tags.flatMap((tag) => same(tag) ?? fresh.get(tag.name) ?? []);
  return { tags, next: now.next, readAt: shown.readAt };
}

/** The list with what follows. */
export async function readMoreTags(
  server: TagsClient,
  repository: string,
  query: TagQuery,
  shown: TagBeginning,
): Promise<TagBeginning> {
  if (shown.next === null) return shown;
  const room = Math.min(MORE_TAGS, MOST_TAGS - shown.tags.length);
  const page = await server.page(repository, { ...query, details: 'true', n: String(room), last: shown.next });
  return { ...shown, ...joined([shown.tags, page.tags], page.next) };
}

async function detailed(server: TagsClient, repository: string, query: TagQuery, count: number): Promise<TagBeginning> {
  const readAt = Date.now();
  const pages: TagInfo[][] = [];
  let next: string | null | undefined;
  for (let left = count; left > 0 && next !== null; left -= DETAILS) {
    const page: TagPage = await server.page(repository, {
      ...query,
      details: 'true',
      n: String(Math.min(left, DETAILS)),
      ...(next === undefined ? {} : { last: next }),
    });
    pages.push(page.tags);
    ({ next } = page);
  }
  return { ...joined(pages, next ?? null), readAt };
}

/** A tag that moved between two pages is in both: its later place is the one that it has. */
function joined(pages: readonly TagInfo[][], next: string | null): Pick<TagBeginning, 'tags' | 'next'> {
  const tags = new Map<string, TagInfo>();
  for (const tag of pages.flat()) {
    tags.delete(tag.name);
    tags.set(tag.name, tag);
  }
  return { tags: [...tags.values()], next };
}

function goneIsUndefined(error: unknown): undefined {
  if (error instanceof ApiError && error.status === 404) return undefined;
  throw error;
}

/** After tags of a repository changed: all that shows them is read anew. */
export async function tagsChanged(queries: QueryClient, repository: string): Promise<void> {
  await Promise.all([
    queries.invalidateQueries({ queryKey: ['tags', repository] }),
    queries.invalidateQueries({ queryKey: ['tag-history', repository] }),
    queries.invalidateQueries({ queryKey: ['repository', repository] }),
    queries.invalidateQueries({ queryKey: ['repositories'], refetchType: 'none' }),
  ]);
}
