// The data of a former Berth: unpacked as it was, or brought to PostgreSQL by a backup of it.
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createBackup } from '../../src/backup/create.ts';
import { FolderTarget } from '../../src/backup/folder-target.ts';
import { SqliteDatabase } from '../../src/database/sqlite.ts';
import { FilesystemBlobStore } from '../../src/storage/filesystem/filesystem-blob-store.ts';
import { berth } from '../support/berth.ts';
import { run } from '../support/tools.ts';
import type { FixtureFacts } from './content.ts';

const folder = join(import.meta.dir, 'fixtures');

export const SCHEMAS = readdirSync(folder)
  .flatMap((name) => /^schema-(\d+)\.tar\.gz$/.exec(name)?.[1] ?? [])
  .map(Number)
  .sort((one, other) => one - other);

export function factsOf(schema: number): FixtureFacts {
  return JSON.parse(readFileSync(join(folder, `schema-${schema}.json`), 'utf8')) as FixtureFacts;
}

/** Its data directory, as that Berth left it. */
export async function unpack(schema: number, data: string): Promise<void> {
  mkdirSync(data, { recursive: true });
  await run(['tar', '-xzf', join(folder, `schema-${schema}.tar.gz`), '-C', data]);
}

/** Its content in a PostgreSQL database, by a backup in the schema of then. */
export async function bringToPostgres(schema: number, work: string, data: string, url: string): Promise<void> {
  const old = join(work, 'old');
  await unpack(schema, old);
  const database = new SqliteDatabase(join(old, 'berth.db'));
  const store = new FilesystemBlobStore({ root: old });
  const source = { database, store, now: Date.now, newId: () => Bun.randomUUIDv7(), process: 'fixture' };
  const path = join(old, 'secret.key');
  // There was none before there were secrets.
  const secretKey = existsSync(path) ? Buffer.from(readFileSync(path, 'utf8'), 'base64') : undefined;
  await createBackup(source, new FolderTarget(join(work, 'backup')), { secretKey, includeSecretKey: true });
  await database.close();
  const restored = await berth(['restore', join(work, 'backup'), '--data', data, '--database', url]);
  if (restored.code !== 0) throw new Error(`berth restore: ${restored.stdout}${restored.stderr}`);
}
