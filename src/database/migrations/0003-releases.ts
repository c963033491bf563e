import { type ColumnDefinitionBuilder, type Kysely, sql } from 'kysely';
import type { DatabaseKind } from '../database.ts';

/** Stacks, environments, releases, deployments, targets and their tokens. */
export async function up(db: Kysely<unknown>, kind: DatabaseKind): Promise<void> {
  const sqlite = kind === 'sqlite';
  const text = sqlite ? sql`text` : sql`text collate "C"`;
  const id = sqlite ? sql`integer` : sql`bigserial`;
  const primary = (column: ColumnDefinitionBuilder) =>
    sqlite ? column.primaryKey().autoIncrement() : column.primaryKey();
  const required = (column: ColumnDefinitionBuilder) => column.notNull();
  const of = (table: string) => (column: ColumnDefinitionBuilder) =>
    column.notNull().references(`${table}.id`).onDelete('cascade');
  const startsAt = (value: number) => (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(value);

  await db.schema
    .createTable('stacks')
    .addColumn('id', id, primary)
    .addColumn('namespace_id', 'bigint', of('namespaces'))
    .addColumn('name', text, required)
    .addColumn('file', text, required)
    .addColumn('next_release', 'integer', startsAt(1))
    .addColumn('created_by', 'text', required)
    .addColumn('created_at', 'bigint', required)
    .addColumn('updated_at', 'bigint', required)
    .addUniqueConstraint('stacks_name', ['namespace_id', 'name'])
    .execute();

  await db.schema
    .createTable('stack_files')
    .addColumn('stack_id', 'bigint', of('stacks'))
    .addColumn('digest', text, required)
    .addColumn('content', 'text', required)
    .addColumn('created_by', 'text', required)
    .addColumn('created_at', 'bigint', required)
    .addPrimaryKeyConstraint('stack_files_key', ['stack_id', 'digest'])
    .execute();

  await db.schema
    .createTable('stack_services')
    .addColumn('stack_id', 'bigint', of('stacks'))
    .addColumn('service', text, required)
    .addColumn('repository', text, required)
    .addColumn('reference', text, required)
    .addPrimaryKeyConstraint('stack_services_key', ['stack_id', 'service'])
    .execute();
  await db.schema.createIndex('stack_services_repository').on('stack_services').column('repository').execute();

  await db.schema
    .createTable('environments')
    .addColumn('id', id, primary)
    .addColumn('stack_id', 'bigint', of('stacks'))
    .addColumn('name', text, required)
    .addColumn('position', 'integer', required)
    .addColumn('protected', 'integer', startsAt(0))
    .addColumn('deploy_on_push', 'integer', startsAt(0))
    .addColumn('max_parallel', 'integer', startsAt(1))
    .addColumn('track', 'text', required)
    .addColumn('config_version', 'integer', startsAt(0))
    .addColumn('next_deployment', 'integer', startsAt(1))
    .addColumn('current_deployment_id', 'bigint')
    .addColumn('held_by', 'text')
    .addColumn('held_at', 'bigint')
    .addColumn('held_reason', 'text')
    .addColumn('lease_deployment_id', 'bigint')
    .addColumn('lease_since', 'bigint')
    .addColumn('lease_until', 'bigint')
    .addColumn('lease_fence', 'bigint', startsAt(0))
    .addColumn('revision', 'bigint', startsAt(0))
    .addColumn('created_at', 'bigint', required)
    .addUniqueConstraint('environments_name', ['stack_id', 'name'])
    .execute();

  await db.schema
    .createTable('config_versions')
    .addColumn('environment_id', 'bigint', of('environments'))
    .addColumn('number', 'integer', required)
    .addColumn('variables', 'text', required)
    .addColumn('created_by', 'text', required)
    .addColumn('created_at', 'bigint', required)
    .addPrimaryKeyConstraint('config_versions_key', ['environment_id', 'number'])
    .execute();

  await db.schema
    .createTable('releases')
    .addColumn('id', id, primary)
    .addColumn('stack_id', 'bigint', of('stacks'))
    .addColumn('number', 'integer', required)
    .addColumn('version', text)
    .addColumn('file', text, required)
    .addColumn('content', text, required)
    .addColumn('notes', 'text', required)
    .addColumn('created_by', 'text', required)
    .addColumn('created_at', 'bigint', required)
    .addColumn('expired_at', 'bigint')
    .addUniqueConstraint('releases_number', ['stack_id', 'number'])
    .addUniqueConstraint('releases_version', ['stack_id', 'version'])
    .execute();
  await db.schema.createIndex('releases_content').on('releases').columns(['stack_id', 'content']).execute();

  await db.schema
    .createTable('release_images')
    .addColumn('release_id', 'bigint', of('releases'))
    .addColumn('service', text, required)
    .addColumn('repository', text, required)
    .addColumn('digest', text, required)
    .addColumn('tag', 'text')
    .addColumn('annotations', 'text', required)
    .addPrimaryKeyConstraint('release_images_key', ['release_id', 'service'])
    .execute();
  await db.schema.createIndex('release_images_digest').on('release_images').column('digest').execute();
  await db.schema.createIndex('release_images_repository').on('release_images').column('repository').execute();

  await db.schema
    .createTable('release_revocations')
    .addColumn('release_id', 'bigint', of('releases'))
    .addColumn('environment_id', 'bigint', required)
    .addColumn('revoked_by', 'text', required)
    .addColumn('revoked_at', 'bigint', required)
    .addColumn('reason', 'text', required)
    .addColumn('culprits', 'text')
    .addPrimaryKeyConstraint('release_revocations_key', ['release_id', 'environment_id'])
    .execute();

  await db.schema
    .createTable('deployments')
    .addColumn('id', id, primary)
    .addColumn('environment_id', 'bigint', of('environments'))
    .addColumn('number', 'integer', required)
    .addColumn('release_id', 'bigint', (column) => column.notNull().references('releases.id'))
    .addColumn('config_version', 'integer', required)
    .addColumn('reason', text, required)
    .addColumn('actor', 'text', required)
    .addColumn('status', text, required)
    .addColumn('message', 'text', required)
    .addColumn('restores', 'integer')
    .addColumn('undoes', 'integer')
    .addColumn('created_at', 'bigint', required)
    .addColumn('started_at', 'bigint')
    .addColumn('finished_at', 'bigint')
    .addColumn('stable_at', 'bigint')
    .addUniqueConstraint('deployments_number', ['environment_id', 'number'])
    .execute();
  await db.schema.createIndex('deployments_status').on('deployments').columns(['status', 'environment_id']).execute();
  await db.schema.createIndex('deployments_release').on('deployments').column('release_id').execute();

  await db.schema
    .createTable('targets')
    .addColumn('id', id, primary)
    .addColumn('environment_id', 'bigint', of('environments'))
    .addColumn('name', text, required)
    .addColumn('created_by', 'text', required)
    .addColumn('created_at', 'bigint', required)
    .addColumn('revoked_at', 'bigint')
    .addColumn('last_seen_at', 'bigint')
    .addColumn('address', 'text')
    .addColumn('agent_version', 'text')
    .addColumn('engine', 'text')
    .addColumn('clock_skew_ms', 'bigint')
    .addColumn('deployment', 'integer')
    .addColumn('services', 'text')
    .addColumn('reported_at', 'bigint')
    .addUniqueConstraint('targets_name', ['environment_id', 'name'])
    .execute();

  await db.schema
    .createTable('target_deployments')
    .addColumn('deployment_id', 'bigint', of('deployments'))
    .addColumn('target_id', 'bigint', of('targets'))
    .addColumn('phase', text, required)
    .addColumn('pulled_bytes', 'bigint', startsAt(0))
    .addColumn('pull_total', 'bigint', startsAt(0))
    .addColumn('error', 'text')
    .addColumn('blame', 'text')
    .addColumn('warnings', 'text', required)
    .addColumn('log', 'text')
    .addColumn('reverted_to', 'integer')
    .addColumn('admitted_at', 'bigint', required)
    .addColumn('updated_at', 'bigint', required)
    .addPrimaryKeyConstraint('target_deployments_key', ['deployment_id', 'target_id'])
    .execute();
  await db.schema.createIndex('target_deployments_target').on('target_deployments').column('target_id').execute();

  await db.schema
    .createTable('target_images')
    .addColumn('target_id', 'bigint', of('targets'))
    .addColumn('digest', text, required)
    .addPrimaryKeyConstraint('target_images_key', ['target_id', 'digest'])
    .execute();
  await db.schema.createIndex('target_images_digest').on('target_images').column('digest').execute();

  await db.schema
    .createTable('environment_triggers')
    .addColumn('environment_id', 'bigint', (column) =>
      column.primaryKey().references('environments.id').onDelete('cascade'),
    )
    .addColumn('requested_at', 'bigint', required)
    .addColumn('actor', 'text', required)
    .addColumn('cause', 'text', required)
    .execute();

  await db.schema
    .alterTable('access_tokens')
    .addColumn('target_id', 'bigint', (column) => column.references('targets.id').onDelete('cascade'))
    .execute();
  await db.schema.createIndex('access_tokens_target').on('access_tokens').column('target_id').execute();
}
