import type { FileHandle } from 'node:fs/promises';
import type { UploadWriter } from '../blob-store.ts';
import { storeError, storing } from './errors.ts';

/**
 * How many bytes are handed to the disk while more arrive. Without it a large layer sits in the page cache until its
 * commit, and the client waits for the disk then; with it the disk works while the network does.
 */
const FLUSH_EVERY = 32 * 1024 * 1024;

/** Appends to one file by position. */
export class FileUploadWriter implements UploadWriter {
  readonly #handle: FileHandle;
  #offset: number;
  #unflushed = 0;
  #flushing: Promise<void> | undefined;
  #failure: unknown;
  #closed = false;

  constructor(handle: FileHandle, offset: number) {
    this.#handle = handle;
    this.#offset = offset;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    await storing(async () => {
      for (let done = 0; done < chunk.byteLength; ) {
        const { bytesWritten } = await this.#handle.write(chunk, done, chunk.byteLength - done, this.#offset);
        done += bytesWritten;
        this.#offset += bytesWritten;
        this.#unflushed += bytesWritten;
      }
    });
    if (this.#unflushed >= FLUSH_EVERY && this.#flushing === undefined) this.#flush();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#flushing;
    if (this.#failure !== undefined) await this.#handle.truncate(0).catch(() => {});
    await storing(() => this.#handle.close());
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** A head start on the commit's sync. The kernel reports a failed write-back once, so it is kept and thrown later. */
  #flush(): void {
    this.#unflushed = 0;
    this.#flushing = this.#handle
      .datasync()
      .catch((error: unknown) => {
        this.#failure = storeError(error);
      })
      .finally(() => {
        this.#flushing = undefined;
      });
  }
}
