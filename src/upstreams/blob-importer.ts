import { type Digest, digestAlgorithm } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/names.ts';
import { adoptFile } from '../registry/adopted-blobs.ts';
import { mountBlob, repositoriesWithBlob, statBlob } from '../registry/blobs.ts';
import type { Actor, RegistryContext } from '../registry/context.ts';
import { cancelUpload, completeUpload, startUpload } from '../registry/uploads.ts';
import { FileRefusedError } from '../storage/blob-store.ts';
import type { ImportResult } from './import-report.ts';
import type { SourceBlob, SourceRepository } from './import-source.ts';
import { Limiter } from './limiter.ts';
import { invalid } from './upstream-error.ts';

export interface BlobOptions {
  jobs: number;
  dryRun: boolean;
  verify: boolean;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/** Brings blobs into repositories: the bytes once, however many repositories have them. */
export class BlobImporter {
  readonly #context: RegistryContext;
  readonly #actor: Actor;
  readonly #options: BlobOptions;
  readonly #result: ImportResult;
  readonly #limiter: Limiter;
  readonly #done = new Map<string, Promise<void>>();
  /** By digest: whoever comes second waits, and then has it mounted. */
  readonly #travelling = new Map<Digest, Promise<void>>();
  readonly #met = new Set<Digest>();
  #bytesDone = 0;
  #bytesKnown = 0;

  constructor(context: RegistryContext, actor: Actor, options: BlobOptions, result: ImportResult) {
    this.#context = context;
    this.#actor = actor;
    this.#options = options;
    this.#result = result;
    this.#limiter = new Limiter(options.jobs);
  }

  /** On return the repository has the blob. Once a run. */
  bring(repository: SourceRepository, digest: Digest, size: number): Promise<void> {
    const key = `${repository.to}@${digest}`;
    const running = this.#done.get(key);
    if (running !== undefined) return running;
    const started = this.#bring(repository, digest, size);
    this.#done.set(key, started);
    return started;
  }

  async #bring(repository: SourceRepository, digest: Digest, size: number): Promise<void> {
    const { to } = repository;
    if (await this.#present(to, digest)) {
      this.#result.blobs.present++;
      return;
    }
    for (let other = this.#travelling.get(digest); other !== undefined; other = this.#travelling.get(digest)) {
      await other.catch(() => {});
    }
    const travel = this.#travel(repository, digest, size);
    this.#travelling.set(digest, travel);
    try {
      await travel;
    } finally {
      if (this.#travelling.get(digest) === travel) this.#travelling.delete(digest);
    }
  }

  async #travel(repository: SourceRepository, digest: Digest, size: number): Promise<void> {
    const { to } = repository;
    for (const from of await repositoriesWithBlob(this.#context, digest, 1)) {
      if (!this.#options.dryRun && !(await mountBlob(this.#context, to, digest, from, this.#actor))) continue;
      this.#result.blobs.mounted++;
      return;
    }
    if (this.#options.dryRun) {
      const again = this.#met.has(digest);
      this.#met.add(digest);
      this.#result.blobs[again ? 'mounted' : 'copied']++;
      if (!again) this.#result.bytesCopied += size;
      return;
    }
    this.#bytesKnown += size;
    await this.#limiter.run(async () => {
      this.#options.signal?.throwIfAborted();
      const blob = await repository.blob(digest, size);
      if (blob.kind === 'file') await this.#file(to, digest, blob);
      else await this.#bytes(to, digest, size, blob.stream);
    });
  }

  async #file(to: RepositoryName, digest: Digest, file: SourceBlob & { kind: 'file' }): Promise<void> {
    if (this.#options.verify) await this.#verify(digest, file.path);
    const done = await adoptFile(this.#context, to, { path: file.path, digest, size: file.size }, this.#actor);
    if (!this.#options.verify) this.#progress(file.size);
    this.#result.blobs[done]++;
    this.#result[done === 'linked' ? 'bytesLinked' : 'bytesCopied'] += file.size;
  }

  async #verify(digest: Digest, path: string): Promise<void> {
    const hasher = new Bun.CryptoHasher(digestAlgorithm(digest));
    try {
      for await (const piece of Bun.file(path).stream()) {
        this.#options.signal?.throwIfAborted();
        hasher.update(piece);
        this.#progress(piece.byteLength);
      }
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      const why = error instanceof Error ? error.message : String(error);
      throw new FileRefusedError(`${path} cannot be read: ${why}`, { cause: error });
    }
    const found = `${digestAlgorithm(digest)}:${hasher.digest('hex')}`;
    if (found !== digest)
      throw invalid(`the blob ${digest} is damaged in the source: the bytes of ${path} are ${found}`);
  }

  async #bytes(to: RepositoryName, digest: Digest, size: number, stream: ReadableStream<Uint8Array>): Promise<void> {
    const { id } = await startUpload(this.#context, to, this.#actor);
    try {
      const body = stream.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform: (piece, controller) => {
            this.#progress(piece.byteLength);
            controller.enqueue(piece);
          },
        }),
      );
      await completeUpload(this.#context, to, id, digest, { body, signal: this.#options.signal });
    } catch (error) {
      await cancelUpload(this.#context, to, id).catch(() => {});
      throw error;
    }
    this.#result.blobs.copied++;
    this.#result.bytesCopied += size;
  }

  async #present(to: RepositoryName, digest: Digest): Promise<boolean> {
    if (this.#options.dryRun) return (await this.#context.pull.blob(to, digest)) !== undefined;
    try {
      await statBlob(this.#context, to, digest);
      return true;
    } catch (error) {
      if (error instanceof OciError && error.code === 'BLOB_UNKNOWN') return false;
      throw error;
    }
  }

  #progress(bytes: number): void {
    this.#bytesDone += bytes;
    this.#options.onProgress?.(this.#bytesDone, this.#bytesKnown);
  }
}
