import { type Digest, digestOf } from '../oci/digest.ts';
import { isRepositoryName, type Reference, type RepositoryName, type Tag } from '../oci/names.ts';
import { matchesPattern } from '../oci/tag-pattern.ts';
import {
  type ImportSource,
  isCompanionOf,
  type SourceBlob,
  type SourceFault,
  type SourceImage,
  type SourceManifest,
  type SourceRepository,
} from './import-source.ts';
import type { RegistryClient } from './registry-client.ts';
import { UpstreamError } from './upstream-error.ts';

/** What is wanted of a registry. */
export interface RegistrySelection {
  /** Repositories by name, each with tags or a digest of its own, or all of its tags. */
  named: { name: RepositoryName; reference?: Reference }[];
  /** Repositories of the catalog, by patterns; undefined asks for no catalog. */
  matching: string[] | undefined;
  /** Patterns of tags; none takes every tag. */
  tags: string[];
  /** What a repository is called here. */
  rename: (name: RepositoryName) => RepositoryName;
  signal?: AbortSignal | undefined;
}

/** Images of another registry, over its API. */
export class RegistrySource implements ImportSource {
  readonly where: string;
  readonly #client: RegistryClient;
  readonly #selection: RegistrySelection;

  constructor(client: RegistryClient, selection: RegistrySelection) {
    this.#client = client;
    this.#selection = selection;
    this.where = client.address.shown;
  }

  async *repositories(): AsyncGenerator<SourceRepository | SourceFault> {
    const { named, matching, tags } = this.#selection;
    for (const { name, reference } of named) {
      yield new RemoteRepository(
        this.#client,
        name,
        this.#selection,
        reference === undefined ? { patterns: tags } : { reference },
      );
    }
    if (matching === undefined) return;
    try {
      for await (const name of this.#client.catalog(this.#selection.signal)) {
        if (!matching.some((pattern) => matchesPattern(pattern, name))) continue;
        if (isRepositoryName(name)) yield new RemoteRepository(this.#client, name, this.#selection, { patterns: tags });
        else yield { kind: 'fault', subject: name, why: 'it is no name for a repository here' };
      }
    } catch (error) {
      const refused =
        error instanceof UpstreamError && ['not-found', 'unauthorized', 'invalid'].includes(error.failure.kind);
      if (!refused) throw error;
      yield { kind: 'fault', subject: this.where, why: `${error.message}. Without its catalog, name the repositories` };
    }
  }
}

class RemoteRepository implements SourceRepository {
  readonly kind = 'repository';
  readonly #client: RegistryClient;
  readonly name: RepositoryName;
  readonly to: RepositoryName;
  readonly #signal: AbortSignal | undefined;
  readonly #wanted: { patterns: string[] } | { reference: Reference };
  /** Tags that were listed and not asked for. */
  readonly #others: Tag[] = [];
  /** Manifests that were read to find out what a tag names. */
  readonly #read = new Map<Digest, SourceManifest>();

  constructor(
    client: RegistryClient,
    name: RepositoryName,
    { rename, signal }: RegistrySelection,
    wanted: { patterns: string[] } | { reference: Reference },
  ) {
    this.#client = client;
    this.name = name;
    this.to = rename(name);
    this.#signal = signal;
    this.#wanted = wanted;
  }

  async *images(): AsyncGenerator<SourceImage> {
    const wanted = this.#wanted;
    // Tags are listed first: what comes later may belong to what came before.
    const chosen: Tag[] = [];
    if ('reference' in wanted) {
      yield { reference: wanted.reference };
      return;
    }
    for await (const tag of this.#client.tags(this.name, this.#signal)) {
      const taken = wanted.patterns.length === 0 || wanted.patterns.some((pattern) => matchesPattern(pattern, tag));
      (taken ? chosen : this.#others).push(tag);
    }
    for (const tag of chosen) yield { reference: { kind: 'tag', tag } };
  }

  async digestOf(reference: Reference): Promise<Digest> {
    if (reference.kind === 'digest') return reference.digest;
    const { digest } = await this.#client.headManifest(this.name, reference, this.#signal);
    if (digest !== undefined) return digest;
    const { bytes, mediaType } = await this.#client.getManifest(this.name, reference, this.#signal);
    const found = digestOf(bytes);
    this.#read.set(found, { bytes, mediaType });
    return found;
  }

  async manifest(digest: Digest): Promise<SourceManifest> {
    return this.#read.get(digest) ?? this.#client.getManifest(this.name, { kind: 'digest', digest }, this.#signal);
  }

  async blob(digest: Digest, size: number): Promise<SourceBlob> {
    return { kind: 'bytes', stream: this.#client.blob(this.name, digest, size, this.#signal) };
  }

  async referrers(digest: Digest): Promise<Digest[]> {
    return (await this.#client.referrers(this.name, digest, this.#signal)).map((referrer) => referrer.digest);
  }

  companions(digest: Digest): Tag[] {
    return this.#others.filter((tag) => isCompanionOf(tag, digest));
  }
}
