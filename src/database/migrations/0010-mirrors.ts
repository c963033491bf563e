import { type Kysely, sql } from 'kysely';
import type { DatabaseKind } from '../database.ts';

/** Repositories that follow one of another registry, and how their last run went. */
export async function up(db: Kysely<unknown>, kind: DatabaseKind): Promise<void> {
  const text = kind === 'sqlite' ? sql`text` : sql`text collate "C"`;

  await db.schema
    .createTable('mirrors')
    .addColumn('repository_id', 'integer', (column) =>
      column.primaryKey().references('repositories.id').onDelete('cascade'),
    )
    .addColumn('upstream', text, (column) => column.notNull().references('upstreams.name'))
    .addColumn('remote_repository', 'text', (column) => column.notNull())
    .addColumn('tags', 'text', (column) => column.notNull())
    .addColumn('referrers', 'integer', (column) => column.notNull())
    .addColumn('bytes_per_second', 'bigint')
    .addColumn('interval_ms', 'bigint', (column) => column.notNull())
    .addColumn('created_by', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('next_at', 'bigint', (column) => column.notNull())
    .addColumn('requested', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('served', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('lease_holder', 'text')
    .addColumn('lease_until', 'bigint', (column) => column.notNull().defaultTo(0))
    .addColumn('started_at', 'bigint')
    .addColumn('finished_at', 'bigint')
    .addColumn('succeeded_at', 'bigint')
    .addColumn('outcome', 'text')
    .addColumn('report', 'text')
    .addColumn('failures', 'integer', (column) => column.notNull().defaultTo(0))
    .execute();
}
