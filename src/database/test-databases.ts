import { afterAll, beforeAll, describe } from 'bun:test';
import { rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import pg from 'pg';
import { type RunningPostgres, requirePostgres, startPostgres } from '../../tests/support/postgres.ts';
import { testFolder } from '../storage/contract.ts';
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
      const folder = testFolder('database');
      folders.push(folder);
      const address = join(folder, 'berth.db');
      return { kind: 'sqlite', address, open: () => keep(opened, new SqliteDatabase(address)) };
    }, 'sqlite');
  });
  describe.skipIf(!requirePostgres(`${suite}, on PostgreSQL`))(`${suite}, on PostgreSQL`, () => {
    const opened: Database[] = [];
    // Making a cluster takes seconds on a busy machine: more than a test is given.
    beforeAll(() => cluster().then(() => {}), 120_000);
    afterAll(() => closeAll(opened));
    define(async () => {
      const address = await newSchema(await cluster());
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

let schemas = 0;

/** As empty as a new database, and made a hundred times as fast. */
async function newSchema(postgres: RunningPostgres): Promise<string> {
  const name = `place_${process.pid}_${++schemas}`;
  const client = new pg.Client(postgres.url);
  await client.connect();
  try {
    await client.query(`create schema ${name}`);
  } finally {
    await client.end();
  }
  return `${postgres.url}?options=${encodeURIComponent(`-c search_path=${name}`)}`;
}

const SHARED = Symbol.for('berth.test.postgres');
const WATCH = Symbol.for('berth.test.postgres.watch');
const shared = globalThis as unknown as { [SHARED]?: Promise<RunningPostgres>; [WATCH]?: unknown };

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
  endWithThisProcess(rows[0]?.data_directory ?? '');
  return postgres;
}

/**
 * Bun's test runner has no hook for the end of all files. A shell that waits for the end of its input sees this process go,
 * however it goes, then ends the server and removes what it left.
 */
function endWithThisProcess(cluster: string): void {
  const root = dirname(cluster);
  if (!basename(root).startsWith('berth-postgres-')) throw new Error(`not a test's cluster: ${cluster}`);
  const script = 'read -r _; pid=$(head -n 1 "$1/postmaster.pid"); kill -QUIT "$pid"; sleep 1; rm -rf "$2"';
  const options = { stdin: 'pipe', stdout: 'ignore', stderr: 'ignore' } as const;
  const child = Bun.spawn(['sh', '-c', script, 'sh', cluster, root], options);
  child.unref();
  // Kept, so that the pipe is not collected before the process ends.
  shared[WATCH] = child;
}
