import { Database as BunSqlite } from 'bun:sqlite';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StartError } from './start-error.ts';

/** Another `berth serve` uses the data directory. */
export class DataInUseError extends Error {
  override readonly name = 'DataInUseError';
}

/**
 * Holds `serve.lock` for one supervisor. The lock is SQLite's own on that file: the operating system drops it with
 * the process, however it ends, so no stale lock is ever left.
 *
 * @param owner what to tell a second starter, e.g. `pid 17, http://localhost:5000`
 * @throws DataInUseError, StartError when the directory can't be written
 */
export function lockData(data: string, owner: string): () => void {
  const path = join(data, 'serve.lock');
  const ownerPath = join(data, 'serve.owner');
  const lock = open(path);
  try {
    lock.run('PRAGMA busy_timeout = 1500');
    // Nothing is ever committed; a journal file would want room on a disk that may be full.
    lock.run('PRAGMA journal_mode = MEMORY');
    lock.run('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY')) {
      throw new DataInUseError(
        `${data} is in use by another berth serve (${ownerOf(ownerPath)}); stop it, or give another --data`,
      );
    }
    throw unusable(data, error);
  }
  try {
    writeFileSync(ownerPath, owner);
  } catch (error) {
    // It is only for a message, and the disk may be full.
    if (!isFull(error)) throw unusable(ownerPath, error);
  }
  return () => lock.close();
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

function open(path: string): BunSqlite {
  try {
    return new BunSqlite(path, { create: true, readwrite: true });
  } catch (error) {
    throw unusable(path, error);
  }
}

function unusable(path: string, error: unknown): StartError {
  return new StartError(
    `--data: cannot write ${path}: ${error instanceof Error ? error.message : 'unknown error'}; check its owner and that the disk is writable`,
  );
}

function ownerOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return 'unknown';
  }
}
