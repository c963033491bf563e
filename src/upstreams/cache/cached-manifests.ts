import { LRUCache } from 'lru-cache';
import { DatabaseFullError } from '../../database/database.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { OciError } from '../../oci/errors.ts';
import { type Reference, referenceText, type Tag } from '../../oci/names.ts';
import type { RegistryContext } from '../../registry/context.ts';
import { putManifest, unknownManifest } from '../../registry/manifests.ts';
import type { PulledManifest } from '../../registry/pull-reader.ts';
import type { UpstreamManifest } from '../registry-client.ts';
import { invalid, UpstreamError } from '../upstream-error.ts';
import { actorOf, type CachedRepository, type CacheReports, type CacheResult, writingFor } from './cache-context.ts';
import type { Flights } from './flights.ts';
import { toldOf, type UpstreamRequests } from './upstream-requests.ts';

export interface CachedManifest {
  manifest: PulledManifest;
  result: CacheResult;
  /** Why it is served although it may be old; undefined: it is as the cache promises. */
  stale?: string | undefined;
}

/** When a tag's upstream failed and a copy was served, the copy is served for so long without another try. */
const STALE_FOR_MS = 5_000;
/** Of a manifest that was not kept, so that no row is its own. */
const NOT_KEPT = 0;

/**
 * Manifests of cached repositories. A digest is served from here when it is here. A tag is taken as it is for `freshMs`; then the
 * upstream is asked with HEAD what it names, once for all who wait, and its manifest is got when it is another one. When the upstream
 * can't be asked, what is here is served.
 */
export class CachedManifests {
  readonly #registry: RegistryContext;
  readonly #requests: UpstreamRequests;
  readonly #flights: Flights;
  readonly #reports: CacheReports;
  /** By repository's id and tag: until when the upstream need not be asked. */
  readonly #checked = new LRUCache<string, number>({ max: 20_000 });
  /** By repository's id and tag: what went wrong a moment ago. */
  readonly #failed = new LRUCache<string, { until: number; why: string }>({ max: 5_000 });

  constructor(registry: RegistryContext, requests: UpstreamRequests, flights: Flights, reports: CacheReports) {
    this.#registry = registry;
    this.#requests = requests;
    this.#flights = flights;
    this.#reports = reports;
  }

  /** @throws OciError MANIFEST_UNKNOWN, DENIED, TOOMANYREQUESTS, UNAVAILABLE */
  async get(repository: CachedRepository, reference: Reference): Promise<CachedManifest> {
    const local = await this.#registry.pull.manifest(repository.name, reference);
    if (reference.kind === 'digest') {
      return local === undefined ? this.#fetchDigest(repository, reference.digest) : { manifest: local, result: 'hit' };
    }
    const { tag } = reference;
    if (local !== undefined && (await this.#isFresh(repository, local, tag))) return { manifest: local, result: 'hit' };
    const failed = local && this.#failed.get(`${local.repositoryId} ${tag}`);
    if (local !== undefined && failed !== undefined && failed.until > this.#registry.now()) {
      return { manifest: local, result: 'stale', stale: failed.why };
    }
    const look = async (): Promise<CachedManifest | undefined> => {
      const found = await this.#registry.pull.manifest(repository.name, reference);
      if (found === undefined || !(await this.#isFresh(repository, found, tag))) return undefined;
      return { manifest: found, result: 'hit' };
    };
    return this.#flights.once(`tag ${repository.name}:${tag}`, look, () => this.#ask(repository, tag));
  }

  async #isFresh({ cache }: CachedRepository, { repositoryId }: PulledManifest, tag: Tag): Promise<boolean> {
    const key = `${repositoryId} ${tag}`;
    const now = this.#registry.now();
    const known = this.#checked.get(key);
    if (known !== undefined && now - known < cache.freshMs) return true;
    const row = await this.#registry.database.read
      .selectFrom('cache_tags')
      .select('checked_at')
      .where('repository_id', '=', repositoryId)
      .where('tag', '=', tag)
      .executeTakeFirst();
    if (row === undefined || now - row.checked_at >= cache.freshMs) return false;
    this.#checked.set(key, row.checked_at);
    return true;
  }

  async #fetchDigest(repository: CachedRepository, digest: Digest): Promise<CachedManifest> {
    const { name, remoteName, cache } = repository;
    const reference = { kind: 'digest', digest } as const;
    const look = async (): Promise<CachedManifest | undefined> => {
      const manifest = await this.#registry.pull.manifest(name, reference);
      return manifest && { manifest, result: 'hit' };
    };
    return this.#flights.once(`manifest ${name}@${digest}`, look, async () => {
      try {
        const found = await this.#requests.ask(cache, 'manifests', (client, signal) =>
          client.getManifest(remoteName, reference, signal),
        );
        return await this.#keep(repository, reference, found);
      } catch (error) {
        throw this.#told(error, repository, reference);
      }
    });
  }

  async #ask(repository: CachedRepository, tag: Tag): Promise<CachedManifest> {
    const reference = { kind: 'tag', tag } as const;
    const local = await this.#registry.pull.manifest(repository.name, reference);
    try {
      if (local === undefined) return await this.#keep(repository, reference, await this.#got(repository, reference));
      const { cache, remoteName } = repository;
      const head = await this.#requests.ask(cache, 'manifests', (client, signal) =>
        client.headManifest(remoteName, reference, signal),
      );
      if (head.digest === local.digest) return await this.#confirmed(local, tag);
      const found = await this.#got(repository, reference, head.digest);
      if (found.digest === local.digest) return await this.#confirmed(local, tag);
      return await this.#keep(repository, reference, found);
    } catch (error) {
      const failure = this.#told(error, repository, reference);
      if (local === undefined || (error instanceof UpstreamError && error.failure.kind === 'not-found')) throw failure;
      // A tag that an administrator made immutable here stays what it is.
      if (failure instanceof OciError && 'immutable' in failure.detail) return this.#confirmed(local, tag);
      if (!(error instanceof UpstreamError)) throw failure;
      return this.#stale(repository, local, tag, error);
    }
  }

  /** The manifest of a tag: the one that is here already, or the upstream's. */
  async #got(
    { name, remoteName, cache }: CachedRepository,
    tag: Reference,
    digest?: Digest,
  ): Promise<UpstreamManifest> {
    const exact = digest === undefined ? tag : ({ kind: 'digest', digest } as const);
    const known = digest === undefined ? undefined : await this.#registry.pull.manifest(name, exact);
    if (known !== undefined) {
      const { mediaType, content } = known;
      return { digest: known.digest, mediaType, bytes: new Uint8Array(content) };
    }
    return this.#requests.ask(cache, 'manifests', (client, signal) => client.getManifest(remoteName, exact, signal));
  }

  async #confirmed(local: PulledManifest, tag: Tag): Promise<CachedManifest> {
    await this.#note(local.repositoryId, tag);
    return { manifest: local, result: 'revalidated' };
  }

  /** Without room it is served all the same, and got anew the next time. */
  async #keep(repository: CachedRepository, reference: Reference, found: UpstreamManifest): Promise<CachedManifest> {
    const { mediaType, bytes } = found;
    const digest = reference.kind === 'tag' ? digestOf(bytes) : reference.digest;
    const manifest = { digest, mediaType, content: bytes, protectedUntil: 0 };
    try {
      const { repositoryId } = await putManifest(
        writingFor(this.#registry, repository, () => {}),
        {
          name: repository.name,
          reference,
          bytes,
          contentType: mediaType,
          precondition: {},
          actor: actorOf(repository),
          partial: true,
        },
      );
      if (reference.kind === 'tag') await this.#note(repositoryId, reference.tag);
      return { manifest: { ...manifest, repositoryId }, result: 'miss' };
    } catch (error) {
      // The client's own request has no fault.
      if (error instanceof OciError && error.code === 'MANIFEST_INVALID') {
        throw invalid(`${referenceText(reference)} is no manifest that can be kept: ${error.message}`);
      }
      if (!hasNoRoom(error)) throw error;
      this.#reports.warn(
        { repository: repository.name, reason: error.message },
        'a manifest was passed on and not kept',
      );
      return { manifest: { ...manifest, repositoryId: NOT_KEPT }, result: 'passed' };
    }
  }

  async #note(repositoryId: number, tag: Tag): Promise<void> {
    const now = this.#registry.now();
    await this.#registry.database.relaxedTransaction((tx) =>
      tx
        .insertInto('cache_tags')
        .values({ repository_id: repositoryId, tag, checked_at: now })
        .onConflict((conflict) => conflict.columns(['repository_id', 'tag']).doUpdateSet({ checked_at: now }))
        .execute(),
    );
    this.#checked.set(`${repositoryId} ${tag}`, now);
    this.#failed.delete(`${repositoryId} ${tag}`);
  }

  #stale({ name, cache }: CachedRepository, local: PulledManifest, tag: Tag, error: UpstreamError): CachedManifest {
    const why = `${cache.address} could not be asked, this is the copy that is here: ${error.message}`;
    this.#failed.set(`${local.repositoryId} ${tag}`, { until: this.#registry.now() + STALE_FOR_MS, why });
    const fields = { repository: name, tag, digest: local.digest, reason: error.message };
    this.#reports.warn(fields, 'an upstream could not be asked, its copy is served');
    return { manifest: local, result: 'stale', stale: why };
  }

  #told(error: unknown, { name, cache }: CachedRepository, reference: Reference): unknown {
    if (!(error instanceof UpstreamError)) return error;
    const fields = { repository: name, reference: referenceText(reference), reason: error.message };
    if (error.failure.kind !== 'not-found') this.#reports.warn(fields, 'a manifest could not be got');
    return toldOf(error, cache, this.#registry.now(), () => unknownManifest(name, reference));
  }
}

/** A quota or the disk is full. */
export function hasNoRoom(error: unknown): error is Error {
  if (error instanceof DatabaseFullError) return true;
  return error instanceof OciError && error.code === 'DENIED' && 'quota' in error.detail;
}
