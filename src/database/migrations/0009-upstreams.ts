import { type Kysely, sql } from 'kysely';
import type { DatabaseKind } from '../database.ts';

/** Other registries, and the prefixes under which this one keeps what it fetched from them. */
export async function up(db: Kysely<unknown>, kind: DatabaseKind): Promise<void> {
  const text = kind === 'sqlite' ? sql`text` : sql`text collate "C"`;

  await db.schema
    .createTable('upstreams')
    .addColumn('name', text, (column) => column.primaryKey())
    .addColumn('address', 'text', (column) => column.notNull())
    .addColumn('username', 'text')
    .addColumn('sealed_password', 'text')
    .addColumn('ca', 'text')
    .addColumn('created_by', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .execute();

  await db.schema
    .createTable('caches')
    .addColumn('prefix', text, (column) => column.primaryKey())
    .addColumn('upstream', text, (column) => column.notNull().references('upstreams.name'))
    .addColumn('remote_prefix', 'text', (column) => column.notNull())
    .addColumn('fresh_ms', 'bigint', (column) => column.notNull())
    .addColumn('visibility', 'text', (column) => column.notNull())
    .addColumn('created_by', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .execute();

  await db.schema
    .createTable('cache_repositories')
    .addColumn('repository_id', 'integer', (column) =>
      column.primaryKey().references('repositories.id').onDelete('cascade'),
    )
    .addColumn('upstream', 'text', (column) => column.notNull())
    .addColumn('remote_name', 'text', (column) => column.notNull())
    .execute();

  await db.schema
    .createTable('cache_tags')
    .addColumn('repository_id', 'integer', (column) =>
      column.notNull().references('repositories.id').onDelete('cascade'),
    )
    .addColumn('tag', text, (column) => column.notNull())
    .addColumn('checked_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('cache_tags_pk', ['repository_id', 'tag'])
    .execute();

  await db.schema
    .createTable('cache_fetches')
    .addColumn('key', text, (column) => column.primaryKey())
    .addColumn('upload', 'text')
    .addColumn('holder', 'text', (column) => column.notNull())
    .addColumn('until', 'bigint', (column) => column.notNull())
    .execute();

  await db.schema
    .createTable('cache_pauses')
    .addColumn('upstream', text, (column) => column.notNull())
    .addColumn('part', text, (column) => column.notNull())
    .addColumn('until', 'bigint', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('why', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('cache_pauses_pk', ['upstream', 'part'])
    .execute();
}
