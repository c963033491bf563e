import { type RawBuilder, sql } from 'kysely';
import type { Visibility } from '../database/schema.ts';
import type { RepositoryName } from '../oci/names.ts';
import type { RegistryContext } from './context.ts';
import { BEFORE_NAMES } from './repositories.ts';

/** Which repositories a caller may read: every one, or those that any of the four names. */
export type ReadableRepositories =
  | { kind: 'all' }
  | {
      kind: 'some';
      /** Those that are public. */
      public: boolean;
      /** Those beneath these namespaces. */
      namespaces: readonly string[];
      /** These ids. */
      repositories: readonly number[];
      /** Those whose first component is no account's namespace, or that have one component. */
      unowned: boolean;
    };

export interface CatalogPage {
  /** The page begins after it; it need not be a repository's name. */
  last?: string | undefined;
  limit: number;
  /** Only what holds a manifest. */
  filled?: boolean;
  /** Only beneath this namespace. */
  namespace?: string | undefined;
  visibility?: Visibility | undefined;
  /** Only with this in the name or the description, ASCII letters in either case. */
  text?: string | undefined;
}

/** Names between two others, both excluded. */
interface Range {
  after: string;
  before?: string | undefined;
}

/** Namespaces in one statement: planning many costs more than asking again. SQLite takes 500. */
const MOST_PARTS = 16;
/** By how many parts of the statement a repository may be named: public, in a namespace, one by one. */
const MOST_TIMES = 3;

/**
 * One page of the repositories that may be read, in byte order (Docker Registry v2 "Listing Repositories").
 *
 * What may be read is not filtered out of a scan of all names: each way in which it may be is an ordered walk of an index, and the
 * database merges the walks and stops when the page is full. So a page costs the same whatever else is there.
 */
export async function listRepositories(
  context: RegistryContext,
  readable: ReadableRepositories,
  page: CatalogPage,
): Promise<{ repositories: RepositoryName[]; more: boolean }> {
  const bounds = boundsOf(page);
  const wanted = page.limit + 1;
  const filter = filterOf(context, page);
  let names: string[] = [];
  const full = () => (names.length < wanted ? undefined : names[wanted - 1]);
  for (const parts of partsOf(context, readable, page, bounds)) {
    const last = full();
    if (last !== undefined && parts.every((part) => part.range.after >= last)) break;
    const statements = parts.map(({ range, condition }) =>
      walk(context, sql`r.name from repositories r where ${within(range)} and ${condition} and ${filter}`, wanted),
    );
    const { rows } = await sql<{ name: string }>`select u.name from (${sql.join(statements, sql` union all `)}) u
      order by u.name limit ${wanted * MOST_TIMES}`.execute(context.database.read);
    names = merged(names, rows, wanted);
  }
  if (readable.kind === 'some' && readable.unowned && !(readable.public && page.visibility === 'public')) {
    // Only up to what is on the page already: the walk looks at every namespace in between.
    const last = full();
    const range = last === undefined ? bounds : { after: bounds.after, before: last };
    names = merged(names, await unowned(context, range, filter, wanted), wanted);
  }
  return { repositories: names.slice(0, page.limit) as RepositoryName[], more: names.length > page.limit };
}

function boundsOf({ last = '', namespace }: CatalogPage): Range {
  const least = namespace === undefined ? BEFORE_NAMES : `${namespace}/`;
  return { after: later(last, least), before: namespace === undefined ? undefined : `${namespace}0` };
}

function within({ after, before }: { after: string | RawBuilder<string>; before?: string | undefined }) {
  return before === undefined ? sql`r.name > ${after}` : sql`r.name > ${after} and r.name < ${before}`;
}

/** A walk of an index. */
interface Part {
  range: Range;
  condition: RawBuilder<unknown>;
}

/** The walks, in groups that one statement takes each. Those of a group begin before those of the next. */
function partsOf(context: RegistryContext, readable: ReadableRepositories, page: CatalogPage, bounds: Range): Part[][] {
  // Written out, not a parameter: else SQLite does not see that the index of public names will do.
  const isPublic = sql`r.visibility = 'public'`;
  const everything = { range: bounds, condition: page.visibility === 'public' ? isPublic : sql`1 = 1` };
  if (readable.kind === 'all') return [[everything]];
  const first: Part[] = [];
  if (readable.public && page.visibility !== 'private') first.push({ range: bounds, condition: isPublic });
  if (readable.public && page.visibility === 'public') return [first];
  if (readable.repositories.length > 0) {
    first.push({ range: bounds, condition: idIn(context, readable.repositories) });
  }
  const ranges = readable.namespaces
    .map((namespace) => rangeIn(bounds, namespace))
    .filter((range) => range.after < range.before)
    .sort((a, b) => (a.after < b.after ? -1 : 1));
  const groups = first.length === 0 ? [] : [first];
  for (let i = 0; i < ranges.length; i += MOST_PARTS) {
    groups.push(ranges.slice(i, i + MOST_PARTS).map((range) => ({ range, condition: sql`1 = 1` })));
  }
  return groups;
}

function rangeIn(bounds: Range, namespace: string): { after: string; before: string } {
  const most = `${namespace}0`;
  return {
    after: later(bounds.after, `${namespace}/`),
    before: bounds.before !== undefined && bounds.before < most ? bounds.before : most,
  };
}

/** SQLite merges walks that are plain, and runs one with a limit of its own to its end; PostgreSQL merges only what says its order. */
function walk(context: RegistryContext, names: RawBuilder<unknown>, limit: number): RawBuilder<unknown> {
  return context.database.kind === 'sqlite'
    ? sql`select ${names}`
    : sql`select * from (select ${names} order by r.name limit ${limit}) w`;
}

/** The later of two names. */
function later(a: string, b: string): string {
  if (a > b) return a;
  return b;
}

/** However many there are, one parameter. */
export function idIn(context: RegistryContext, ids: readonly number[]): RawBuilder<unknown> {
  return context.database.kind === 'sqlite'
    ? sql`r.id in (select value from json_each(${JSON.stringify(ids)}))`
    : sql`r.id = any(${`{${ids.join(',')}}`}::bigint[])`;
}

export function filterOf(
  context: RegistryContext,
  { filled, visibility, text }: Pick<CatalogPage, 'filled' | 'visibility' | 'text'>,
): RawBuilder<unknown> {
  const conditions = [sql`1 = 1`];
  // A scalar subquery: of `exists` PostgreSQL makes a join that reads every manifest.
  if (filled) conditions.push(sql`(select 1 from manifests m where m.repository_id = r.id limit 1) is not null`);
  if (visibility !== undefined) conditions.push(sql`r.visibility = ${visibility}`);
  if (text !== undefined && text !== '') {
    const find = context.database.kind === 'sqlite' ? sql`instr` : sql`strpos`;
    const low = text.toLowerCase();
    conditions.push(sql`(${find}(r.name, ${low}) > 0 or ${find}(lower(r.description), ${low}) > 0)`);
  }
  return sql.join(conditions, sql` and `);
}

/**
 * The names outside of every account's namespace. A walk from name to name that leaps over a whole namespace when it comes to one that
 * belongs to somebody. The conditions are scalar subqueries, so that no planner makes joins of them, and the order stays the walk's.
 */
async function unowned(
  context: RegistryContext,
  range: Range,
  filter: RawBuilder<unknown>,
  limit: number,
): Promise<{ name: string }[]> {
  const owner = ownerOf(context, sql.ref('walk.name'));
  const next = sql<string>`coalesce(${owner} || '/~', walk.name)`;
  const { rows } = await sql<{ name: string }>`with recursive walk (name) as (
      select (select r.name from repositories r
        where ${within(range)} order by r.name limit 1)
      union all
      select (select r.name from repositories r
        where ${within({ ...range, after: next })} order by r.name limit 1)
      from walk where walk.name is not null
    )
    select name from walk
    where name is not null and ${owner} is null
      and (select r.id from repositories r where r.name = walk.name and ${filter}) is not null
    limit ${limit}`.execute(context.database.read);
  return rows;
}

/** The first component of a repository's name when it is an account's namespace, else null. */
export function ownerOf(context: RegistryContext, name: RawBuilder<unknown>): RawBuilder<string | null> {
  return sql`(select n.name from namespaces n where n.name = ${namespaceIn(context, name)})`;
}

/** The first component of a repository's name; '' of a name that has one only. */
export function namespaceIn(context: RegistryContext, name: RawBuilder<unknown>): RawBuilder<string> {
  return context.database.kind === 'sqlite'
    ? sql`substr(${name}, 1, instr(${name}, '/') - 1)`
    : sql`left(${name}, greatest(strpos(${name}, '/') - 1, 0))`;
}

/** The first `most` of both, each once. Names are ASCII, so that this is the database's order. */
function merged(names: readonly string[], rows: readonly { name: string }[], most: number): string[] {
  return [...new Set([...names, ...rows.map((row) => row.name)])].sort().slice(0, most);
}
