import { type Kysely, sql } from 'kysely';
import type { DatabaseKind } from '../database.ts';

/** What the page asks: tags by when they were set, when a manifest was last pulled, garbage collections that a person started. */
export async function up(db: Kysely<unknown>, kind: DatabaseKind): Promise<void> {
  const text = kind === 'sqlite' ? sql`text` : sql`text collate "C"`;

  await db.schema.createIndex('tags_updated').on('tags').columns(['repository_id', 'updated_at', 'name']).execute();
  await db.schema.alterTable('manifests').addColumn('pulled_at', 'bigint').execute();

  await db.schema
    .createTable('garbage_runs')
    .addColumn('id', text, (column) => column.primaryKey())
    .addColumn('dry_run', 'integer', (column) => column.notNull())
    .addColumn('started_by', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('started_at', 'bigint', (column) => column.notNull())
    .addColumn('finished_at', 'bigint')
    .addColumn('error', 'text')
    .addColumn('result', 'text')
    .addColumn('items', 'text')
    .addColumn('holder_until', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('garbage_runs_started').on('garbage_runs').column('started_at').execute();
}
