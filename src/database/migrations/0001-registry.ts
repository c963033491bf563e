import { type Kysely, sql } from 'kysely';
import type { DatabaseKind } from '../database.ts';

/** Repositories, manifests, tags and their history, blobs, uploads, leases. */
export async function up(db: Kysely<unknown>, kind: DatabaseKind): Promise<void> {
  const sqlite = kind === 'sqlite';
  // Names, tags and digests sort by byte: "lexical order" in the specification's sense, on both databases.
  const text = sqlite ? sql`text` : sql`text collate "C"`;
  const bytes = sqlite ? sql`blob` : sql`bytea`;
  const id = sqlite ? sql`integer` : sql`bigserial`;
  const repositoryId = sql`bigint`;

  await db.schema
    .createTable('repositories')
    .addColumn('id', id, (column) => (sqlite ? column.primaryKey().autoIncrement() : column.primaryKey()))
    .addColumn('name', text, (column) => column.notNull().unique())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('immutable_tags', 'text')
    .execute();

  await db.schema
    .createTable('manifests')
    .addColumn('repository_id', repositoryId, (column) => column.notNull().references('repositories.id'))
    .addColumn('digest', text, (column) => column.notNull())
    .addColumn('media_type', 'text', (column) => column.notNull())
    .addColumn('artifact_type', 'text')
    .addColumn('subject', text)
    .addColumn('annotations', 'text')
    .addColumn('size', 'bigint', (column) => column.notNull())
    .addColumn('pushed_at', 'bigint', (column) => column.notNull())
    .addColumn('pushed_by', 'text', (column) => column.notNull())
    .addColumn('protected_until', 'bigint', (column) => column.notNull())
    // Last, so that SQLite reads the other columns without walking the content's overflow pages.
    .addColumn('content', bytes, (column) => column.notNull())
    .addPrimaryKeyConstraint('manifests_key', ['repository_id', 'digest'])
    .execute();
  await sql`create index manifests_subject on manifests (repository_id, subject, digest) where subject is not null`.execute(
    db,
  );

  await db.schema
    .createTable('manifest_references')
    .addColumn('repository_id', repositoryId, (column) => column.notNull())
    .addColumn('manifest', text, (column) => column.notNull())
    .addColumn('target', text, (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('manifest_references_key', ['repository_id', 'manifest', 'target'])
    .addForeignKeyConstraint(
      'manifest_references_manifest',
      ['repository_id', 'manifest'],
      'manifests',
      ['repository_id', 'digest'],
      (constraint) => constraint.onDelete('cascade'),
    )
    .execute();
  await db.schema
    .createIndex('manifest_references_target')
    .on('manifest_references')
    .columns(['repository_id', 'target'])
    .execute();

  await db.schema
    .createTable('tags')
    .addColumn('repository_id', repositoryId, (column) => column.notNull().references('repositories.id'))
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('digest', text, (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('tags_key', ['repository_id', 'name'])
    .addForeignKeyConstraint('tags_manifest', ['repository_id', 'digest'], 'manifests', ['repository_id', 'digest'])
    .execute();
  await db.schema.createIndex('tags_digest').on('tags').columns(['repository_id', 'digest']).execute();

  await db.schema
    .createTable('tag_history')
    .addColumn('id', id, (column) => (sqlite ? column.primaryKey().autoIncrement() : column.primaryKey()))
    .addColumn('repository_id', repositoryId, (column) => column.notNull().references('repositories.id'))
    .addColumn('tag', text, (column) => column.notNull())
    .addColumn('digest', text)
    .addColumn('previous', text)
    .addColumn('action', 'text', (column) => column.notNull())
    .addColumn('actor', 'text', (column) => column.notNull())
    .addColumn('source', 'text', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('tag_history_tag').on('tag_history').columns(['repository_id', 'tag', 'id']).execute();
  await db.schema.createIndex('tag_history_at').on('tag_history').columns(['repository_id', 'at']).execute();

  await db.schema
    .createTable('blobs')
    .addColumn('digest', text, (column) => column.primaryKey())
    .addColumn('size', 'bigint', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('protected_until', 'bigint', (column) => column.notNull())
    .execute();
  await sql`create index blobs_unfinished on blobs (state) where state <> 'stored'`.execute(db);

  await db.schema
    .createTable('repository_blobs')
    .addColumn('repository_id', repositoryId, (column) => column.notNull().references('repositories.id'))
    .addColumn('digest', text, (column) => column.notNull().references('blobs.digest'))
    .addColumn('protected_until', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('repository_blobs_key', ['repository_id', 'digest'])
    .execute();
  await db.schema.createIndex('repository_blobs_digest').on('repository_blobs').columns(['digest']).execute();

  await db.schema
    .createTable('uploads')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('repository_id', repositoryId, (column) => column.notNull().references('repositories.id'))
    .addColumn('started_at', 'bigint', (column) => column.notNull())
    .addColumn('touched_at', 'bigint', (column) => column.notNull())
    .addColumn('holder', 'text')
    .addColumn('holder_until', 'bigint', (column) => column.notNull().defaultTo(0))
    .addColumn('asked_to_yield', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('hashed_digest', 'text')
    .addColumn('hashed_bytes', 'bigint', (column) => column.notNull().defaultTo(0))
    .execute();

  await db.schema
    .createTable('leases')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('holder', 'text', (column) => column.notNull())
    .addColumn('until', 'bigint', (column) => column.notNull())
    .addColumn('fence', 'bigint', (column) => column.notNull())
    .execute();
}
