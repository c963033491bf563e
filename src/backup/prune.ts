import type { Digest } from '../oci/digest.ts';
import { listBackups } from './catalog.ts';
import { blobsOfDump } from './dump.ts';
import { BackupError, type BackupManifest, BLOBS, DUMPS, digestOfKey, dumpKey, manifestKey } from './format.ts';
import { beginRunning } from './running.ts';
import type { BackupTarget } from './target.ts';

/** A backup is kept when one of these says so. */
export interface KeepRules {
  /** The newest so many. */
  last: number | undefined;
  /** Those not older, in ms. */
  within: number | undefined;
}

export interface PruneResult {
  kept: string[];
  removed: string[];
  /** Blobs that only removed backups named, and what killed backups left. */
  blobs: number;
  bytes: number;
}

/**
 * Removes backups, and then what no backup that is left names. Goes on from what a prune that was killed left: a backup's manifest goes
 * first, and with it the backup.
 *
 * @throws BackupError while a backup runs, and when nothing would be left
 */
export async function pruneBackups(
  target: BackupTarget,
  rules: KeepRules,
  options: { now: () => number; dryRun: boolean; onProgress?: (step: string, done: number) => void },
): Promise<PruneResult> {
  const running = await beginRunning(target, 'prune', options.now);
  try {
    const backups = await listBackups(target);
    const kept = keptBackups(backups, rules, options.now());
    if (backups.length > 0 && kept.length === 0) {
      throw new BackupError(`${target.name}: these rules keep none of ${backups.length} backup(s); add --keep-last 1`);
    }
    const ids = new Set(kept.map(({ id }) => id));
    const gone = backups.filter(({ id }) => !ids.has(id));
    // Read before anything goes: a damaged backup stops it here.
    const named = new Set<Digest>();
    for (const { id } of kept) for (const digest of (await blobsOfDump(target, id)).keys()) named.add(digest);
    const remove = async (key: string) => {
      if (!running.unbroken()) {
        throw new BackupError(
          `${target.name}: this process stood still too long, and a backup may have begun; run it again`,
        );
      }
      if (!options.dryRun) await target.remove(key);
    };
    for (const { id } of gone) await remove(manifestKey(id));
    // No blob may go while a power cut could bring a manifest back that names it.
    await target.sync();
    const dumps = new Set(kept.map(({ id }) => dumpKey(id)));
    for await (const { key } of target.list(DUMPS)) if (!dumps.has(key)) await remove(key);
    const result: PruneResult = { kept: [...ids], removed: gone.map(({ id }) => id), blobs: 0, bytes: 0 };
    for await (const { key, size } of target.list(BLOBS)) {
      const digest = digestOfKey(key);
      if (digest === undefined || named.has(digest)) continue;
      await remove(key);
      result.blobs++;
      result.bytes += size;
      options.onProgress?.('blobs', result.blobs);
    }
    await target.sync();
    return result;
  } finally {
    await running.end();
  }
}

/** @param backups oldest first */
export function keptBackups(backups: readonly BackupManifest[], rules: KeepRules, now: number): BackupManifest[] {
  const { last = 0, within } = rules;
  return backups.filter(
    ({ at }, index) => index >= backups.length - last || (within !== undefined && at >= now - within),
  );
}
