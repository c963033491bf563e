import { LRUCache } from 'lru-cache';
import type { DigestAlgorithm } from '../oci/digest.ts';

/** The hash of an upload's first `offset` bytes. */
export interface RunningHash {
  hasher: InstanceType<typeof Bun.CryptoHasher>;
  algorithm: DigestAlgorithm;
  offset: number;
}

/**
 * Hashes of uploads that this process appended to. Only a saving: another worker, or this one after a restart, reads
 * the upload again when it is completed.
 */
export class UploadHashes {
  /** How many uploads this process appends to now. */
  appending = 0;
  readonly #hashes = new LRUCache<string, RunningHash>({ max: 2_000 });

  /** The hash at exactly `offset`, taken out; a fresh one for 0; undefined when it must be rebuilt from the bytes. */
  take(id: string, offset: number): RunningHash | undefined {
    const found = this.#hashes.get(id);
    this.#hashes.delete(id);
    if (found?.offset === offset) return found;
    return offset === 0 ? { hasher: new Bun.CryptoHasher('sha256'), algorithm: 'sha256', offset: 0 } : undefined;
  }

  put(id: string, hash: RunningHash): void {
    this.#hashes.set(id, hash);
  }

  forget(id: string): void {
    this.#hashes.delete(id);
  }
}
