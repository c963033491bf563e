// The data directory: opened, made, brought up to date. With `server.ts` the only file that names a concrete database or blob store.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { refuseUnfinishedLoad } from './backup/load.ts';
import type { RestorePlace } from './backup/restore.ts';
import { refuseUnfinishedRestore } from './backup/restore-marker.ts';
import type { Settings } from './config/settings.ts';
import { type Database, DatabaseUnavailableError } from './database/database.ts';
import { type MigrationStep, migrate } from './database/migrate.ts';
import { SqliteDatabase } from './database/sqlite.ts';
import { StoreUnavailableError } from './storage/blob-store.ts';
import { FilesystemBlobStore } from './storage/filesystem/filesystem-blob-store.ts';

/** Where the data is and how it is kept. */
export type DataSettings = Pick<Settings, 'data' | 'database' | 'gcGrace' | 'tagHistoryWindow' | 'uploadExpiry'>;

/**
 * Makes a data directory usable by this version: folders, schema. Idempotent; safe beside other starters.
 *
 * @throws NewerSchemaError, DatabaseUnavailableError, StoreUnavailableError, UnfinishedRestoreError with what the operator must mend
 */
export async function prepareData(
  settings: DataSettings,
  onStep: (step: MigrationStep) => void = () => {},
): Promise<void> {
  makeDirectory(settings.data);
  refuseUnfinishedRestore(settings.data);
  const store = new FilesystemBlobStore({ root: settings.data });
  await store.prepare();
  const holdsBlobs = await isFilled(store);
  if (holdsBlobs && settings.database === undefined && !existsSync(sqlitePath(settings))) throw noDatabase(settings);
  const database = await openDatabase(settings, { patient: true });
  try {
    if (holdsBlobs && (await database.snapshot(async ({ tables }) => tables.length === 0))) throw noDatabase(settings);
    if (database instanceof SqliteDatabase) {
      database.requireWhole();
      database.makeReserve();
    }
    await migrate(database, { onStep });
    await refuseUnfinishedLoad(database);
  } finally {
    await database.close();
  }
}

/**
 * Opens a place for a restore: a store and a database that may have no tables yet.
 *
 * @throws DatabaseUnavailableError, StoreUnavailableError
 */
export async function openRestorePlace(
  settings: Pick<DataSettings, 'data' | 'database'>,
): Promise<RestorePlace & { close(): Promise<void> }> {
  makeDirectory(settings.data);
  const store = new FilesystemBlobStore({ root: settings.data });
  await store.prepare();
  const database = await openDatabase(settings, { patient: true });
  return { database, store, newId: () => Bun.randomUUIDv7(), close: () => database.close() };
}

/** @throws StoreUnavailableError */
function makeDirectory(data: string): void {
  try {
    mkdirSync(data, { recursive: true });
  } catch (error) {
    throw new StoreUnavailableError(`cannot make ${data}: ${error instanceof Error ? error.message : ''}`, {
      cause: error,
    });
  }
}

type DatabasePlace = Pick<DataSettings, 'data' | 'database'>;

/** @throws DatabaseUnavailableError, DatabaseFullError */
export async function openDatabase(
  settings: DatabasePlace,
  options: { existing?: boolean; patient?: boolean },
): Promise<Database> {
  if (settings.database === undefined) return new SqliteDatabase(sqlitePath(settings), options);
  // Loaded only when it is used: it is a tenth of an idle worker's memory.
  const { PostgresDatabase } = await import('./database/postgres.ts');
  return new PostgresDatabase(settings.database, options);
}

function sqlitePath({ data }: DatabasePlace): string {
  return join(data, 'berth.db');
}

async function isFilled(store: FilesystemBlobStore): Promise<boolean> {
  for await (const _ of store.list()) return true;
  return false;
}

/** A new database would name none of the blobs, and garbage collection would remove them. */
function noDatabase(settings: DatabasePlace): DatabaseUnavailableError {
  const place = settings.database === undefined ? `${sqlitePath(settings)} is not there` : '--database is empty';
  return new DatabaseUnavailableError(
    `${place}, but ${join(settings.data, 'blobs')} holds blobs that only their database can name: put that back, bring back a backup with berth restore into an empty directory, or give an empty --data to begin anew`,
  );
}
