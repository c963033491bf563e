import { afterAll, describe } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { type RunningPostgres, requirePostgres, startPostgres } from '../../tests/support/postgres.ts';
import type { Database, DatabaseKind } from './database.ts';
import { PostgresDatabase } from './postgres.ts';
import { SqliteDatabase } from './sqlite.ts';

/** An empty database of its own, that may be opened several times, as processes do. */
export interface DatabasePlace {
  kind: DatabaseKind;
  /** The SQLite file, or the PostgreSQL URL. */
  address: string;
  /** Closed after the suite. */
  open(): Database;
}

/**
 * The loop that runs a suite on SQLite and on PostgreSQL. `newPlace` gives an empty database. Without PostgreSQL its half is
 * left out with a printed reason, or fails when CI is set.
 */
export function onEachDatabase(
  suite: string,
  define: (newPlace: () => Promise<DatabasePlace>, kind: DatabaseKind) => void,
): void {
  describe(`${suite}, on SQLite`, () => {
    const opened: Database[] = [];
    const folders: string[] = [];
    afterAll(async () => {
      await closeAll(opened);
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    });
    define(async () => {
      const folder = mkdtempSync(join(tmpdir(), 'berth-database-'));
      folders.push(folder);
      const address = join(folder, 'berth.db');
      return { kind: 'sqlite', address, open: () => keep(opened, new SqliteDatabase(address)) };
    }, 'sqlite');
  });
  describe.skipIf(!requirePostgres(`${suite}, on PostgreSQL`))(`${suite}, on PostgreSQL`, () => {
    const opened: Database[] = [];
    afterAll(() => closeAll(opened));
    define(async () => {
      const address = await (await cluster()).newDatabase();
      const open = () => keep(opened, new PostgresDatabase(address, { connections: 5 }));
      return { kind: 'postgres', address, open };
    }, 'postgres');
  });
}

function keep(opened: Database[], database: Database): Database {
  opened.push(database);
  return database;
}

async function closeAll(opened: Database[]): Promise<void> {
  await Promise.allSettled(opened.splice(0).map((database) => database.close()));
}

const SHARED = Symbol.for('berth.test.postgres');
const shared = globalThis as unknown as { [SHARED]?: Promise<RunningPostgres> };

/** One cluster for the test process, over all test files. What is on it is thrown away, so it need not be durable. */
function cluster(): Promise<RunningPostgres> {
  shared[SHARED] ??= startCluster();
  return shared[SHARED];
}

async function startCluster(): Promise<RunningPostgres> {
  const postgres = await startPostgres({
    settings: ['fsync = off', 'full_page_writes = off', 'max_connections = 400', 'deadlock_timeout = 100ms'],
  });
  const client = new pg.Client(postgres.url);
  await client.connect();
  const { rows } = await client.query<{ data_directory: string }>('show data_directory');
  await client.end();
  const root = dirname(rows[0]?.data_directory ?? '');
  // Nothing asynchronous runs any more then: the signal is sent, and the folder removed once the server is gone.
  process.on('exit', () => {
    void postgres.stop();
    Bun.sleepSync(150);
    if (root.includes('berth-postgres-')) rmSync(root, { recursive: true, force: true });
  });
  return postgres;
}
