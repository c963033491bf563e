import type { Digest } from '../../oci/digest.ts';
import type { Reference, RepositoryName } from '../../oci/names.ts';
import type { CachePrefix } from '../../registry/cache-prefixes.ts';
import type { RegistryContext } from '../../registry/context.ts';
import type { Referrer } from '../../registry/referrers.ts';
import type { UpstreamsContext } from '../context.ts';
import type { Patience } from '../registry-transport.ts';
import { type CacheReports, cachedRepository } from './cache-context.ts';
import { type CachedBlob, CachedBlobs } from './cached-blobs.ts';
import { type CachedManifest, CachedManifests } from './cached-manifests.ts';
import { referrersThere } from './cached-referrers.ts';
import { FetchRows } from './fetch-rows.ts';
import { Flights } from './flights.ts';
import { UpstreamRequests } from './upstream-requests.ts';

/**
 * Pulls below the prefixes of caches: what is here is served from here, and what is not is fetched from the upstream, kept and served
 * at once (docs/decisions/0028-pull-through-cache.md).
 */
export class PullThrough {
  readonly #registry: RegistryContext;
  readonly #manifests: CachedManifests;
  readonly #blobs: CachedBlobs;
  readonly #requests: UpstreamRequests;
  readonly #reports: CacheReports;

  constructor(
    registry: RegistryContext,
    upstreams: UpstreamsContext,
    reports: CacheReports,
    patience: Partial<Patience> = {},
  ) {
    const requests = new UpstreamRequests(upstreams, patience);
    const rows = new FetchRows(registry);
    this.#registry = registry;
    this.#requests = requests;
    this.#reports = reports;
    this.#manifests = new CachedManifests(registry, requests, new Flights(rows), reports);
    this.#blobs = new CachedBlobs({ registry, requests, rows, reports });
  }

  /** The cache that a repository is below; undefined for all others, without a wait unless the list has changed. */
  cacheOf(name: RepositoryName): CachePrefix | undefined | Promise<CachePrefix | undefined> {
    return this.#registry.caches?.of(name);
  }

  /** @throws OciError MANIFEST_UNKNOWN, DENIED, TOOMANYREQUESTS, UNAVAILABLE */
  manifest(cache: CachePrefix, name: RepositoryName, reference: Reference): Promise<CachedManifest> {
    return this.#counted('manifest', this.#manifests.get(cachedRepository(cache, name), reference));
  }

  /** @throws OciError BLOB_UNKNOWN, DENIED, TOOMANYREQUESTS, UNAVAILABLE */
  blob(cache: CachePrefix, name: RepositoryName, digest: Digest, signal: AbortSignal): Promise<CachedBlob> {
    return this.#counted('blob', this.#blobs.get(cachedRepository(cache, name), digest, signal));
  }

  /** @throws OciError as `blob` */
  async blobSize(cache: CachePrefix, name: RepositoryName, digest: Digest): Promise<number | undefined> {
    return (await this.#counted('blob', this.#blobs.size(cachedRepository(cache, name), digest))).size;
  }

  /** What the upstream says refers to a manifest; undefined when it says nothing. */
  referrers(cache: CachePrefix, name: RepositoryName, subject: Digest): Promise<Referrer[] | undefined> {
    return referrersThere(this.#requests, cachedRepository(cache, name), subject);
  }

  /** Ends what is being fetched, before the database is closed. */
  stop(): Promise<void> {
    return this.#blobs.stop();
  }

  async #counted<T extends { result: Parameters<CacheReports['onRequest']>[1] }>(
    part: 'manifest' | 'blob',
    work: Promise<T>,
  ): Promise<T> {
    try {
      const found = await work;
      this.#reports.onRequest(part, found.result);
      return found;
    } catch (error) {
      this.#reports.onRequest(part, 'failed');
      throw error;
    }
  }
}
