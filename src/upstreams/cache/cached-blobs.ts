import { DatabaseFullError } from '../../database/database.ts';
import type { Digest } from '../../oci/digest.ts';
import { OciError } from '../../oci/errors.ts';
import { mountBlob, repositoriesWithBlob, unknownBlob } from '../../registry/blobs.ts';
import { checkRoom, mostUploadBytes } from '../../registry/quotas.ts';
import { type StoredBlob, StoreFullError } from '../../storage/blob-store.ts';
import { UpstreamError } from '../upstream-error.ts';
import { abandonedFetches, BlobFetch, type FetchParts } from './blob-fetch.ts';
import { followBlob } from './blob-follower.ts';
import { actorOf, type CachedRepository, type CacheResult, writingFor } from './cache-context.ts';
import { hasNoRoom } from './cached-manifests.ts';
import { toldOf } from './upstream-requests.ts';

/** `growing`: not here yet; `open` streams what comes, between two bytes when the size is known. `passing`: not to be kept. */
export type CachedBlob = { result: CacheResult } & (
  | { kind: 'stored'; blob: StoredBlob }
  | {
      kind: 'growing';
      size: number | undefined;
      open: (range?: { start: number; end: number }) => ReadableStream<Uint8Array>;
    }
  /** Can't be had in parts: nobody would verify them. */
  | { kind: 'passing'; size: number | undefined; open: () => ReadableStream<Uint8Array> }
);

const LOOK_EVERY_MS = 20;
/** The head of the answer waits so long for the first byte, so that a failure can still be told. Clients wait for 30 s. */
const FIRST_BYTE_MS = 20_000;
/** After the disk was full, bytes are passed on without being kept for so long. */
const FULL_MS = 30_000;

/**
 * Blobs of cached repositories. One that is not here is sent while it is fetched and stored, once for all who ask for it, in whichever
 * process. When there is no room for it, it is passed on.
 */
export class CachedBlobs {
  readonly #parts: FetchParts;
  readonly #fetches = new Map<string, BlobFetch>();
  readonly #beginning = new Map<string, Promise<BlobFetch | 'stored' | 'no-room'>>();
  readonly #abandoned = abandonedFetches();
  #fullUntil = 0;

  constructor(parts: FetchParts) {
    this.#parts = parts;
  }

  /** @throws OciError BLOB_UNKNOWN, DENIED, TOOMANYREQUESTS, UNAVAILABLE */
  async get(repository: CachedRepository, digest: Digest, signal: AbortSignal): Promise<CachedBlob> {
    const here = await this.#stored(repository, digest);
    if (here !== undefined) return { kind: 'stored', blob: here, result: 'hit' };
    try {
      const begun = await this.#begin(repository, digest);
      if (begun === 'stored') {
        await nextTurn();
        const blob = await this.#stored(repository, digest);
        if (blob !== undefined) return { kind: 'stored', blob, result: 'miss' };
      }
      if (begun === 'no-room' || begun === 'stored') return await this.#pass(repository, digest, signal);
      await firstByte(this.#parts, begun);
      const { registry } = this.#parts;
      const { size } = begun.wanted;
      const open = (range?: { start: number; end: number }) =>
        followBlob(registry, begun, { start: range?.start ?? 0, end: range?.end ?? size });
      return { kind: 'growing', size, open, result: 'miss' };
    } catch (error) {
      const full = error instanceof StoreFullError || error instanceof DatabaseFullError;
      if (full) this.#fullUntil = this.#parts.registry.now() + FULL_MS;
      if (full || hasNoRoom(error)) {
        return this.#pass(repository, digest, signal).catch((failure) => {
          throw this.#told(failure, repository, digest);
        });
      }
      throw this.#told(error, repository, digest);
    }
  }

  /** The size of a blob, here or there. @throws OciError as `get` */
  async size(repository: CachedRepository, digest: Digest): Promise<{ size: number | undefined; result: CacheResult }> {
    const here = await this.#stored(repository, digest);
    if (here !== undefined) return { size: here.size, result: 'hit' };
    try {
      const { cache, remoteName } = repository;
      const asked = this.#parts.requests.ask(cache, 'blobs', (client, late) =>
        client.headBlob(remoteName, digest, late),
      );
      return { size: await asked, result: 'passed' };
    } catch (error) {
      throw this.#told(error, repository, digest);
    }
  }

  /** Ends what is being fetched; what has come stays. */
  async stop(): Promise<void> {
    const running = [...this.#fetches.values()];
    for (const fetch of running) fetch.stop('the server ends');
    await Promise.all(running.map((fetch) => fetch.done));
  }

  async #stored({ name }: CachedRepository, digest: Digest): Promise<StoredBlob | undefined> {
    const { pull, store } = this.#parts.registry;
    const row = await pull.blob(name, digest);
    if (row === undefined) return undefined;
    const blob = await store.read(digest);
    // Bytes that were lost are got again.
    return blob?.size === row.size ? blob : undefined;
  }

  #begin(repository: CachedRepository, digest: Digest): Promise<BlobFetch | 'stored' | 'no-room'> {
    const key = `${repository.name}@${digest}`;
    const running = this.#fetches.get(key);
    if (running !== undefined) return Promise.resolve(running);
    const beginning = this.#beginning.get(key);
    if (beginning !== undefined) return beginning;
    const begun = this.#prepare(key, repository, digest).finally(() => this.#beginning.delete(key));
    this.#beginning.set(key, begun);
    return begun;
  }

  async #prepare(key: string, repository: CachedRepository, digest: Digest): Promise<BlobFetch | 'stored' | 'no-room'> {
    const { registry } = this.#parts;
    const { name, cache, remoteName } = repository;
    const known = await this.#sizeInManifests(repository, digest);
    const elsewhere = await repositoriesWithBlob(registry, digest, 1);
    const ask = () =>
      this.#parts.requests.ask(cache, 'blobs', (client, late) => client.headBlob(remoteName, digest, late));
    // Only the upstream can say that who reads here may have what another repository has.
    const size = elsewhere.length > 0 || known === undefined ? ((await ask()) ?? known) : known;
    const [from] = elsewhere;
    if (from !== undefined) {
      const writing = writingFor(registry, repository, () => {});
      const mounted = await mountBlob(writing, name, digest, from, actorOf(repository)).catch((error) => {
        if (hasNoRoom(error)) return false;
        throw error;
      });
      if (mounted) return 'stored';
    }
    if (!(await this.#hasRoom(repository, digest, size))) return 'no-room';
    const fetch = new BlobFetch(this.#parts, { repository, digest, size }, this.#abandoned);
    this.#fetches.set(key, fetch);
    void fetch.done.then(() => {
      this.#fetches.delete(key);
      const { state } = fetch;
      if (state.kind !== 'failed') return;
      const reason = state.error instanceof Error ? state.error.message : String(state.error);
      this.#parts.reports.warn({ repository: name, digest, reason }, 'a blob could not be fetched');
    });
    return fetch;
  }

  /** As a manifest of the repository says that names it. */
  async #sizeInManifests({ name }: CachedRepository, digest: Digest): Promise<number | undefined> {
    const row = await this.#parts.registry.database.read
      .selectFrom('repositories as r')
      .innerJoin('manifest_references as f', 'f.repository_id', 'r.id')
      .innerJoin('manifests as m', (join) =>
        join.onRef('m.repository_id', '=', 'f.repository_id').onRef('m.digest', '=', 'f.manifest'),
      )
      .select('m.content')
      .where('r.name', '=', name)
      .where('f.target', '=', digest)
      .limit(1)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const document = JSON.parse(Buffer.from(row.content).toString('utf8')) as Record<string, unknown>;
    const named = [document.config, document.layers, document.blobs].flat() as (
      | { digest: string; size: number }
      | undefined
    )[];
    return named.find((entry) => entry?.digest === digest)?.size;
  }

  async #hasRoom({ name }: CachedRepository, digest: Digest, size: number | undefined): Promise<boolean> {
    const { registry } = this.#parts;
    if (registry.now() < this.#fullUntil) return false;
    const least = size ?? 1;
    if (least > (await mostUploadBytes(registry, name))) return false;
    try {
      await checkRoom(registry, name, { digest, size: least });
      return true;
    } catch (error) {
      if (hasNoRoom(error)) return false;
      throw error;
    }
  }

  /** From the upstream to this client alone, verified on the way. */
  async #pass({ cache, remoteName, name }: CachedRepository, digest: Digest, signal: AbortSignal): Promise<CachedBlob> {
    const { requests, reports } = this.#parts;
    const size = await requests.ask(cache, 'blobs', (client, late) => client.headBlob(remoteName, digest, late));
    const client = await requests.client(cache, 'blobs');
    reports.warn({ repository: name, digest, size }, 'a blob is passed on and not kept');
    return {
      kind: 'passing',
      size,
      open: () => client.blob(remoteName, digest, size, signal),
      result: 'passed',
    };
  }

  #told(error: unknown, { name, cache }: CachedRepository, digest: Digest): unknown {
    if (error instanceof UpstreamError) {
      return toldOf(error, cache, this.#parts.registry.now(), () => unknownBlob(name, digest));
    }
    // What the client's own request did not do.
    if (error instanceof OciError && error.code === 'DIGEST_INVALID') {
      return new OciError('UNAVAILABLE', `blob: ${cache.address} sends other bytes than ${digest}`, { digest });
    }
    if (error instanceof OciError && error.code === 'BLOB_UPLOAD_UNKNOWN') {
      return new OciError('UNAVAILABLE', `blob: ${name} was deleted while ${digest} was fetched; try again`, {
        digest,
      });
    }
    return error;
  }
}

/** Waits until something can be sent, or it is known why not. @throws what the fetch failed with */
async function firstByte({ registry }: FetchParts, fetch: BlobFetch): Promise<void> {
  const deadline = performance.now() + FIRST_BYTE_MS;
  while (fetch.state.kind === 'growing' && performance.now() < deadline) {
    if (fetch.upload !== undefined && ((await registry.store.uploadSize(fetch.upload)) ?? 0) > 0) return;
    await Promise.race([fetch.done, Bun.sleep(LOOK_EVERY_MS)]);
  }
  if (fetch.state.kind === 'failed') throw fetch.state.error;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
