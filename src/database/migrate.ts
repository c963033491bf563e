import { type Kysely, sql } from 'kysely';
import { type Database, type DatabaseKind, NewerSchemaError } from './database.ts';
import * as registry from './migrations/0001-registry.ts';
import * as accounts from './migrations/0002-accounts.ts';
import * as releases from './migrations/0003-releases.ts';
import * as page from './migrations/0004-page.ts';
import * as quotas from './migrations/0005-quotas.ts';
import * as retention from './migrations/0006-retention.ts';
import * as webhooks from './migrations/0007-webhooks.ts';
import * as certificates from './migrations/0008-certificates.ts';
import * as upstreams from './migrations/0009-upstreams.ts';
import * as mirrors from './migrations/0010-mirrors.ts';
import * as backupRuns from './migrations/0011-backup-runs.ts';

type Migration = { up: (db: Kysely<unknown>, kind: DatabaseKind) => Promise<void> };

/** In order; a number that has landed never changes. */
const MIGRATIONS: readonly Migration[] = [
  registry,
  accounts,
  releases,
  page,
  quotas,
  retention,
  webhooks,
  certificates,
  upstreams,
  mirrors,
  backupRuns,
];

/** The schema that this program writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** Moments of a migration at which a test may pull the plug: after each file, and before the commit. */
export type MigrationStep = 'migrated' | 'schema-written';

export interface MigrateOptions {
  /** The schema to stop at; a backup is loaded into the one that it was made from. */
  to?: number;
  onStep?: (step: MigrationStep) => void;
}

/** Any key will do, as long as every Berth takes the same. */
const ADVISORY_LOCK = 0x6265727468;

/**
 * Brings the database to `SCHEMA_VERSION`, or to the older `to`, in one transaction: all of it or nothing. Several processes may start
 * at once: one migrates, the others wait and find it done.
 *
 * @returns the version found before
 * @throws NewerSchemaError when the database is from a newer Berth; nothing is changed
 */
export async function migrate(database: Database, options: MigrateOptions = {}): Promise<number> {
  const { to = SCHEMA_VERSION, onStep = () => {} } = options;
  return database.transaction(async (tx) => {
    if (database.kind === 'postgres') await sql`select pg_advisory_xact_lock(${ADVISORY_LOCK})`.execute(tx);
    await sql`create table if not exists schema_version (version integer not null)`.execute(tx);
    const { rows } = await sql<{ version: number }>`select version from schema_version`.execute(tx);
    const found = rows[0]?.version ?? 0;
    refuseNewer(found);
    if (found >= to) return found;
    for (const migration of MIGRATIONS.slice(found, to)) {
      await migration.up(tx as unknown as Kysely<unknown>, database.kind);
      onStep('migrated');
    }
    if (rows.length === 0) await sql`insert into schema_version (version) values (${to})`.execute(tx);
    else await sql`update schema_version set version = ${to}`.execute(tx);
    onStep('schema-written');
    return found;
  });
}

/** The version of a database that some Berth made. @throws NewerSchemaError */
export async function schemaVersion(database: Database): Promise<number> {
  const { rows } = await sql<{ version: number }>`select version from schema_version`.execute(database.read);
  const found = rows[0]?.version ?? 0;
  refuseNewer(found);
  return found;
}

function refuseNewer(found: number): void {
  if (found <= SCHEMA_VERSION) return;
  throw new NewerSchemaError(
    `the data was written by a newer Berth (schema ${found}; this one knows ${SCHEMA_VERSION}); start that version, or restore a backup from before the upgrade`,
  );
}
