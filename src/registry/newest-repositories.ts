import { type RawBuilder, sql } from 'kysely';
import { OciError } from '../oci/errors.ts';
import { isRepositoryName, type RepositoryName } from '../oci/names.ts';
import { type CatalogPage, filterOf, idIn, namespaceIn, ownerOf, type ReadableRepositories } from './catalog.ts';
import type { RegistryContext } from './context.ts';
import { BEFORE_NAMES } from './repositories.ts';

/**
 * One page of the repositories that may be read, those first whose tags changed last; of those that changed at one time, by name. Each
 * costs a look at the end of its part of the history's index, so that a page costs as much as there are repositories.
 *
 * @param page `last` is `next` of the page before
 * @throws OciError PAGINATION_NUMBER_INVALID for a `last` that is no cursor of this order
 */
export async function newestRepositories(
  context: RegistryContext,
  readable: ReadableRepositories,
  page: CatalogPage,
): Promise<{ repositories: RepositoryName[]; next: string | null }> {
  const { rows } = await sql<{ name: RepositoryName; updated_at: number | string }>`
    select u.name, u.updated_at from (
      select r.name,
        coalesce((select max(h.at) from tag_history h where h.repository_id = r.id), r.created_at) as updated_at
      from repositories r
      where r.name > ${BEFORE_NAMES} and ${mayRead(context, readable)} and ${beneath(page.namespace)}
        and ${filterOf(context, page)}
    ) u where ${beyond(page.last)}
    order by u.updated_at desc, u.name limit ${page.limit + 1}`.execute(context.database.read);
  const shown = rows.slice(0, page.limit);
  const last = shown.at(-1);
  return {
    repositories: shown.map((row) => row.name),
    next: rows.length > page.limit && last !== undefined ? `${last.updated_at}.${last.name}` : null,
  };
}

function mayRead(context: RegistryContext, readable: ReadableRepositories): RawBuilder<unknown> {
  if (readable.kind === 'all') return sql`1 = 1`;
  const ways = [idIn(context, readable.repositories)];
  if (readable.public) ways.push(sql`r.visibility = 'public'`);
  const name = sql.ref('r.name');
  const { namespaces } = readable;
  if (namespaces.length > 0) {
    const list =
      context.database.kind === 'sqlite'
        ? sql`(select value from json_each(${JSON.stringify(namespaces)}))`
        : sql`(select json_array_elements_text(${JSON.stringify(namespaces)}::json))`;
    ways.push(sql`${namespaceIn(context, name)} in ${list}`);
  }
  if (readable.unowned) ways.push(sql`${ownerOf(context, name)} is null`);
  return sql`(${sql.join(ways, sql` or `)})`;
}

function beneath(namespace: string | undefined): RawBuilder<unknown> {
  if (namespace === undefined) return sql`1 = 1`;
  return sql`r.name > ${`${namespace}/`} and r.name < ${`${namespace}0`}`;
}

function beyond(last: string | undefined): RawBuilder<unknown> {
  if (last === undefined || last === '') return sql`1 = 1`;
  const [, updatedAt = '', name = ''] = /^(\d{1,15})\.(.+)$/.exec(last) ?? [];
  if (!isRepositoryName(name)) {
    throw new OciError('PAGINATION_NUMBER_INVALID', 'last: not a cursor that this API gave for sort=updated', { last });
  }
  return sql`(u.updated_at < ${Number(updatedAt)} or (u.updated_at = ${Number(updatedAt)} and u.name > ${name}))`;
}
