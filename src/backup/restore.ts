import { sql } from 'kysely';
import type { Database } from '../database/database.ts';
import { migrate, SCHEMA_VERSION } from '../database/migrate.ts';
import { type Digest, digestAlgorithm } from '../oci/digest.ts';
import type { RegistryContext } from '../registry/context.ts';
import { type VerifyResult, verify } from '../registry/verify.ts';
import { blobsOfDump, readDump } from './dump.ts';
import { BackupError, type BackupManifest, blobKey, dumpKey } from './format.ts';
import { contentOf, forgetUnfinished, loadDump, unfinishedRestore } from './load.ts';
import type { BackupTarget } from './target.ts';

const COPIES_AT_ONCE = 4;

/** Moments at which a test may pull the plug. */
export type RestoreStep =
  | 'blob-restored'
  | 'blobs-restored'
  | 'database-loaded'
  | 'database-migrated'
  | 'restore-verified';

/** Where to. */
export type RestorePlace = Pick<RegistryContext, 'database' | 'store' | 'newId'>;

export interface RestoreOptions {
  onProgress?: (step: string, done: number, total?: number) => void;
  onStep?: (step: RestoreStep) => void;
}

export interface RestoreResult {
  backup: string;
  /** Bytes and blobs that were copied now; others were there from a restore that did not end. */
  blobs: number;
  bytes: number;
  rows: number;
  verified: VerifyResult;
}

/**
 * Brings a backup back into an empty store and an empty database. Can be run again after it was killed, and goes on from what is there.
 *
 * @param again a restore of this backup has begun in this data directory and did not end
 * @throws BackupError
 */
export async function restoreBackup(
  place: RestorePlace,
  target: BackupTarget,
  manifest: BackupManifest,
  again: boolean,
  options: RestoreOptions = {},
): Promise<RestoreResult> {
  const { onProgress = () => {}, onStep = () => {} } = options;
  const { database } = place;
  refuseNewer(manifest);
  const loaded = await refuseContent(database, manifest);
  await checkDump(target, manifest);
  const copied = await restoreBlobs(place, target, manifest, again, { onProgress, onStep });
  onStep('blobs-restored');
  let rows = 0;
  if (!loaded) {
    onProgress('database', 0);
    await migrate(database, { to: manifest.schema });
    rows = await loadDump(database, () => readDump(target, manifest.id), manifest.id);
    if (rows !== manifest.dump.rows) {
      throw new BackupError(`backup ${manifest.id} is damaged: ${rows} rows instead of ${manifest.dump.rows}`);
    }
  }
  onStep('database-loaded');
  await migrate(database);
  onStep('database-migrated');
  const verified = await verify(place, (done, total) => onProgress('verify', done, total));
  onStep('restore-verified');
  await forgetUnfinished(database);
  return { backup: manifest.id, ...copied, rows, verified };
}

function refuseNewer(manifest: BackupManifest): void {
  if (manifest.schema <= SCHEMA_VERSION) return;
  throw new BackupError(
    `backup ${manifest.id} is of Berth ${manifest.berth} (schema ${manifest.schema}; this one knows ${SCHEMA_VERSION}); restore it with that version or a newer one`,
  );
}

/** @returns whether the database holds this backup already, from a restore that did not end. @throws BackupError */
async function refuseContent(database: Database, manifest: BackupManifest): Promise<boolean> {
  const schema = await schemaOf(database);
  if (schema === undefined) return false;
  const unfinished = await unfinishedRestore(database);
  if (unfinished === manifest.id) return true;
  const place = database.kind === 'sqlite' ? '--data' : '--database';
  const advice =
    database.kind === 'sqlite'
      ? 'give a directory that is empty, or not there'
      : 'give an empty one (CREATE DATABASE), or empty this one with DROP SCHEMA public CASCADE; CREATE SCHEMA public';
  if (unfinished !== undefined) {
    throw new BackupError(
      `${place}: the database holds a restore of backup ${unfinished} that did not end; restore that one with --backup ${unfinished}, or ${advice}`,
    );
  }
  const content = await contentOf(database);
  if (content !== undefined) throw new BackupError(`${place}: the database is in use: ${content}; ${advice}`);
  if (schema > manifest.schema) {
    throw new BackupError(
      `${place}: the database has schema ${schema}, backup ${manifest.id} is of schema ${manifest.schema}; ${advice}`,
    );
  }
  return false;
}

async function schemaOf(database: Database): Promise<number | undefined> {
  const there = await database.snapshot(async ({ tables }) => tables);
  if (there.length === 0) return undefined;
  if (!there.includes('schema_version')) {
    throw new BackupError(
      `the database has tables that are not Berth's (${there.slice(0, 3).join(', ')}); give an empty one`,
    );
  }
  const { rows } = await sql<{ version: number }>`select version from schema_version`.execute(database.read);
  return rows[0]?.version ?? 0;
}

/** Before anything is written: a damaged dump can't be found out half-way. */
async function checkDump(target: BackupTarget, manifest: BackupManifest): Promise<void> {
  const problem = await dumpFault(target, manifest);
  if (problem !== undefined) throw new BackupError(`${target.name}: ${problem}; choose another backup`);
}

/** What is wrong with a backup's dump; undefined when nothing is. */
export async function dumpFault(target: BackupTarget, manifest: BackupManifest): Promise<string | undefined> {
  const key = dumpKey(manifest.id);
  const bytes = await target.read(key);
  if (bytes === undefined) return `${key} is not there`;
  const hasher = new Bun.CryptoHasher('sha256');
  for await (const piece of bytes) hasher.update(piece);
  return hasher.digest('hex') === manifest.dump.sha256 ? undefined : `${key} is damaged: its sha256 is another`;
}

async function restoreBlobs(
  place: RestorePlace,
  target: BackupTarget,
  manifest: BackupManifest,
  again: boolean,
  { onProgress, onStep }: Required<RestoreOptions>,
): Promise<{ blobs: number; bytes: number }> {
  const blobs = await blobsOfDump(target, manifest.id);
  for (const { digest } of manifest.faults) blobs.delete(digest as Digest);
  if (again) {
    for await (const { digest, size } of place.store.list()) if (blobs.get(digest) === size) blobs.delete(digest);
  }
  const total = [...blobs.values()].reduce((sum, size) => sum + size, 0);
  const waiting = blobs.entries();
  const result = { blobs: 0, bytes: 0 };
  let failed = false;
  const copy = async () => {
    for (const [digest, size] of waiting) {
      if (failed) return;
      try {
        await restoreBlob(place, target, digest, size);
      } catch (error) {
        failed = true;
        throw error;
      }
      result.blobs++;
      result.bytes += size;
      onProgress('blobs', result.bytes, total);
      onStep('blob-restored');
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: COPIES_AT_ONCE }, copy));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return result;
}

async function restoreBlob(place: RestorePlace, target: BackupTarget, digest: Digest, size: number): Promise<void> {
  const key = blobKey(digest);
  const bytes = await target.read(key);
  if (bytes === undefined) {
    throw new BackupError(`${target.name}: ${key} is not there; look at the whole with berth backup verify`);
  }
  const { store, newId } = place;
  const id = newId();
  const hasher = new Bun.CryptoHasher(digestAlgorithm(digest));
  const writer = await store.openUpload(id, 0);
  let written = 0;
  try {
    for await (const piece of bytes) {
      hasher.update(piece);
      await writer.write(piece);
      written += piece.byteLength;
    }
  } finally {
    await writer.close();
  }
  const found = `${digestAlgorithm(digest)}:${hasher.digest('hex')}`;
  if (found !== digest || written !== size) {
    await store.discardUpload(id);
    throw new BackupError(
      `${target.name}: ${key} is damaged: ${written} bytes that hash to ${found}; choose another backup, or see berth backup verify`,
    );
  }
  await store.commitUpload(id, digest);
}
