import { type RawBuilder, sql } from 'kysely';
import type { BerthEvent, EventsContext } from './context.ts';
import { type EventRow, eventOf } from './recording.ts';

/** Which events a caller may see: those of what it may read. */
export interface Viewer {
  repositories:
    | { kind: 'all' }
    | {
        kind: 'some';
        public: boolean;
        namespaces: readonly string[];
        repositories: readonly number[];
        unowned: boolean;
      };
  stacks: { kind: 'all' } | { kind: 'some'; namespaces: readonly string[] };
}

export interface EventFilter {
  repository?: string | undefined;
  namespace?: string | undefined;
  /** `alice/shop` */
  stack?: string | undefined;
  kinds?: readonly string[] | undefined;
  /** ms since 1970, inclusive */
  since?: number | undefined;
}

/** Where a page of events begins: after one of them in their order, or before one of them, the newest first. */
export type EventPage = { after: number; limit: number } | { before: number | undefined; limit: number };

/**
 * A page of events. What a caller may see is what it may read now: of a repository that is there by its present
 * rights, of one that is gone by its namespace's.
 */
export async function listEvents(
  context: EventsContext,
  viewer: Viewer,
  filter: EventFilter,
  page: EventPage,
): Promise<{ events: BerthEvent[]; more: boolean }> {
  const newestFirst = 'before' in page;
  const start = newestFirst ? sql`e.seq < ${page.before ?? Number.MAX_SAFE_INTEGER}` : sql`e.seq > ${page.after}`;
  const conditions = [start, mayRead(context, viewer)];
  if (filter.repository !== undefined) conditions.push(sql`e.repository = ${filter.repository}`);
  if (filter.namespace !== undefined) conditions.push(sql`e.namespace = ${filter.namespace}`);
  if (filter.stack !== undefined) conditions.push(sql`e.stack = ${filter.stack}`);
  if (filter.kinds !== undefined) conditions.push(sql`e.kind ${among(context, filter.kinds, 'text')}`);
  if (filter.since !== undefined) conditions.push(sql`e.at >= ${filter.since}`);
  const { rows } = await sql<EventRow>`select e.* from events e left join repositories r on r.id = e.repository_id
    where ${sql.join(conditions, sql` and `)} order by e.seq ${newestFirst ? sql`desc` : sql`asc`} limit ${page.limit + 1}`.execute(
    context.database.read,
  );
  return { events: rows.slice(0, page.limit).map(eventOf), more: rows.length > page.limit };
}

/** The newest event's number; 0 when there was none. */
export async function newestEvent(context: Pick<EventsContext, 'database'>): Promise<number> {
  const { last } = await context.database.read
    .selectFrom('events')
    .select((max) => max.fn.max<number | null>('seq').as('last'))
    .executeTakeFirstOrThrow();
  return Number(last ?? 0);
}

function mayRead(context: EventsContext, { repositories, stacks }: Viewer): RawBuilder<unknown> {
  const ofStacks = stacks.kind === 'all' ? sql`1 = 1` : sql`e.namespace ${among(context, stacks.namespaces, 'text')}`;
  return sql`((e.stack is not null and ${ofStacks}) or (e.stack is null and ${ofRepositories(context, repositories)}))`;
}

function ofRepositories(context: EventsContext, readable: Viewer['repositories']): RawBuilder<unknown> {
  if (readable.kind === 'all') return sql`1 = 1`;
  // What is deleted has a name that sorts before all others until its last row is removed.
  const there = sql`(r.id is not null and r.name > '/')`;
  const first =
    context.database.kind === 'postgres'
      ? sql`split_part(r.name, '/', 1)`
      : sql`substr(r.name, 1, instr(r.name, '/') - 1)`;
  const ways = [
    sql`r.id ${among(context, readable.repositories, 'bigint')}`,
    sql`(r.name like '%/%' and ${first} ${among(context, readable.namespaces, 'text')})`,
  ];
  if (readable.public) ways.push(sql`r.visibility = 'public'`);
  if (readable.unowned) {
    ways.push(sql`(r.name not like '%/%' or not exists (select 1 from namespaces n where n.name = ${first}))`);
  }
  // An account that took the name later has no part in what was there before.
  const gone = [
    sql`exists (select 1 from namespaces n where n.name = e.namespace and n.created_at <= e.at
      and n.name ${among(context, readable.namespaces, 'text')})`,
  ];
  if (readable.unowned) {
    gone.push(sql`(e.namespace is null or not exists (select 1 from namespaces n where n.name = e.namespace))`);
  }
  return sql`((${there} and (${sql.join(ways, sql` or `)})) or (not ${there} and (${sql.join(gone, sql` or `)})))`;
}

/** However many there are, it is one value of the statement. */
function among(
  { database }: Pick<EventsContext, 'database'>,
  values: readonly (string | number)[],
  type: 'text' | 'bigint',
): RawBuilder<unknown> {
  if (database.kind === 'sqlite') return sql`in (select value from json_each(${JSON.stringify(values)}))`;
  return sql`= any(cast(${[...values]} as ${sql.raw(type)}[]))`;
}
