import { LRUCache } from 'lru-cache';
import type { Database, PreparedRead } from '../database/database.ts';
import { Freshness } from '../database/freshness.ts';
import type { Digest } from '../oci/digest.ts';
import { type Reference, type RepositoryName, referenceText } from '../oci/names.ts';

export interface PulledManifest {
  repositoryId: number;
  digest: Digest;
  mediaType: string;
  content: Uint8Array;
  protectedUntil: number;
}

export interface PulledBlob {
  repositoryId: number;
  size: number;
  protectedUntil: number;
}

interface ManifestRow {
  repository_id: number;
  digest: Digest;
  media_type: string;
  protected_until: number;
}

interface BlobRow {
  repository_id: number;
  size: number;
  protected_until: number;
}

const CACHE_BYTES = 32 * 1024 * 1024;

/**
 * The reads of a pull: tag → manifest, digest → manifest, digest → blob of a repository. They are most of what a registry is
 * asked, so they go through prepared statements and a cache. What a digest names can be had under a repository's former names too.
 *
 * On SQLite the whole answer is cached until any process commits (`Database.version`), so that a tag read after a push
 * is the new one, through whichever worker either came. On PostgreSQL there is no such number: the row is read each
 * time and only the content, which its digest fixes, is cached.
 */
export class PullReader {
  readonly #byTag: PreparedRead<ManifestRow>;
  readonly #byDigest: PreparedRead<ManifestRow>;
  readonly #content: PreparedRead<{ content: Uint8Array }>;
  readonly #blob: PreparedRead<BlobRow>;
  readonly #byFormerNameAndDigest: PreparedRead<ManifestRow>;
  readonly #blobByFormerName: PreparedRead<BlobRow>;
  readonly #answers = new LRUCache<string, PulledManifest>({
    maxSize: CACHE_BYTES,
    sizeCalculation: (manifest, key) => manifest.content.byteLength + key.length * 2 + 200,
  });
  readonly #blobs = new LRUCache<string, PulledBlob>({ max: 20_000 });
  readonly #contents = new LRUCache<Digest, Uint8Array>({
    maxSize: CACHE_BYTES,
    sizeCalculation: (content) => content.byteLength + 200,
  });
  readonly #freshness: Freshness;
  #version: number | undefined;

  constructor(database: Database) {
    this.#freshness = new Freshness(database);
    const manifests = database.read
      .selectFrom('repositories as r')
      .innerJoin('manifests as m', 'm.repository_id', 'r.id')
      .select(['m.repository_id', 'm.digest', 'm.media_type', 'm.protected_until'])
      .where('r.name', '=', '' as RepositoryName);
    this.#byTag = database.prepare(
      manifests
        .innerJoin('tags as t', (join) =>
          join.onRef('t.repository_id', '=', 'm.repository_id').onRef('t.digest', '=', 'm.digest'),
        )
        .where('t.name', '=', '' as never),
    );
    this.#byDigest = database.prepare(manifests.where('m.digest', '=', '' as Digest));
    this.#content = database.prepare(
      database.read
        .selectFrom('manifests')
        .select('content')
        .where('repository_id', '=', 0)
        .where('digest', '=', '' as Digest),
    );
    this.#blob = database.prepare(
      database.read
        .selectFrom('repositories as r')
        .innerJoin('repository_blobs as l', 'l.repository_id', 'r.id')
        .innerJoin('blobs as b', 'b.digest', 'l.digest')
        .select(['l.repository_id', 'b.size', 'l.protected_until'])
        .where('r.name', '=', '' as RepositoryName)
        .where('l.digest', '=', '' as Digest),
    );
    const former = database.read.selectFrom('repository_aliases as a').where('a.name', '=', '' as RepositoryName);
    this.#byFormerNameAndDigest = database.prepare(
      former
        .innerJoin('manifests as m', 'm.repository_id', 'a.repository_id')
        .select(['m.repository_id', 'm.digest', 'm.media_type', 'm.protected_until'])
        .where('m.digest', '=', '' as Digest),
    );
    this.#blobByFormerName = database.prepare(
      former
        .innerJoin('repository_blobs as l', 'l.repository_id', 'a.repository_id')
        .innerJoin('blobs as b', 'b.digest', 'l.digest')
        .select(['l.repository_id', 'b.size', 'l.protected_until'])
        .where('l.digest', '=', '' as Digest),
    );
  }

  /** What a reference names now, or undefined. */
  async manifest(name: RepositoryName, reference: Reference): Promise<PulledManifest | undefined> {
    const current = this.#refresh();
    const text = referenceText(reference);
    const key = `${name}:${text}`;
    if (current) {
      const cached = this.#answers.get(key);
      if (cached !== undefined) return cached;
    }
    let row = await (reference.kind === 'tag' ? this.#byTag(name, text) : this.#byDigest(name, text));
    if (reference.kind === 'digest') row ??= await this.#byFormerNameAndDigest(name, text);
    if (row === undefined) return undefined;
    const content = this.#contents.get(row.digest) ?? (await this.#content(row.repository_id, row.digest))?.content;
    if (content === undefined) return undefined;
    const manifest: PulledManifest = {
      repositoryId: row.repository_id,
      digest: row.digest,
      mediaType: row.media_type,
      content,
      protectedUntil: row.protected_until,
    };
    if (current) this.#answers.set(key, manifest);
    else this.#contents.set(row.digest, content);
    return manifest;
  }

  /** A blob that the repository has, or undefined. */
  async blob(name: RepositoryName, digest: Digest): Promise<PulledBlob | undefined> {
    const current = this.#refresh();
    const key = `${name}@${digest}`;
    if (current) {
      const cached = this.#blobs.get(key);
      if (cached !== undefined) return cached;
    }
    const row = (await this.#blob(name, digest)) ?? (await this.#blobByFormerName(name, digest));
    if (row === undefined) return undefined;
    const blob = { repositoryId: row.repository_id, size: row.size, protectedUntil: row.protected_until };
    if (current) this.#blobs.set(key, blob);
    return blob;
  }

  /** Empties the caches when anything was committed since. Returns whether answers may be cached at all. */
  #refresh(): boolean {
    const version = this.#freshness.version();
    if (version === undefined) return false;
    if (version !== this.#version) {
      this.#version = version;
      this.#answers.clear();
      this.#blobs.clear();
    }
    return true;
  }
}
