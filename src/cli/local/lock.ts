import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { type ResolvedSet, resolvedSet } from '../../api/releases.ts';
import { CommandError } from '../usage.ts';
import { replaceFile } from './set.ts';

/** A set of versions, exactly: the compose file, every image by its digest, and the variables that are no secrets. */
const lockFile = z.object({ berthLock: z.literal(1), ...resolvedSet.shape });

/** Where a set's lock file is unless --lock says so: in the current folder. */
export function lockPath(given: string | undefined, name: string): string {
  return resolve(given ?? `berth.${name}.lock.json`);
}

/** @throws CommandError */
export function readLock(path: string): ResolvedSet {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new CommandError(
      `${path}: cannot be read: ${error instanceof Error ? error.message : String(error)}; berth up without --locked writes it`,
    );
  }
  try {
    const { berthLock: _version, ...set } = lockFile.parse(JSON.parse(text));
    return set;
  } catch {
    throw new CommandError(`${path}: is not a lock file of berth up`);
  }
}

/** The same set gives the same bytes. @throws CommandError */
export function writeLock(path: string, set: ResolvedSet): void {
  const images = set.images.toSorted((a, b) => (a.service < b.service ? -1 : 1));
  const variables = Object.fromEntries(Object.entries(set.variables).sort(([a], [b]) => (a < b ? -1 : 1)));
  try {
    replaceFile(path, `${JSON.stringify({ berthLock: 1, ...set, images, variables }, null, 2)}\n`, 0o644);
  } catch (error) {
    throw new CommandError(`${path}: cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  }
}
