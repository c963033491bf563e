import { type Kysely, sql } from 'kysely';
import type { DatabaseKind } from '../database.ts';

/** What each namespace holds, counted from what is there, and byte quotas. */
export async function up(db: Kysely<unknown>, kind: DatabaseKind): Promise<void> {
  const text = kind === 'sqlite' ? sql`text` : sql`text collate "C"`;

  await db.schema
    .createTable('namespace_content')
    .addColumn('namespace', text, (column) => column.notNull())
    .addColumn('digest', text, (column) => column.notNull())
    .addColumn('size', 'bigint', (column) => column.notNull())
    .addColumn('links', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('namespace_content_key', ['namespace', 'digest'])
    .execute();
  await db.schema
    .createTable('quotas')
    .addColumn('namespace', text, (column) => column.primaryKey())
    .addColumn('bytes', 'bigint', (column) => column.notNull())
    .addColumn('from_default', 'integer', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('quota_shares')
    .addColumn('namespace', text, (column) => column.notNull())
    .addColumn('share', 'integer', (column) => column.notNull())
    .addColumn('free', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('quota_shares_key', ['namespace', 'share'])
    .execute();

  // A deleted repository whose rows are still being removed is called `!<id>/<name>`.
  const name =
    kind === 'sqlite'
      ? sql`case when name < '/' then substr(name, instr(name, '/') + 1) else name end`
      : sql`case when name < '/' then substr(name, strpos(name, '/') + 1) else name end`;
  const slash = kind === 'sqlite' ? sql`instr(name, '/')` : sql`strpos(name, '/')`;
  await sql`
    insert into namespace_content (namespace, digest, size, links)
    select n.namespace, c.digest, max(c.size), count(*)
    from (
      select l.repository_id, l.digest, b.size from repository_blobs l join blobs b on b.digest = l.digest
      union all
      select repository_id, digest, size from manifests
    ) c
    join (
      select id, case when ${slash} = 0 then '' else substr(name, 1, ${slash} - 1) end namespace
      from (select id, ${name} as name from repositories) named
    ) n on n.id = c.repository_id
    group by n.namespace, c.digest`.execute(db);
}
