import { z } from 'zod';
import { type Digest, digestAlgorithm, digestHex, isDigest } from '../oci/digest.ts';

/** What a backup's files are, and where; `docs/reference/backup-format.md` says it to people. */
export const FORMAT = 1;

export const MANIFESTS = 'manifests/';
export const DUMPS = 'dumps/';
export const BLOBS = 'blobs/';
/** A backup or a prune that is under way says so here. */
export const RUNNING = 'running/';

const digest = z.string().refine(isDigest, 'is no digest');

const manifestSchema = z.object({
  format: z.literal(FORMAT),
  id: z.string().regex(/^\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{6}$/),
  /** The moment that the backup shows, ms since 1970. */
  at: z.number().int(),
  finishedAt: z.number().int(),
  berth: z.string(),
  schema: z.number().int().min(1),
  database: z.enum(['sqlite', 'postgres']),
  dump: z.object({ size: z.number().int(), sha256: z.string(), rows: z.number().int() }),
  blobs: z.object({
    count: z.number().int(),
    bytes: z.number().int(),
    copied: z.number().int(),
    copiedBytes: z.number().int(),
  }),
  /** Blobs that the registry had lost, or had damaged, when the backup was made: it is without them. */
  faults: z.array(z.object({ digest, detail: z.string() })),
  secretKey: z.object({
    /** Which key the secrets in the dump were sealed with; null when there was none. */
    fingerprint: z.string().nullable(),
    /** The key itself in base64, when the operator wanted it in the backup. */
    key: z.string().nullable(),
  }),
});

export type BackupManifest = z.output<typeof manifestSchema>;

/** A backup can't be made, read or restored; the message is for the person at the terminal. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
}

/** @throws BackupError */
export function parseManifest(text: string, key: string): BackupManifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BackupError(`${key} is damaged: not JSON; remove it, or choose another backup`);
  }
  const version = z.object({ format: z.number() }).safeParse(value);
  if (version.success && version.data.format > FORMAT) {
    throw new BackupError(`${key} was written by a newer Berth (format ${version.data.format}); use that version`);
  }
  const result = manifestSchema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new BackupError(
    `${key} is damaged: ${issue?.path.join('.') || 'the file'}: ${issue?.message}; remove it, or choose another backup`,
  );
}

/** Sorts by time: `20261128T145859.123Z-3f9a01`. @param at ms since 1970 */
export function backupId(at: number): string {
  const time = new Date(at).toISOString().replaceAll(/[-:]/g, '');
  return `${time}-${Buffer.from(crypto.getRandomValues(new Uint8Array(3))).toString('hex')}`;
}

export function manifestKey(id: string): string {
  return `${MANIFESTS}${id}.json`;
}

export function dumpKey(id: string): string {
  return `${DUMPS}${id}.jsonl.zst`;
}

/** As in the data directory. */
export function blobKey(digest: Digest): string {
  const hex = digestHex(digest);
  return `${BLOBS}${digestAlgorithm(digest)}/${hex.slice(0, 2)}/${hex}`;
}

/** The digest that a key below `blobs/` is named for; undefined for a file that is none of ours. */
export function digestOfKey(key: string): Digest | undefined {
  const [, algorithm, , hex] = key.split('/');
  const text = `${algorithm}:${hex}`;
  return isDigest(text) && blobKey(text) === key ? text : undefined;
}

/** Tells keys apart without saying them. */
export function keyFingerprint(key: Uint8Array): string {
  return new Bun.CryptoHasher('sha256').update('berth secret key\n').update(key).digest('hex').slice(0, 16);
}
