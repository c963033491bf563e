import { type ColumnDefinitionBuilder, type Kysely, sql } from 'kysely';
import type { DatabaseKind } from '../database.ts';

/** Events, webhooks, and what was sent to them. */
export async function up(db: Kysely<unknown>, kind: DatabaseKind): Promise<void> {
  const text = kind === 'sqlite' ? sql`text` : sql`text collate "C"`;
  const serial = kind === 'sqlite' ? 'integer' : 'bigserial';
  const id = (column: ColumnDefinitionBuilder) => {
    // A number that was given never comes again, also when the last rows are deleted.
    return kind === 'sqlite' ? column.primaryKey().autoIncrement() : column.primaryKey();
  };
  const required = (column: ColumnDefinitionBuilder) => column.notNull();
  const zero = (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(0);

  await db.schema
    .createTable('events')
    .addColumn('id', serial, id)
    .addColumn('seq', 'bigint')
    .addColumn('at', 'bigint', required)
    .addColumn('kind', text, required)
    .addColumn('repository', text)
    .addColumn('repository_id', 'integer')
    .addColumn('namespace', text)
    .addColumn('stack', text)
    .addColumn('subject', 'text', required)
    .addColumn('actor', 'text', required)
    .addColumn('source', 'text', required)
    .addColumn('detail', 'text', required)
    .addColumn('request', 'text')
    .execute();
  await sql`create index events_new on events (id) where seq is null`.execute(db);
  await sql`create unique index events_seq on events (seq) where seq is not null`.execute(db);
  await db.schema.createIndex('events_at').on('events').column('at').execute();
  await db.schema.createIndex('events_repository').on('events').columns(['repository', 'seq']).execute();

  await db.schema
    .createTable('webhooks')
    .addColumn('id', text, (column) => column.primaryKey())
    .addColumn('repository_id', 'integer')
    .addColumn('namespace_id', 'integer', (column) => column.references('namespaces.id').onDelete('cascade'))
    .addColumn('scope', text, required)
    .addColumn('description', 'text', required)
    .addColumn('url', 'text', required)
    .addColumn('shape', 'text', required)
    .addColumn('kinds', 'text', required)
    .addColumn('secret', 'text', required)
    .addColumn('former_secret', 'text')
    .addColumn('former_until', 'bigint')
    .addColumn('auth_header', 'text')
    .addColumn('trusted', 'integer', required)
    .addColumn('created_by', 'text', required)
    .addColumn('created_at', 'bigint', required)
    .addColumn('disabled_at', 'bigint')
    .addColumn('disabled_reason', 'text')
    .addColumn('ended', 'integer', zero)
    .addColumn('failing_since', 'bigint')
    .addColumn('failures', 'integer', zero)
    .addColumn('retry_at', 'bigint', zero)
    .addColumn('lease_holder', 'text')
    .addColumn('lease_until', 'bigint', zero)
    .execute();
  await db.schema.createIndex('webhooks_scope').on('webhooks').column('scope').execute();
  await db.schema.createIndex('webhooks_repository').on('webhooks').column('repository_id').execute();
  await db.schema.createIndex('webhooks_namespace').on('webhooks').column('namespace_id').execute();

  await db.schema
    .createTable('webhook_deliveries')
    .addColumn('position', serial, id)
    .addColumn('id', text, (column) => column.notNull().unique())
    .addColumn('webhook_id', text, (column) => column.notNull().references('webhooks.id').onDelete('cascade'))
    .addColumn('event_id', 'bigint', required)
    .addColumn('state', text, required)
    .addColumn('once', 'integer', required)
    .addColumn('created_at', 'bigint', required)
    .addColumn('finished_at', 'bigint')
    .addColumn('attempts', 'integer', zero)
    .addColumn('body', 'text')
    .execute();
  await sql`create index webhook_deliveries_pending on webhook_deliveries (webhook_id, position)
    where state = 'pending'`.execute(db);
  await db.schema
    .createIndex('webhook_deliveries_webhook')
    .on('webhook_deliveries')
    .columns(['webhook_id', 'position'])
    .execute();
  await db.schema.createIndex('webhook_deliveries_created').on('webhook_deliveries').column('created_at').execute();
  await db.schema.createIndex('webhook_deliveries_event').on('webhook_deliveries').column('event_id').execute();

  await db.schema
    .createTable('webhook_attempts')
    .addColumn('id', serial, id)
    .addColumn('delivery_id', text, (column) =>
      column.notNull().references('webhook_deliveries.id').onDelete('cascade'),
    )
    .addColumn('at', 'bigint', required)
    .addColumn('duration_ms', 'integer', required)
    .addColumn('status', 'integer')
    .addColumn('error', 'text')
    .addColumn('headers', 'text', required)
    .addColumn('response', 'text', required)
    .execute();
  await db.schema.createIndex('webhook_attempts_delivery').on('webhook_attempts').column('delivery_id').execute();
}
