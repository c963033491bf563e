import { type Kysely, sql } from 'kysely';
import type { DatabaseKind } from '../database.ts';

/** Retention: policies by place, and what they removed. */
export async function up(db: Kysely<unknown>, kind: DatabaseKind): Promise<void> {
  const sqlite = kind === 'sqlite';
  const text = sqlite ? sql`text` : sql`text collate "C"`;
  const id = sqlite ? sql`integer` : sql`bigserial`;

  await db.schema
    .createTable('retention_policies')
    .addColumn('place', text, (column) => column.primaryKey())
    .addColumn('namespace_id', 'bigint', (column) => column.references('namespaces.id').onDelete('cascade'))
    .addColumn('repository_id', 'bigint', (column) => column.references('repositories.id').onDelete('cascade'))
    .addColumn('policy', 'text', (column) => column.notNull())
    .addColumn('revision', 'text', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_by', 'text', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('retention_policies_namespace').on('retention_policies').column('namespace_id').execute();
  await db.schema
    .createIndex('retention_policies_repository')
    .on('retention_policies')
    .column('repository_id')
    .execute();

  await db.schema
    .createTable('retention_removals')
    .addColumn('id', id, (column) => (sqlite ? column.primaryKey().autoIncrement() : column.primaryKey()))
    .addColumn('repository_id', 'bigint', (column) =>
      column.notNull().references('repositories.id').onDelete('cascade'),
    )
    .addColumn('tag', text, (column) => column.notNull())
    .addColumn('digest', text, (column) => column.notNull())
    .addColumn('why', 'text', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex('retention_removals_repository')
    .on('retention_removals')
    .columns(['repository_id', 'id'])
    .execute();
  await db.schema.createIndex('retention_removals_at').on('retention_removals').column('at').execute();
}
