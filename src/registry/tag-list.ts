import { sql } from 'kysely';
import type { Digest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import { isTag, type RepositoryName, type Tag } from '../oci/names.ts';
import type { RegistryContext } from './context.ts';
import { describeManifests, type ManifestFacts } from './image-facts.ts';
import { getRepository, isImmutable, type Repository } from './repositories.ts';

export interface TagRow {
  name: Tag;
  digest: Digest;
  updatedAt: number;
}

export interface TagListPage {
  /** `next` of the page before. */
  last?: string | undefined;
  limit: number;
  /** `name`: byte order. `updated`: when it was set; of those set at one time, by name. */
  sort: 'name' | 'updated';
  descending: boolean;
  /** Only those with this in the name, in either case. */
  text?: string | undefined;
}

/** What a tag names, and what happened to it. */
export interface TagDetails extends Pick<ManifestFacts, 'kind' | 'mediaType' | 'platforms' | 'size' | 'pulledAt'> {
  /** Who moved it last. */
  updatedBy: string;
  immutable: boolean;
}

/**
 * One page of tags. A tag that moves meanwhile may be seen at its old and at its new place; every other is seen once.
 *
 * The pages are walks of an index from where the last one ended, so that the thousandth costs what the first does; one with a `text`
 * looks at names in the index alone until the page is full.
 *
 * @throws OciError NAME_UNKNOWN; PAGINATION_NUMBER_INVALID for a `last` that is no cursor of this order
 */
export async function listTagRows(
  context: RegistryContext,
  name: RepositoryName,
  page: TagListPage,
): Promise<{ repository: Repository; tags: TagRow[]; next: string | null }> {
  const repository = await getRepository(context, name);
  const conditions = [sql`t.repository_id = ${repository.id}`];
  if (page.last) conditions.push(beyond(page, page.last));
  if (page.text) conditions.push(holds(context, page.text));
  const direction = page.descending ? sql`desc` : sql`asc`;
  const order = page.sort === 'name' ? sql`t.name ${direction}` : sql`t.updated_at ${direction}, t.name ${direction}`;
  // The inner one is answered by the index alone: PostgreSQL would look up every tag before it looks at the name. The cross
  // join is SQLite's word for this order of the two.
  const { rows } = await sql<{ name: Tag; digest: Digest; updated_at: number }>`
    select t.name, t.digest, t.updated_at from (
      select t.name from tags t where ${sql.join(conditions, sql` and `)} order by ${order} limit ${page.limit + 1}
    ) as found cross join tags t where t.repository_id = ${repository.id} and t.name = found.name
    order by ${order}`.execute(context.database.read);
  const tags = rows.slice(0, page.limit).map(({ updated_at, ...row }) => ({ ...row, updatedAt: updated_at }));
  const last = tags.at(-1);
  const next = rows.length > page.limit && last !== undefined ? cursorOf(page, last) : null;
  return { repository, tags, next };
}

function cursorOf({ sort }: TagListPage, { name, updatedAt }: TagRow): string {
  return sort === 'name' ? name : `${updatedAt}.${name}`;
}

/** What follows a cursor in the page's order. By name, the cursor need not be the name of a tag. */
function beyond({ sort, descending }: TagListPage, last: string) {
  const follows = descending ? sql`<` : sql`>`;
  if (sort === 'name') return sql`t.name ${follows} ${last}`;
  const [, updatedAt = '', name = ''] = /^(\d{1,15})\.(.+)$/.exec(last) ?? [];
  if (!isTag(name)) {
    throw new OciError('PAGINATION_NUMBER_INVALID', 'last: not a cursor that this API gave for sort=updated', { last });
  }
  return sql`(t.updated_at, t.name) ${follows} (${Number(updatedAt)}, ${name})`;
}

/** Tags are ASCII. PostgreSQL knows of `ilike` how seldom it is true, SQLite is quicker without patterns. */
function holds({ database }: RegistryContext, text: string) {
  if (database.kind === 'sqlite') return sql`instr(lower(t.name), ${text.toLowerCase()}) > 0`;
  return sql`t.name ilike ${`%${text.replace(/[\\%_]/g, '\\$&')}%`}`;
}

/** @throws OciError NAME_UNKNOWN; MANIFEST_UNKNOWN when there is no such tag */
export async function getTag(
  context: RegistryContext,
  name: RepositoryName,
  tag: Tag,
): Promise<{ repository: Repository; tag: TagRow }> {
  const repository = await getRepository(context, name);
  const row = await context.database.read
    .selectFrom('tags')
    .select(['name', 'digest', 'updated_at'])
    .where('repository_id', '=', repository.id)
    .where('name', '=', tag)
    .executeTakeFirst();
  if (row === undefined) throw new OciError('MANIFEST_UNKNOWN', `tag: ${name} has no ${tag}`, { name, tag });
  return { repository, tag: { name: row.name, digest: row.digest, updatedAt: row.updated_at } };
}

/** The details of tags, by name. One whose manifest has gone since it was read is left out. @throws StoreUnavailableError */
export async function describeTags(
  context: RegistryContext,
  repository: Repository,
  tags: readonly TagRow[],
): Promise<Map<Tag, TagDetails>> {
  const facts = await describeManifests(
    context,
    repository.id,
    tags.map((tag) => tag.digest),
  );
  const actors = await lastActors(
    context,
    repository.id,
    tags.map((tag) => tag.name),
  );
  const details = new Map<Tag, TagDetails>();
  for (const tag of tags) {
    const found = facts.get(tag.digest);
    if (found === undefined) continue;
    const { kind, mediaType, platforms, size, pulledAt } = found;
    const updatedBy = actors.get(tag.name) ?? '';
    const immutable = isImmutable(repository, tag.name);
    details.set(tag.name, { kind, mediaType, platforms, size, pulledAt, updatedBy, immutable });
  }
  return details;
}

/** Who made the newest entry of each tag's history: a look at the end of the tag's part of the index, however long it is. */
async function lastActors(
  context: RegistryContext,
  repositoryId: number,
  names: readonly Tag[],
): Promise<Map<Tag, string>> {
  if (names.length === 0) return new Map();
  const rows = await context.database.read
    .selectFrom('tags as t')
    .select([
      't.name',
      (select) =>
        select
          .selectFrom('tag_history as h')
          .select('h.actor')
          .whereRef('h.repository_id', '=', 't.repository_id')
          .whereRef('h.tag', '=', 't.name')
          .orderBy('h.id', 'desc')
          .limit(1)
          .as('actor'),
    ])
    .where('t.repository_id', '=', repositoryId)
    .where('t.name', 'in', names)
    .execute();
  return new Map(rows.map((row) => [row.name, row.actor ?? '']));
}
