import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { z } from 'zod';

/**
 * Writes a file whole or not at all, and durably: aside, fsync, rename, fsync of the directory. Mode 0600.
 *
 * @throws what the file system says, as ENOSPC; the file is then as it was
 */
export async function writeFileDurably(path: string, text: string): Promise<void> {
  const aside = `${path}.${randomBytes(4).toString('hex')}.new`;
  try {
    const file = await open(aside, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Makes a directory of mode 0700, durably. */
export async function makeDirectory(path: string): Promise<void> {
  const made = await mkdir(path, { recursive: true, mode: 0o700 });
  if (made !== undefined) await syncDirectory(join(path, '..'));
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** A JSON file that has this shape; undefined when there is none. @throws when it is there and is not that */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  const result = schema.safeParse(JSON.parse(text));
  if (!result.success)
    throw new Error(`${path} is not what this Berth writes: ${result.error.issues[0]?.message ?? ''}`);
  return result.data;
}
