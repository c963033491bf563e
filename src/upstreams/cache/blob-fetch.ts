import type { Digest } from '../../oci/digest.ts';
import { OciError } from '../../oci/errors.ts';
import type { RepositoryName } from '../../oci/names.ts';
import type { RegistryContext } from '../../registry/context.ts';
import { cancelUpload, completeUpload, startUpload, uploadStatus } from '../../registry/uploads.ts';
import { UpstreamError } from '../upstream-error.ts';
import { actorOf, type CachedRepository, type CacheReports, writingFor } from './cache-context.ts';
import type { FetchRows, HeldFetch } from './fetch-rows.ts';
import type { UpstreamRequests } from './upstream-requests.ts';

const LOOK_EVERY_MS = 100;
/** A fetch that no client waits for any more goes on for so long. */
const ABANDONED_MS = 10 * 60_000;
/** So many of them in a process; those beyond end at once, and the next client goes on with what is there. */
const MOST_ABANDONED = 16;

export interface FetchParts {
  registry: RegistryContext;
  requests: UpstreamRequests;
  rows: FetchRows;
  reports: CacheReports;
}

export interface WantedBlob {
  repository: CachedRepository;
  digest: Digest;
  /** undefined: the upstream does not say. */
  size: number | undefined;
}

export type FetchState = { kind: 'growing' } | { kind: 'stored' } | { kind: 'failed'; error: unknown };

/** Of a process: fetches that nobody follows. */
export const abandonedFetches = () => new Set<BlobFetch>();

/**
 * One blob on its way into the store, for all who wait for it. One process at a time asks the upstream, with an upload like that of a
 * push; the fetches of the others watch its upload grow. When that process dies, one of them goes on where the upload ends.
 */
export class BlobFetch {
  readonly wanted: WantedBlob;
  readonly #parts: FetchParts;
  readonly #abandoned: Set<BlobFetch>;
  readonly #ending = new AbortController();
  #state: FetchState = { kind: 'growing' };
  #upload: string | undefined;
  #shared = false;
  #followers = 0;
  #giveUp: ReturnType<typeof setTimeout> | undefined;
  /** Ends with the fetch, however that ends. */
  readonly done: Promise<void>;

  constructor(parts: FetchParts, wanted: WantedBlob, abandoned: Set<BlobFetch>) {
    this.#parts = parts;
    this.wanted = wanted;
    this.#abandoned = abandoned;
    // Whoever asked may have gone before the first byte.
    this.#wait();
    this.done = this.#run().then(
      () => this.#end({ kind: 'stored' }),
      (error: unknown) => this.#end({ kind: 'failed', error }),
    );
  }

  get state(): FetchState {
    return this.#state;
  }

  /** Where the bytes are until they are stored; undefined before the first. */
  get upload(): string | undefined {
    return this.#upload;
  }

  /** Whether another process had it: then nobody here knows which of its bytes became the blob. */
  get shared(): boolean {
    return this.#shared;
  }

  follow(): void {
    this.#followers++;
    clearTimeout(this.#giveUp);
    this.#abandoned.delete(this);
  }

  leave(): void {
    this.#followers--;
    if (this.#followers > 0 || this.#state.kind !== 'growing') return;
    if (this.#abandoned.size < MOST_ABANDONED) this.#wait();
    else this.stop('nobody waits for it');
  }

  #wait(): void {
    this.#abandoned.add(this);
    this.#giveUp = setTimeout(() => this.stop('nobody waits for it'), ABANDONED_MS);
  }

  /** What has come stays, for the next who wants it. */
  stop(why: string): void {
    this.#ending.abort(new OciError('UNAVAILABLE', `blob: fetching ${this.wanted.digest} was stopped: ${why}`));
  }

  #end(state: FetchState): void {
    clearTimeout(this.#giveUp);
    this.#abandoned.delete(this);
    this.#state = state;
  }

  async #run(): Promise<void> {
    const { registry, rows } = this.#parts;
    const { repository, digest } = this.wanted;
    const key = `blob ${repository.name}@${digest}`;
    for (;;) {
      this.#ending.signal.throwIfAborted();
      const claim = await rows.claim(key);
      if ('held' in claim) {
        // Whoever held it may have ended well a moment ago.
        await new Promise((resolve) => setImmediate(resolve));
        if (await this.#isStored()) return claim.held.release(false);
        return this.#fetch(registry, claim.held);
      }
      this.#shared = true;
      let row: Awaited<ReturnType<FetchRows['look']>> = { ...claim.other, held: true };
      while (row?.held) {
        this.#ending.signal.throwIfAborted();
        this.#upload = row.upload ?? this.#upload;
        await Bun.sleep(LOOK_EVERY_MS);
        row = await rows.look(key);
      }
      if (await this.#isStored()) return;
      if (row === undefined && this.#upload !== undefined) {
        // What is sent already can't be gone on with: its upload was given up.
        throw new OciError('UNAVAILABLE', `blob: another process could not fetch ${digest}; try again`, { digest });
      }
    }
  }

  async #isStored(): Promise<boolean> {
    const { pull, store } = this.#parts.registry;
    const { repository, digest } = this.wanted;
    const row = await pull.blob(repository.name, digest);
    return row !== undefined && (await store.stat(digest)) === row.size;
  }

  async #fetch(registry: RegistryContext, held: HeldFetch): Promise<void> {
    const { repository } = this.wanted;
    const { requests, reports } = this.#parts;
    const writing = writingFor(registry, repository, reports.onFetched);
    const signal = AbortSignal.any([held.lost, this.#ending.signal]);
    let keep = false;
    try {
      await this.#transfer(writing, held, signal);
    } catch (error) {
      const failure = held.lost.aborted ? held.lost.reason : error;
      if (failure instanceof UpstreamError) await requests.note(repository.cache, 'blobs', failure);
      keep = !held.lost.aborted && (await this.#leaveUpload(writing, held, failure, signal));
      throw failure;
    } finally {
      await held.release(keep);
    }
  }

  async #transfer(writing: RegistryContext, held: HeldFetch, signal: AbortSignal): Promise<void> {
    const { repository, digest, size } = this.wanted;
    const { name, remoteName, cache } = repository;
    const client = await this.#parts.requests.client(cache, 'blobs');
    let upload = held.upload ?? undefined;
    let from = upload === undefined ? undefined : await sizeOfUpload(writing, name, upload);
    if (upload === undefined || from === undefined) {
      upload = (await startUpload(writing, name, actorOf(repository))).id;
      from = 0;
    }
    this.#upload = upload;
    await held.setUpload(upload);
    const body = from > 0 && from === size ? null : client.blob(remoteName, digest, size, signal, from);
    await completeUpload(writing, name, upload, digest, { body, signal });
  }

  /** @returns whether what has come is kept, to go on from there */
  async #leaveUpload(
    writing: RegistryContext,
    held: HeldFetch,
    failure: unknown,
    signal: AbortSignal,
  ): Promise<boolean> {
    const upload = this.#upload;
    // Who has taken over goes on with it.
    if (upload === undefined || !(await held.isMine().catch(() => false))) return false;
    const wrong =
      (failure instanceof UpstreamError && failure.failure.kind === 'invalid') ||
      (failure instanceof OciError && failure.code !== 'UNAVAILABLE');
    const resumable = (failure instanceof UpstreamError && !wrong) || signal.aborted;
    if (resumable && !held.lost.aborted && ((await writing.store.uploadSize(upload)) ?? 0) > 0) return true;
    await cancelUpload(writing, this.wanted.repository.name, upload).catch(() => {});
    return false;
  }
}

/** Undefined when it has expired since, or went with its repository. */
async function sizeOfUpload(writing: RegistryContext, name: RepositoryName, id: string): Promise<number | undefined> {
  try {
    return (await uploadStatus(writing, name, id)).size;
  } catch (error) {
    if (error instanceof OciError && error.code === 'BLOB_UPLOAD_UNKNOWN') return undefined;
    throw error;
  }
}
