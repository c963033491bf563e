import { BackupError } from './format.ts';

/**
 * Where backups are kept: files under keys such as `blobs/sha256/3f/3f…`. Drivers: a folder, a bucket.
 *
 * Errors are `BackupError`, with what the place said. "Not there" is a value, never an error.
 */
export interface BackupTarget {
  /** As the operator named it. */
  readonly name: string;

  /** A folder of this machine for files on their way there. */
  scratch(): Promise<string>;

  /**
   * Stores what `content` gives, whole or not at all; replaces what was there. `content` may be called twice, and throws when the bytes are
   * not what they should be: then nothing is stored. Durable after the next `sync`.
   */
  put(key: string, content: () => AsyncIterable<Uint8Array>): Promise<void>;

  /** The same with a file of `scratch`, which is gone after. */
  putFile(key: string, path: string): Promise<void>;

  /** Makes everything that was put durable: a power cut loses nothing of it. */
  sync(): Promise<void>;

  /** The bytes, read lazily; undefined when it is not there. */
  read(key: string): Promise<AsyncIterable<Uint8Array> | undefined>;

  /** Every file whose key begins with `prefix`, which ends with a slash. */
  list(prefix: string): AsyncIterable<{ key: string; size: number }>;

  /** Idempotent. */
  remove(key: string): Promise<void>;
}

/** @throws BackupError when it is not there */
export async function readText(target: BackupTarget, key: string): Promise<string> {
  const bytes = await target.read(key);
  if (bytes === undefined) throw new BackupError(`${target.name}: ${key} is not there`);
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}

export async function putText(target: BackupTarget, key: string, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  await target.put(key, async function* () {
    yield bytes;
  });
}
