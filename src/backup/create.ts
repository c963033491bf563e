import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import pkg from '../../package.json' with { type: 'json' };
import { type Digest, digestAlgorithm } from '../oci/digest.ts';
import type { RegistryContext } from '../registry/context.ts';
import { holdBlobs } from '../registry/garbage/hold.ts';
import { type DumpedRows, fileFacts, writeDump } from './dump.ts';
import {
  BackupError,
  type BackupManifest,
  BLOBS,
  backupId,
  blobKey,
  digestOfKey,
  dumpKey,
  FORMAT,
  keyFingerprint,
  manifestKey,
} from './format.ts';
import { beginRunning } from './running.ts';
import { type BackupTarget, putText } from './target.ts';

/** A process that stood still may have lost what protected its blobs; it begins again, and finds most of them copied. */
const ATTEMPTS = 3;
const COPIES_AT_ONCE = 4;

/** Moments at which a test may pull the plug. */
export type BackupStep = 'snapshot-taken' | 'blob-copied' | 'blobs-copied' | 'dump-stored' | 'manifest-stored';

/** What is copied. */
export type BackupSource = Pick<RegistryContext, 'database' | 'store' | 'now' | 'newId' | 'process'>;

export interface CreateOptions {
  /** The key that secrets are sealed with; undefined when there is none. */
  secretKey: Uint8Array | undefined;
  /** Put the key itself into the backup. */
  includeSecretKey: boolean;
  /** `done` of `total` bytes to copy; without a total, a step that is waited for. */
  onProgress?: (step: string, done: number, total?: number) => void;
  onStep?: (step: BackupStep) => void;
  /** Ends it between two pieces of a blob, with the signal's reason; what was copied is of use to the next one. */
  signal?: AbortSignal;
}

/**
 * Makes one backup, as `protocol.md` beside this file says. A blob that the registry has lost or damaged does not stop it: the manifest
 * names it among its faults.
 *
 * @throws BackupError
 */
export async function createBackup(
  context: BackupSource,
  target: BackupTarget,
  options: CreateOptions,
): Promise<BackupManifest> {
  const { onProgress = () => {}, signal } = options;
  const running = await beginRunning(target, 'backup', context.now, () => {
    signal?.throwIfAborted();
    onProgress('waiting for a prune', 0);
  });
  const copied: Copied = { count: 0, bytes: 0 };
  try {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const hold = await holdBlobs(context);
      try {
        const manifest = await attemptBackup(
          context,
          target,
          options,
          copied,
          () => hold.unbroken() && running.unbroken(),
        );
        if (manifest !== undefined) return manifest;
      } finally {
        await hold.release();
      }
    }
  } finally {
    await running.end();
  }
  throw new BackupError(
    `${target.name}: this process stood still for more than a minute, ${ATTEMPTS} times, and what it copied was no longer protected; what is there is used by the next one`,
  );
}

interface Copied {
  count: number;
  bytes: number;
}

/** Undefined when its blobs were not protected all the time and one of them may be missing. */
async function attemptBackup(
  context: BackupSource,
  target: BackupTarget,
  options: CreateOptions,
  copied: Copied,
  unbroken: () => boolean,
): Promise<BackupManifest | undefined> {
  const { secretKey, onProgress = () => {}, onStep = () => {}, signal } = options;
  const scratch = join(await target.scratch(), `berth-dump-${crypto.randomUUID()}`);
  try {
    onProgress('database', 0);
    const { at, dump } = await context.database.snapshot(async (snapshot) => ({
      at: context.now(),
      dump: await writeDump(context.database, snapshot, scratch),
    }));
    onStep('snapshot-taken');
    signal?.throwIfAborted();
    const id = backupId(at);
    const faults = await copyBlobs(context, target, dump, { copied, onProgress, onStep, signal });
    if (!unbroken()) return undefined;
    onStep('blobs-copied');
    const facts = await fileFacts(scratch);
    await target.putFile(dumpKey(id), scratch);
    // Nothing may be named before it is there for good.
    await target.sync();
    onStep('dump-stored');
    if (!unbroken()) {
      await target.remove(dumpKey(id));
      return undefined;
    }
    const manifest: BackupManifest = {
      format: FORMAT,
      id,
      at,
      finishedAt: context.now(),
      berth: pkg.version,
      schema: dump.schema,
      database: context.database.kind,
      dump: { ...facts, rows: dump.rows },
      blobs: {
        count: dump.blobs.size,
        bytes: [...dump.blobs.values()].reduce((sum, size) => sum + size, 0),
        copied: copied.count,
        copiedBytes: copied.bytes,
      },
      faults,
      secretKey: {
        fingerprint: secretKey === undefined ? null : keyFingerprint(secretKey),
        key: options.includeSecretKey && secretKey !== undefined ? Buffer.from(secretKey).toString('base64') : null,
      },
    };
    await putText(target, manifestKey(id), `${JSON.stringify(manifest, null, 2)}\n`);
    await target.sync();
    onStep('manifest-stored');
    return manifest;
  } finally {
    await rm(scratch, { force: true });
  }
}

async function copyBlobs(
  context: BackupSource,
  target: BackupTarget,
  dump: DumpedRows,
  options: {
    copied: Copied;
    onProgress: (step: string, done: number, total?: number) => void;
    onStep: (step: BackupStep) => void;
    signal: AbortSignal | undefined;
  },
): Promise<BackupManifest['faults']> {
  const { copied, onProgress, onStep, signal } = options;
  const missing = new Map(dump.blobs);
  for await (const { key, size } of target.list(BLOBS)) {
    const digest = digestOfKey(key);
    if (digest !== undefined && missing.get(digest) === size) missing.delete(digest);
  }
  const total = [...missing.values()].reduce((sum, size) => sum + size, 0);
  let done = 0;
  const faults: BackupManifest['faults'] = [];
  const waiting = missing.entries();
  let failed = false;
  const copy = async () => {
    for (const [digest, size] of waiting) {
      if (failed) return;
      try {
        await target.put(blobKey(digest), () => stoppable(checkedBlob(context, digest, size), signal));
        copied.count++;
        copied.bytes += size;
        onStep('blob-copied');
      } catch (error) {
        if (!(error instanceof BlobFault)) {
          failed = true;
          throw error;
        }
        faults.push({ digest, detail: error.message });
      }
      done += size;
      onProgress('blobs', done, total);
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: COPIES_AT_ONCE }, copy));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return faults.sort((one, other) => (one.digest < other.digest ? -1 : 1));
}

async function* stoppable(pieces: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined) {
  for await (const piece of pieces) {
    signal?.throwIfAborted();
    yield piece;
  }
}

/** The store does not have what the database says. */
class BlobFault extends Error {
  override readonly name = 'BlobFault';
}

async function* checkedBlob(context: BackupSource, digest: Digest, size: number): AsyncIterable<Uint8Array> {
  const blob = await context.store.read(digest);
  if (blob === undefined) throw new BlobFault(`${size} bytes are not in the store`);
  const stream = blob.kind === 'bytes' ? blob.bytes.stream() : (await fetch(blob.url)).body;
  const hasher = new Bun.CryptoHasher(digestAlgorithm(digest));
  let read = 0;
  try {
    for await (const piece of stream ?? []) {
      hasher.update(piece);
      read += piece.byteLength;
      yield piece;
    }
  } catch (error) {
    // What the reader of this throws does not come here: this is the store's.
    throw new BlobFault(`cannot be read: ${error instanceof Error ? error.message : 'unknown error'}`);
  }
  const found = `${digestAlgorithm(digest)}:${hasher.digest('hex')}`;
  if (found !== digest) throw new BlobFault(`${read} bytes that hash to ${found}`);
}
