import type { Digest } from '../../oci/digest.ts';
import type { RepositoryName } from '../../oci/names.ts';
import type { RegistryContext } from '../context.ts';
import { finishDeletions } from '../repository-deletion.ts';
import { applyRetention, forgetRemovals, RETENTION } from '../retention/apply.ts';
import { condemnBlobs, finishRemovals, removeCondemned, removeOrphans, unlinkBlobs, wouldFreeBlobs } from './blobs.ts';
import { GarbageBusyError, takeGarbageLease } from './lease.ts';
import { collectManifests, deadManifests } from './manifests.ts';
import type { GarbageItem, GarbageRun } from './run.ts';
import { expireUploads } from './uploads.ts';

export interface GarbageResult {
  dryRun: boolean;
  /** Removed by retention policies, before anything is collected. */
  tags: number;
  uploads: number;
  manifests: number;
  /** Blobs taken out of a repository. */
  links: number;
  /** Blobs removed from the store, orphans included. */
  blobs: number;
  /** Bytes that the removed blobs had. */
  bytes: number;
  seconds: number;
}

export interface GarbageOptions {
  dryRun: boolean;
  onItem?: (item: GarbageItem) => void;
  /** `done` of `total` of a step; total is undefined when it is not known beforehand. */
  onProgress?: (step: string, done: number, total: number | undefined) => void;
}

/**
 * Between batches collection rests three times as long as the batch took: pushes have the write lock and the disk for
 * three quarters of the time, and wait for one small batch at the most (`bench/`, row `gc`).
 */
const REST = 3;
const LEAST_PAUSE_MS = 5;
const MOST_PAUSE_MS = 1_000;

/**
 * Collects garbage once, as `protocol.md` beside this file says.
 *
 * @throws GarbageBusyError when another process collects (not for a dry run, which takes no lease and changes nothing)
 */
export async function collectGarbage(context: RegistryContext, options: GarbageOptions): Promise<GarbageResult> {
  const started = performance.now();
  let rested = started;
  const lease = options.dryRun ? undefined : await takeGarbageLease(context);
  const run: GarbageRun = {
    context,
    dryRun: options.dryRun,
    item: options.onItem ?? (() => {}),
    progress: options.onProgress ?? (() => {}),
    keepLease: async () => lease?.renew(),
    breathe: async () => {
      await lease?.renew();
      if (options.dryRun) return;
      await Bun.sleep(Math.min(Math.max((performance.now() - rested) * REST, LEAST_PAUSE_MS), MOST_PAUSE_MS));
      rested = performance.now();
    },
  };
  const result: GarbageResult = {
    dryRun: options.dryRun,
    tags: 0,
    uploads: 0,
    manifests: 0,
    links: 0,
    blobs: 0,
    bytes: 0,
    seconds: 0,
  };
  try {
    if (!run.dryRun) {
      add(result, await removeCondemned(run));
      await finishRemovals(context);
      await finishDeletions(context, run.breathe);
    }
    result.uploads = await expireUploads(run);
    const repositories = await context.database.read
      .selectFrom('repositories')
      .select(['id', 'name'])
      .orderBy('id')
      .execute();
    for (const repository of repositories) result.tags += await retain(run, repository);
    if (!run.dryRun) await forgetRemovals(context);
    const inUse = await context.digestsInUse();
    const freed = new Map<Digest, number>();
    for (const [index, repository] of repositories.entries()) {
      run.progress('repositories', index, repositories.length);
      await run.keepLease();
      const dead = await deadManifests(run, repository, inUse);
      if (!run.dryRun) result.manifests += await collectManifests(run, repository.id, dead);
      else result.manifests += dead.dead.size;
      result.links += await unlinkBlobs(run, repository, dead.dead, freed);
    }
    run.progress('repositories', repositories.length, repositories.length);
    if (run.dryRun) {
      add(result, await wouldFreeBlobs(run, freed));
    } else {
      await condemnBlobs(run);
      add(result, await removeCondemned(run));
    }
    add(result, await removeOrphans(run));
  } finally {
    await lease?.release();
  }
  result.seconds = Math.round(performance.now() - started) / 1000;
  return result;
}

/** Removes the tags that the repository's retention policy does not keep. Returns how many. */
async function retain(run: GarbageRun, repository: { id: number; name: RepositoryName }): Promise<number> {
  await run.keepLease();
  const { removed } = await applyRetention(run.context, repository, {
    dryRun: run.dryRun,
    actor: RETENTION,
    onTag: ({ tag, digest, why }) =>
      run.item({ kind: 'tag', repository: repository.name, digest, why: `${tag} ${why}` }),
    breathe: run.breathe,
  });
  return removed;
}

/**
 * Removes a blob that a collection which died had condemned, so that a push of its bytes need not wait for the next one.
 * Returns false when a collector lives: it will do so itself.
 */
export async function finishRemoval(context: RegistryContext, digest: Digest): Promise<boolean> {
  const quiet = () => {};
  try {
    const lease = await takeGarbageLease(context);
    const keepLease = () => lease.renew();
    try {
      const run = { context, dryRun: false, item: quiet, progress: quiet, keepLease, breathe: keepLease };
      await removeCondemned(run, digest);
    } finally {
      await lease.release();
    }
    return true;
  } catch (error) {
    if (error instanceof GarbageBusyError) return false;
    throw error;
  }
}

function add(result: GarbageResult, removed: { blobs: number; bytes: number }): void {
  result.blobs += removed.blobs;
  result.bytes += removed.bytes;
}
