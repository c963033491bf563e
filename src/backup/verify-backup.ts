import { type Digest, digestAlgorithm } from '../oci/digest.ts';
import { blobsOfDump, readDump } from './dump.ts';
import { BackupError, type BackupManifest, blobKey } from './format.ts';
import { dumpFault } from './restore.ts';
import type { BackupTarget } from './target.ts';

export interface BackupFault {
  backup: string;
  digest: Digest | null;
  detail: string;
}

export interface BackupVerification {
  backups: number;
  blobs: number;
  bytes: number;
  faults: BackupFault[];
}

/** Reads back everything that backups name, each blob once, and compares it with its hash. */
export async function verifyBackups(
  target: BackupTarget,
  backups: readonly BackupManifest[],
  onProgress: (done: number, total: number) => void = () => {},
): Promise<BackupVerification> {
  const result: BackupVerification = { backups: backups.length, blobs: 0, bytes: 0, faults: [] };
  const named = new Map<Digest, { size: number; backups: string[] }>();
  for (const manifest of backups) {
    const fault = await faultOfDump(target, manifest);
    if (fault !== undefined) {
      result.faults.push({ backup: manifest.id, digest: null, detail: fault });
      continue;
    }
    const lost = new Set<string>(manifest.faults.map(({ digest }) => digest));
    for (const [digest, size] of await blobsOfDump(target, manifest.id)) {
      if (lost.has(digest)) continue;
      const known = named.get(digest) ?? { size, backups: [] };
      known.backups.push(manifest.id);
      named.set(digest, known);
    }
    for (const { digest, detail } of manifest.faults) {
      const text = `the registry had lost it when the backup was made: ${detail}`;
      result.faults.push({ backup: manifest.id, digest: digest as Digest, detail: text });
    }
  }
  const total = [...named.values()].reduce((sum, { size }) => sum + size, 0);
  for (const [digest, { size, backups: ids }] of named) {
    const detail = await blobFault(target, digest, size);
    result.blobs++;
    result.bytes += size;
    onProgress(result.bytes, total);
    if (detail !== undefined) for (const backup of ids) result.faults.push({ backup, digest, detail });
  }
  return result;
}

async function faultOfDump(target: BackupTarget, manifest: BackupManifest): Promise<string | undefined> {
  const fault = await dumpFault(target, manifest);
  if (fault !== undefined) return fault;
  try {
    let rows = 0;
    for await (const line of readDump(target, manifest.id)) if (Array.isArray(line)) rows++;
    return rows === manifest.dump.rows ? undefined : `${rows} rows instead of ${manifest.dump.rows}`;
  } catch (error) {
    if (error instanceof BackupError) return error.message;
    throw error;
  }
}

async function blobFault(target: BackupTarget, digest: Digest, size: number): Promise<string | undefined> {
  const bytes = await target.read(blobKey(digest));
  if (bytes === undefined) return `${blobKey(digest)} is not there`;
  const hasher = new Bun.CryptoHasher(digestAlgorithm(digest));
  let read = 0;
  for await (const piece of bytes) {
    hasher.update(piece);
    read += piece.byteLength;
  }
  const found = `${digestAlgorithm(digest)}:${hasher.digest('hex')}`;
  return found === digest && read === size
    ? undefined
    : `${blobKey(digest)} is damaged: ${read} bytes that hash to ${found}`;
}
