import { existsSync, readFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** A file of the data directory, from the beginning of a restore to its end. */
const NAME = 'restore.unfinished';

/** Data that a restore has begun to bring back, and not ended. */
export class UnfinishedRestoreError extends Error {
  override readonly name = 'UnfinishedRestoreError';
}

/** @throws UnfinishedRestoreError */
export function refuseUnfinishedRestore(data: string): void {
  const backup = unfinishedRestoreOf(data);
  if (backup === undefined) return;
  throw new UnfinishedRestoreError(
    `--data: ${data} holds a restore of backup ${backup} that did not end; run the same berth restore again, or remove the directory`,
  );
}

/** The backup that is being brought back to a data directory. */
export function unfinishedRestoreOf(data: string): string | undefined {
  const path = join(data, NAME);
  return existsSync(path) ? readFileSync(path, 'utf8').trim() || 'unknown' : undefined;
}

export async function markRestore(data: string, backup: string): Promise<void> {
  const path = join(data, NAME);
  const temporary = `${path}.tmp`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.write(`${backup}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  await syncFolder(data);
}

export async function unmarkRestore(data: string): Promise<void> {
  await rm(join(data, NAME), { force: true });
  await syncFolder(data);
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
