import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { adviceFor } from './advice.ts';
import { BackupError } from './format.ts';
import type { BackupTarget } from './target.ts';

const SCRATCH = 'tmp';
/** Nothing is on its way for longer: a backup that was killed left it. */
const LEFT_MS = 86_400_000;

/** Backups in a folder. A file gets its name when it is whole. */
export class FolderTarget implements BackupTarget {
  readonly name: string;
  readonly #root: string;
  /** Folders with names that are not durable yet. */
  readonly #unsynced = new Set<string>();
  #files = 0;

  constructor(root: string) {
    this.#root = root;
    this.name = root;
  }

  async scratch(): Promise<string> {
    const folder = join(this.#root, SCRATCH);
    await this.#do(async () => {
      await this.#makeFolder(folder);
      for (const name of await readdir(folder)) {
        const found = await statOrNothing(join(folder, name));
        if (found !== undefined && found.mtimeMs < Date.now() - LEFT_MS) await rm(join(folder, name), { force: true });
      }
    });
    return folder;
  }

  async put(key: string, content: () => AsyncIterable<Uint8Array>): Promise<void> {
    const folder = join(this.#root, SCRATCH);
    await this.#do(() => this.#makeFolder(folder));
    const path = join(folder, `${process.pid}-${this.#files++}-${crypto.randomUUID()}`);
    try {
      const handle = await this.#do(() => open(path, 'wx', 0o600));
      try {
        for await (const piece of content()) {
          for (let rest = piece; rest.byteLength > 0; ) {
            const { bytesWritten } = await this.#do(() => handle.write(rest));
            rest = rest.subarray(bytesWritten);
          }
        }
      } finally {
        await handle.close();
      }
      await this.putFile(key, path);
    } finally {
      await rm(path, { force: true }).catch(() => {});
    }
  }

  async putFile(key: string, path: string): Promise<void> {
    const to = join(this.#root, key);
    await this.#do(async () => {
      const handle = await open(path, 'r+');
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
      await this.#makeFolder(dirname(to));
      await rename(path, to);
      this.#unsynced.add(dirname(to));
    });
  }

  async sync(): Promise<void> {
    await this.#do(async () => {
      for (const folder of this.#unsynced) {
        const handle = await open(folder, 'r');
        try {
          await handle.sync();
        } finally {
          await handle.close();
        }
      }
      this.#unsynced.clear();
    });
  }

  async read(key: string): Promise<AsyncIterable<Uint8Array> | undefined> {
    const path = join(this.#root, key);
    const found = await this.#do(() => statOrNothing(path));
    return found?.isFile() ? this.#bytes(path) : undefined;
  }

  async *list(prefix: string): AsyncIterable<{ key: string; size: number }> {
    const entries = await this.#do(() =>
      readdir(join(this.#root, prefix), { withFileTypes: true }).catch((error: unknown) => {
        if (isMissing(error)) return [];
        throw error;
      }),
    );
    for (const entry of entries) {
      const key = `${prefix}${entry.name}`;
      if (entry.isDirectory()) yield* this.list(`${key}/`);
      if (!entry.isFile()) continue;
      const found = await this.#do(() => statOrNothing(join(this.#root, key)));
      if (found !== undefined) yield { key, size: found.size };
    }
  }

  async remove(key: string): Promise<void> {
    const path = join(this.#root, key);
    await this.#do(() => rm(path, { force: true }));
    this.#unsynced.add(dirname(path));
  }

  async *#bytes(path: string): AsyncIterable<Uint8Array> {
    try {
      yield* createReadStream(path, { highWaterMark: 1 << 20 });
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** A new folder's name is durable when the folder above it is. */
  async #makeFolder(folder: string): Promise<void> {
    const first = await mkdir(folder, { recursive: true, mode: 0o700 });
    if (first === undefined) return;
    for (let made = folder; ; made = dirname(made)) {
      this.#unsynced.add(dirname(made));
      if (made === first || made === dirname(made)) break;
    }
  }

  async #do<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #failure(error: unknown): BackupError {
    const reason = error instanceof Error ? error.message : 'unknown error';
    const advice = adviceFor(error);
    return new BackupError(`${this.name}: ${reason}${advice === undefined ? '' : `; ${advice}`}`, { cause: error });
  }
}

async function statOrNothing(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
