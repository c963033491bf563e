import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, statfs, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { DIGEST_ALGORITHMS, type Digest } from '../../oci/digest.ts';
import {
  type BlobStore,
  isUploadId,
  type StoredBlob,
  type StoredBlobInfo,
  type StoredUploadInfo,
  StoreFullError,
  type StoreSpace,
  type UploadWriter,
} from '../blob-store.ts';
import { isMissing, storing } from './errors.ts';
import { copyOf, linkFile, openForImport } from './file-import.ts';
import { FileUploadWriter } from './file-upload-writer.ts';
import { digestOfFile, digestOfRemoving, layout } from './layout.ts';

/** The moments of a commit or a removal at which a test may pull the plug; see `tests/crash`. */
export type StoreStep = 'upload-synced' | 'upload-renamed' | 'directory-synced' | 'blob-out-of-reach';

export interface FilesystemOptions {
  /** The data directory; `layout.ts` says what comes below it. */
  root: string;
  /** Called at each step of a commit or a removal; fault injection alone. */
  onStep?: (step: StoreStep) => void;
}

/** Blobs as files. Durable as `commitUpload` says on any filesystem whose fsync is honest. */
export class FilesystemBlobStore implements BlobStore {
  readonly #paths: ReturnType<typeof layout>;
  readonly #onStep: (step: StoreStep) => void;

  constructor(options: FilesystemOptions) {
    this.#paths = layout(options.root);
    this.#onStep = options.onStep ?? (() => {});
  }

  /** Makes the folders of the layout, durably. Idempotent; run once before the first use of a data directory. */
  async prepare(): Promise<void> {
    await storing(async () => {
      await mkdir(this.#paths.uploads, { recursive: true });
      await mkdir(this.#paths.removing, { recursive: true });
      for (const algorithm of DIGEST_ALGORITHMS) {
        const folder = join(this.#paths.blobs, algorithm);
        await mkdir(folder, { recursive: true });
        const made = new Set(await readdir(folder));
        for (let i = 0; i < 256; i++) {
          const prefix = i.toString(16).padStart(2, '0');
          if (!made.has(prefix)) await mkdir(join(folder, prefix), { recursive: true });
        }
        await syncDirectory(folder);
      }
      await syncDirectory(this.#paths.blobs);
      await syncDirectory(this.#paths.root);
    });
  }

  async stat(digest: Digest): Promise<number | undefined> {
    return storing(async () => (await statOrNothing(this.#paths.blob(digest)))?.size);
  }

  async read(digest: Digest): Promise<StoredBlob | undefined> {
    const path = this.#paths.blob(digest);
    const found = await storing(() => statOrNothing(path));
    if (found === undefined) return undefined;
    return { kind: 'bytes', bytes: Bun.file(path, { type: 'application/octet-stream' }), size: found.size };
  }

  async remove(digest: Digest, mayGo?: () => Promise<boolean>): Promise<void> {
    if (mayGo === undefined) return storing(() => unlinkOrNothing(this.#paths.blob(digest)));
    const away = await storing(() => this.#takeOutOfReach(digest));
    if (away === undefined) return;
    this.#onStep('blob-out-of-reach');
    await this.#endRemoval(digest, away, mayGo);
  }

  /** Returns where the bytes are now; undefined when there are none. */
  async #takeOutOfReach(digest: Digest): Promise<string | undefined> {
    const blob = this.#paths.blob(digest);
    const away = this.#paths.outOfReach(digest, crypto.randomUUID());
    if (await renameOrNothing(blob, away)) return away;
    // A directory that was made by an earlier version has no place for it before the next start of the server.
    await mkdir(this.#paths.removing, { recursive: true });
    return (await renameOrNothing(blob, away)) ? away : undefined;
  }

  async finishRemovals(mayGo: (digest: Digest) => Promise<boolean>): Promise<void> {
    for (const file of await entries(this.#paths.removing)) {
      const digest = digestOfRemoving(file);
      if (digest !== undefined) await this.#endRemoval(digest, join(this.#paths.removing, file), () => mayGo(digest));
    }
  }

  /** Two processes may come here with the same file: whatever the other did to it, this one's part is then done. */
  async #endRemoval(digest: Digest, away: string, mayGo: () => Promise<boolean>): Promise<void> {
    let goes = false;
    try {
      goes = await mayGo();
    } finally {
      await storing(async () => {
        const blob = this.#paths.blob(digest);
        if (goes || (await statOrNothing(blob)) !== undefined) await unlinkOrNothing(away);
        else if (await renameOrNothing(away, blob)) await syncDirectory(this.#paths.blobDirectory(digest));
      });
    }
  }

  async *list(): AsyncIterable<StoredBlobInfo> {
    for (const algorithm of DIGEST_ALGORITHMS) {
      const folder = join(this.#paths.blobs, algorithm);
      for (const prefix of await entries(folder)) {
        for (const file of await entries(join(folder, prefix))) {
          const digest = digestOfFile(algorithm, file);
          if (digest === undefined) continue;
          const found = await storing(() => statOrNothing(this.#paths.blob(digest)));
          if (found !== undefined) yield { digest, size: found.size, modifiedAt: found.mtimeMs };
        }
      }
    }
  }

  async openUpload(id: string, offset: number): Promise<UploadWriter> {
    return storing(async () => {
      const path = this.#paths.upload(id);
      const flags = offset === 0 ? constants.O_RDWR | constants.O_CREAT : constants.O_RDWR;
      const handle = await open(path, flags).catch((error: unknown) => {
        throw isMissing(error) && offset > 0 ? new RangeError(`upload ${id} holds no bytes, not ${offset}`) : error;
      });
      try {
        const { size } = await handle.stat();
        if (size < offset) throw new RangeError(`upload ${id} holds ${size} bytes, not ${offset}`);
        if (size > offset) await handle.truncate(offset);
        return new FileUploadWriter(handle, offset);
      } catch (error) {
        await handle.close().catch(() => {});
        throw error;
      }
    });
  }

  async uploadSize(id: string): Promise<number | undefined> {
    return storing(async () => (await statOrNothing(this.#paths.upload(id)))?.size);
  }

  async readUpload(id: string): Promise<ReadableStream<Uint8Array> | undefined> {
    const path = this.#paths.upload(id);
    if ((await storing(() => statOrNothing(path))) === undefined) return undefined;
    return Bun.file(path).stream();
  }

  async readUploadPart(id: string, offset: number, most: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return storing(async () => {
      try {
        return await withHandle(await open(this.#paths.upload(id), 'r'), async (handle) => {
          const buffer = new Uint8Array(most);
          const { bytesRead } = await handle.read(buffer, 0, most, offset);
          return buffer.subarray(0, bytesRead);
        });
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    });
  }

  async commitUpload(id: string, digest: Digest): Promise<void> {
    await storing(async () => {
      const from = this.#paths.upload(id);
      // The kernel reports a failed write-back once, and then calls the pages clean: bytes that could not be synced must not
      // stay, or a second try would find nothing wrong with them.
      await syncFile(from).catch(async (error: unknown) => {
        await rm(from, { force: true });
        throw error;
      });
      this.#onStep('upload-synced');
      await rename(from, this.#paths.blob(digest));
      this.#onStep('upload-renamed');
      await syncDirectory(this.#paths.blobDirectory(digest));
      this.#onStep('directory-synced');
    });
  }

  async importFile(path: string, digest: Digest, size: number): Promise<'linked' | 'copied'> {
    return storing(async () => {
      const { handle, stats } = await openForImport(path, size);
      try {
        const folder = this.#paths.blobDirectory(digest);
        const blob = this.#paths.blob(digest);
        // Whoever wrote the file may not have made it durable.
        await handle.sync();
        let done = await linkFile(path, stats, blob, folder);
        const id = `import-${crypto.randomUUID()}`;
        if (done === 'there') {
          const there = await statOrNothing(blob);
          if (there?.ino === stats.ino && there.dev === stats.dev) return 'linked';
          const second = this.#paths.upload(id);
          done = await linkFile(path, stats, second, folder);
          if (done === 'linked') await rename(second, blob);
        }
        if (done === 'linked') {
          await syncDirectory(folder);
          return 'linked';
        }
        try {
          await copyOf(path, this.#paths.upload(id));
          await this.commitUpload(id, digest);
        } catch (error) {
          await this.discardUpload(id);
          throw error;
        }
        return 'copied';
      } finally {
        await handle.close();
      }
    });
  }

  async discardUpload(id: string): Promise<void> {
    await storing(() => rm(this.#paths.upload(id), { force: true }));
  }

  async *listUploads(): AsyncIterable<StoredUploadInfo> {
    for (const id of await entries(this.#paths.uploads)) {
      if (!isUploadId(id)) continue;
      const found = await storing(() => statOrNothing(join(this.#paths.uploads, id)));
      if (found?.isFile()) yield { id, modifiedAt: found.mtimeMs };
    }
  }

  /** Only a write tells: a filesystem that went read-only after an error may look like one that can be written. */
  async check(): Promise<void> {
    const path = join(this.#paths.uploads, '.check');
    try {
      await storing(async () => {
        await (await open(path, 'w')).close();
        await rm(path, { force: true });
        await stat(this.#paths.blobs);
      });
    } catch (error) {
      if (!(error instanceof StoreFullError)) throw error;
    }
  }

  /** Of the filesystem that blobs are on; what is kept for root is not free. */
  async space(): Promise<StoreSpace> {
    const { bsize, blocks, bavail } = await storing(() => statfs(this.#paths.blobs));
    return { total: bsize * blocks, free: bsize * bavail };
  }
}

async function syncFile(path: string): Promise<void> {
  await withHandle(await open(path, 'r+'), (handle) => handle.sync());
}

/** A rename is durable only when the directory that holds the new name is. */
async function syncDirectory(path: string): Promise<void> {
  await withHandle(await open(path, 'r'), (handle) => handle.sync());
}

async function withHandle<T>(handle: FileHandle, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

async function entries(folder: string): Promise<string[]> {
  return storing(async () => {
    try {
      return await readdir(folder);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  });
}

async function statOrNothing(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** False when there is no `from`. */
async function renameOrNothing(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (!isMissing(error)) throw error;
    return false;
  }
}

async function unlinkOrNothing(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
