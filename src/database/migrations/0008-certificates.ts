import { type Kysely, sql } from 'kysely';
import type { DatabaseKind } from '../database.ts';

/** Certificates that an ACME authority gave, what is needed to get them, and how getting them went. */
export async function up(db: Kysely<unknown>, kind: DatabaseKind): Promise<void> {
  const text = kind === 'sqlite' ? sql`text` : sql`text collate "C"`;

  await db.schema
    .createTable('acme_accounts')
    .addColumn('directory', text, (column) => column.primaryKey())
    .addColumn('sealed_key', 'text', (column) => column.notNull())
    .addColumn('url', 'text')
    .addColumn('registration', 'text')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute();

  await db.schema
    .createTable('acme_certificates')
    .addColumn('directory', text, (column) => column.notNull())
    .addColumn('names', text, (column) => column.notNull())
    .addColumn('fingerprint', 'text', (column) => column.notNull())
    .addColumn('chain', 'text', (column) => column.notNull())
    .addColumn('sealed_key', 'text', (column) => column.notNull())
    .addColumn('not_before', 'bigint', (column) => column.notNull())
    .addColumn('not_after', 'bigint', (column) => column.notNull())
    .addColumn('ordered_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('acme_certificates_pk', ['directory', 'names'])
    .execute();

  await db.schema
    .createTable('acme_failures')
    .addColumn('directory', text, (column) => column.notNull())
    .addColumn('names', text, (column) => column.notNull())
    .addColumn('settings', 'text', (column) => column.notNull())
    .addColumn('count', 'integer', (column) => column.notNull())
    .addColumn('reason', 'text', (column) => column.notNull())
    .addColumn('failed_at', 'bigint', (column) => column.notNull())
    .addColumn('next_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('acme_failures_pk', ['directory', 'names'])
    .execute();

  await db.schema
    .createTable('acme_challenges')
    .addColumn('token', text, (column) => column.primaryKey())
    .addColumn('answer', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .execute();
}
