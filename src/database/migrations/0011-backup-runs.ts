import { type Kysely, sql } from 'kysely';
import type { DatabaseKind } from '../database.ts';

/** Backups that were made, by `serve` or by hand: when the next one is due, and how the last one went. */
export async function up(db: Kysely<unknown>, kind: DatabaseKind): Promise<void> {
  const text = kind === 'sqlite' ? sql`text` : sql`text collate "C"`;

  await db.schema
    .createTable('backup_runs')
    .addColumn('id', text, (column) => column.primaryKey())
    .addColumn('target', text, (column) => column.notNull())
    .addColumn('started_by', 'text', (column) => column.notNull())
    .addColumn('state', text, (column) => column.notNull())
    .addColumn('started_at', 'bigint', (column) => column.notNull())
    .addColumn('finished_at', 'bigint')
    .addColumn('error', 'text')
    .addColumn('result', 'text')
    .addColumn('holder_until', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex('backup_runs_target')
    .on('backup_runs')
    .columns(['target', 'state', 'started_at'])
    .execute();
}
