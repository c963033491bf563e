import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import type { S3Client } from 'bun';
import { adviceFor } from './advice.ts';
import { BackupError } from './format.ts';
import type { BackupTarget } from './target.ts';

/** The least that S3 takes as a part is 5 MiB, the most parts are 10 000: this carries blobs of 156 GiB. */
const PART_BYTES = 16 << 20;
const PARTS_AT_ONCE = 3;
const RETRIES = 3;
const TYPE = 'application/octet-stream';

export interface S3Options {
  bucket: string;
  /** Ends with a slash, or is empty. */
  prefix: string;
  endpoint: string | undefined;
  region: string | undefined;
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string | undefined;
}

/** Backups in a bucket. An object is there when it is whole: S3 itself makes it so. */
export class S3Target implements BackupTarget {
  readonly name: string;
  readonly #client: S3Client;
  readonly #prefix: string;

  constructor({ bucket, prefix, ...options }: S3Options) {
    this.name = `s3://${bucket}/${prefix}`;
    this.#prefix = prefix;
    const given = Object.entries(options).filter(([, value]) => value !== undefined);
    this.#client = new Bun.S3Client({ bucket, ...Object.fromEntries(given) });
  }

  async scratch(): Promise<string> {
    return tmpdir();
  }

  async put(key: string, content: () => AsyncIterable<Uint8Array>): Promise<void> {
    const pieces: Uint8Array[] = [];
    let size = 0;
    // Read to its end before anything is sent: an upload in parts can't be taken back.
    for await (const piece of content()) {
      size += piece.byteLength;
      if (size <= PART_BYTES) pieces.push(piece.slice());
      else pieces.length = 0;
    }
    if (size <= PART_BYTES) {
      const bytes = Buffer.concat(pieces);
      await this.#do(() => this.#client.write(this.#prefix + key, bytes, { type: TYPE, retry: RETRIES }));
    } else await this.#putParts(key, content());
  }

  async putFile(key: string, path: string): Promise<void> {
    try {
      await this.put(key, () => streamOf(Bun.file(path).stream()));
    } finally {
      await rm(path, { force: true });
    }
  }

  async sync(): Promise<void> {}

  async read(key: string): Promise<AsyncIterable<Uint8Array> | undefined> {
    const file = this.#client.file(this.#prefix + key);
    if (!(await this.#do(() => file.exists()))) return undefined;
    return this.#bytes(file.stream());
  }

  async *list(prefix: string): AsyncIterable<{ key: string; size: number }> {
    for (let after: string | undefined; ; ) {
      const start = after === undefined ? {} : { continuationToken: after };
      const page = await this.#do(() => this.#client.list({ prefix: this.#prefix + prefix, maxKeys: 1_000, ...start }));
      for (const { key, size } of page.contents ?? []) yield { key: key.slice(this.#prefix.length), size: size ?? 0 };
      after = page.nextContinuationToken;
      if (page.isTruncated !== true || after === undefined) return;
    }
  }

  async remove(key: string): Promise<void> {
    await this.#do(() => this.#client.delete(this.#prefix + key));
  }

  async #putParts(key: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#do(async () => {
      const writer = this.#client
        .file(this.#prefix + key)
        .writer({ type: TYPE, partSize: PART_BYTES, queueSize: PARTS_AT_ONCE, retry: RETRIES });
      for await (const piece of content) {
        await writer.write(piece);
        // Waits when too many parts are on their way: memory stays bounded.
        await writer.flush();
      }
      await writer.end();
    });
  }

  async *#bytes(stream: ReadableStream<Uint8Array>): AsyncIterable<Uint8Array> {
    try {
      yield* stream;
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async #do<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #failure(error: unknown): Error {
    if (error instanceof BackupError) return error;
    const code = error instanceof Error && 'code' in error ? `${error.code}: ` : '';
    const reason = error instanceof Error ? error.message : 'unknown error';
    const advice = adviceFor(error);
    return new BackupError(`${this.name}: ${code}${reason}${advice === undefined ? '' : `; ${advice}`}`, {
      cause: error,
    });
  }
}

async function* streamOf(stream: ReadableStream<Uint8Array>): AsyncIterable<Uint8Array> {
  yield* stream;
}
