import { type ColumnDefinitionBuilder, type Kysely, sql } from 'kysely';
import type { DatabaseKind } from '../database.ts';

/**
 * Users and their log-ins (the tables of better-auth, in our names and units), namespaces, organizations, teams, grants, robots,
 * access tokens, invitations, log-in limits, the audit log; and what a repository has since it has owners.
 */
export async function up(db: Kysely<unknown>, kind: DatabaseKind): Promise<void> {
  const sqlite = kind === 'sqlite';
  const text = sqlite ? sql`text` : sql`text collate "C"`;
  const id = sqlite ? sql`integer` : sql`bigserial`;
  const primary = (column: ColumnDefinitionBuilder) =>
    sqlite ? column.primaryKey().autoIncrement() : column.primaryKey();
  const required = (column: ColumnDefinitionBuilder) => column.notNull();
  const key = (column: ColumnDefinitionBuilder) => column.primaryKey();

  await db.schema
    .createTable('users')
    .addColumn('id', 'text', key)
    .addColumn('username', text, (column) => column.notNull().unique())
    .addColumn('display_username', 'text')
    .addColumn('name', 'text', required)
    .addColumn('email', text, (column) => column.notNull().unique())
    .addColumn('email_verified', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('image', 'text')
    .addColumn('two_factor_enabled', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('administrator', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('disabled_at', 'bigint')
    .addColumn('created_at', 'bigint', required)
    .addColumn('updated_at', 'bigint', required)
    .execute();

  await db.schema
    .createTable('sessions')
    .addColumn('id', 'text', key)
    .addColumn('token', 'text', (column) => column.notNull().unique())
    .addColumn('user_id', 'text', (column) => column.notNull().references('users.id').onDelete('cascade'))
    .addColumn('expires_at', 'bigint', required)
    .addColumn('created_at', 'bigint', required)
    .addColumn('updated_at', 'bigint', required)
    .addColumn('ip_address', 'text')
    .addColumn('user_agent', 'text')
    .execute();
  await db.schema.createIndex('sessions_user').on('sessions').column('user_id').execute();

  await db.schema
    .createTable('user_logins')
    .addColumn('id', 'text', key)
    .addColumn('account_id', 'text', required)
    .addColumn('provider_id', 'text', required)
    .addColumn('user_id', 'text', (column) => column.notNull().references('users.id').onDelete('cascade'))
    .addColumn('access_token', 'text')
    .addColumn('refresh_token', 'text')
    .addColumn('id_token', 'text')
    .addColumn('access_token_expires_at', 'bigint')
    .addColumn('refresh_token_expires_at', 'bigint')
    .addColumn('scope', 'text')
    .addColumn('password', 'text')
    .addColumn('created_at', 'bigint', required)
    .addColumn('updated_at', 'bigint', required)
    .addUniqueConstraint('user_logins_account', ['provider_id', 'account_id'])
    .execute();
  await db.schema.createIndex('user_logins_user').on('user_logins').column('user_id').execute();

  await db.schema
    .createTable('verifications')
    .addColumn('id', 'text', key)
    .addColumn('identifier', 'text', required)
    .addColumn('value', 'text', required)
    .addColumn('expires_at', 'bigint', required)
    .addColumn('created_at', 'bigint', required)
    .addColumn('updated_at', 'bigint', required)
    .execute();
  await db.schema.createIndex('verifications_identifier').on('verifications').column('identifier').execute();

  await db.schema
    .createTable('two_factors')
    .addColumn('id', 'text', key)
    .addColumn('user_id', 'text', (column) => column.notNull().references('users.id').onDelete('cascade'))
    .addColumn('secret', 'text', required)
    .addColumn('backup_codes', 'text', required)
    .addColumn('verified', 'integer')
    .addColumn('failed_verification_count', 'integer')
    .addColumn('locked_until', 'bigint')
    .execute();
  await db.schema.createIndex('two_factors_user').on('two_factors').column('user_id').execute();

  await db.schema
    .createTable('namespaces')
    .addColumn('id', id, primary)
    .addColumn('name', text, (column) => column.notNull().unique())
    .addColumn('kind', 'text', required)
    .addColumn('user_id', 'text', (column) => column.unique().references('users.id').onDelete('cascade'))
    .addColumn('display_name', 'text', (column) => column.notNull().defaultTo(''))
    .addColumn('description', 'text', (column) => column.notNull().defaultTo(''))
    .addColumn('created_at', 'bigint', required)
    .execute();

  const namespace = (column: ColumnDefinitionBuilder) =>
    column.notNull().references('namespaces.id').onDelete('cascade');

  await db.schema
    .createTable('organization_members')
    .addColumn('namespace_id', 'bigint', namespace)
    .addColumn('user_id', 'text', (column) => column.notNull().references('users.id').onDelete('cascade'))
    .addColumn('role', 'text', required)
    .addColumn('created_at', 'bigint', required)
    .addPrimaryKeyConstraint('organization_members_key', ['namespace_id', 'user_id'])
    .execute();
  await db.schema.createIndex('organization_members_user').on('organization_members').column('user_id').execute();

  await db.schema
    .createTable('teams')
    .addColumn('id', id, primary)
    .addColumn('namespace_id', 'bigint', namespace)
    .addColumn('name', text, required)
    .addColumn('description', 'text', (column) => column.notNull().defaultTo(''))
    .addColumn('created_at', 'bigint', required)
    .addUniqueConstraint('teams_name', ['namespace_id', 'name'])
    .execute();

  await db.schema
    .createTable('team_members')
    .addColumn('team_id', 'bigint', (column) => column.notNull().references('teams.id').onDelete('cascade'))
    .addColumn('user_id', 'text', (column) => column.notNull().references('users.id').onDelete('cascade'))
    .addColumn('created_at', 'bigint', required)
    .addPrimaryKeyConstraint('team_members_key', ['team_id', 'user_id'])
    .execute();
  await db.schema.createIndex('team_members_user').on('team_members').column('user_id').execute();

  for (const column of [
    sql`visibility text not null default 'private'`,
    sql`description text not null default ''`,
    sql`readme text not null default ''`,
  ]) {
    await sql`alter table repositories add column ${column}`.execute(db);
  }
  await sql`create index repositories_public on repositories (name) where visibility = 'public'`.execute(db);

  await db.schema
    .createTable('repository_aliases')
    .addColumn('name', text, key)
    .addColumn('repository_id', 'bigint', (column) =>
      column.notNull().references('repositories.id').onDelete('cascade'),
    )
    .addColumn('created_at', 'bigint', required)
    .execute();
  await db.schema.createIndex('repository_aliases_target').on('repository_aliases').column('repository_id').execute();

  await db.schema
    .createTable('robots')
    .addColumn('id', id, primary)
    .addColumn('namespace_id', 'bigint', namespace)
    .addColumn('repository_id', 'bigint', (column) => column.references('repositories.id').onDelete('cascade'))
    .addColumn('name', text, required)
    .addColumn('description', 'text', (column) => column.notNull().defaultTo(''))
    .addColumn('role', 'text', required)
    .addColumn('created_by', 'text', required)
    .addColumn('created_at', 'bigint', required)
    .addColumn('disabled_at', 'bigint')
    .addUniqueConstraint('robots_name', ['namespace_id', 'name'])
    .execute();

  await db.schema
    .createTable('grants')
    .addColumn('id', id, primary)
    .addColumn('namespace_id', 'bigint', namespace)
    .addColumn('repository_id', 'bigint', (column) => column.references('repositories.id').onDelete('cascade'))
    .addColumn('user_id', 'text', (column) => column.references('users.id').onDelete('cascade'))
    .addColumn('team_id', 'bigint', (column) => column.references('teams.id').onDelete('cascade'))
    .addColumn('role', 'text', required)
    .addColumn('created_at', 'bigint', required)
    .execute();
  for (const [place, one] of [
    ['namespace', sql`repository_id is null`],
    ['repository', sql`repository_id is not null`],
  ] as const) {
    const columns = place === 'namespace' ? sql`namespace_id` : sql`repository_id`;
    for (const subject of ['user', 'team'] as const) {
      const column = sql.ref(`${subject}_id`);
      await sql`create unique index ${sql.ref(`grants_${place}_${subject}`)} on grants (${columns}, ${column})
        where ${one} and ${column} is not null`.execute(db);
    }
  }
  await db.schema.createIndex('grants_user').on('grants').column('user_id').execute();
  await db.schema.createIndex('grants_team').on('grants').column('team_id').execute();

  await db.schema
    .createTable('access_tokens')
    .addColumn('id', 'text', key)
    .addColumn('kind', 'text', required)
    .addColumn('user_id', 'text', (column) => column.references('users.id').onDelete('cascade'))
    .addColumn('robot_id', 'bigint', (column) => column.references('robots.id').onDelete('cascade'))
    .addColumn('parent_id', 'text', (column) => column.references('access_tokens.id').onDelete('cascade'))
    .addColumn('name', 'text', required)
    .addColumn('level', 'text', required)
    .addColumn('repository', 'text')
    .addColumn('secret_hash', 'text', (column) => column.notNull().unique())
    .addColumn('created_at', 'bigint', required)
    .addColumn('expires_at', 'bigint')
    .addColumn('last_used_at', 'bigint')
    .addColumn('last_used_from', 'text')
    .addColumn('revoked_at', 'bigint')
    .execute();
  await db.schema.createIndex('access_tokens_user').on('access_tokens').column('user_id').execute();
  await db.schema.createIndex('access_tokens_robot').on('access_tokens').column('robot_id').execute();
  await db.schema.createIndex('access_tokens_parent').on('access_tokens').column('parent_id').execute();

  await db.schema
    .createTable('invitations')
    .addColumn('id', 'text', key)
    .addColumn('secret_hash', 'text', (column) => column.notNull().unique())
    .addColumn('email', 'text')
    .addColumn('namespace_id', 'bigint', (column) => column.references('namespaces.id').onDelete('cascade'))
    .addColumn('role', 'text')
    .addColumn('created_by', 'text', required)
    .addColumn('created_at', 'bigint', required)
    .addColumn('expires_at', 'bigint', required)
    .addColumn('used_at', 'bigint')
    .addColumn('used_by', 'text')
    .execute();

  await db.schema
    .createTable('instance_keys')
    .addColumn('name', 'text', key)
    .addColumn('value', 'text', required)
    .execute();

  await db.schema
    .createTable('login_failures')
    .addColumn('key', 'text', key)
    .addColumn('failures', 'integer', required)
    .addColumn('pending', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('since', 'bigint', required)
    .execute();

  await db.schema
    .createTable('known_addresses')
    .addColumn('user_id', 'text', (column) => column.notNull().references('users.id').onDelete('cascade'))
    .addColumn('address', 'text', required)
    .addColumn('last_at', 'bigint', required)
    .addPrimaryKeyConstraint('known_addresses_key', ['user_id', 'address'])
    .execute();

  await db.schema
    .createTable('audit_log')
    .addColumn('id', id, primary)
    .addColumn('at', 'bigint', required)
    .addColumn('actor', text, required)
    .addColumn('source', 'text', required)
    .addColumn('action', text, required)
    .addColumn('subject', text, required)
    .addColumn('outcome', 'text', required)
    .addColumn('detail', 'text')
    .execute();
  for (const column of ['actor', 'action', 'subject', 'at'] as const) {
    await db.schema.createIndex(`audit_log_${column}`).on('audit_log').columns([column, 'id']).execute();
  }
  await appendOnly(db, sqlite);
}

/** The database itself refuses to change or remove what was written. */
async function appendOnly(db: Kysely<unknown>, sqlite: boolean): Promise<void> {
  if (sqlite) {
    for (const verb of ['update', 'delete'] as const) {
      await sql`create trigger ${sql.ref(`audit_log_no_${verb}`)} before ${sql.raw(verb)} on audit_log
        begin select raise(abort, 'the audit log is append-only'); end`.execute(db);
    }
    return;
  }
  await sql`create function audit_log_append_only() returns trigger language plpgsql as
    $$ begin raise exception 'the audit log is append-only'; end $$`.execute(db);
  await sql`create trigger audit_log_append_only before update or delete or truncate on audit_log
    for each statement execute function audit_log_append_only()`.execute(db);
}
