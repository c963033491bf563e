import { LRUCache } from 'lru-cache';
import type { Database, PreparedRead } from '../database/database.ts';
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

const CACHE_BYTES = 32 * 1024 * 1024;

/**
 * The reads of a pull: tag → manifest, digest → manifest, digest → blob of a repository. They are most of what a registry is
 * asked, so they go through prepared statements and a cache.
 *
 * On SQLite the whole answer is cached until any process commits (`Database.version`), so that a tag read after a push
 * is the new one, through whichever worker either came. On PostgreSQL there is no such number: the row is read each
 * time and only the content, which its digest fixes, is cached.
 */
export class PullReader {
  readonly #database: Database;
  readonly #byTag: PreparedRead<ManifestRow>;
  readonly #byDigest: PreparedRead<ManifestRow>;
  readonly #content: PreparedRead<{ content: Uint8Array }>;
  readonly #blob: PreparedRead<{ repository_id: number; size: number; protected_until: number }>;
  readonly #answers = new LRUCache<string, PulledManifest>({
    maxSize: CACHE_BYTES,
    sizeCalculation: (manifest, key) => manifest.content.byteLength + key.length * 2 + 200,
  });
  readonly #blobs = new LRUCache<string, PulledBlob>({ max: 20_000 });
  readonly #contents = new LRUCache<Digest, Uint8Array>({
    maxSize: CACHE_BYTES,
    sizeCalculation: (content) => content.byteLength + 200,
  });
  #version: number | undefined;
  /** Whether `#version` was read in this turn of the event loop. */
  #checked = false;
  readonly #uncheck = () => {
    this.#checked = false;
  };

  constructor(database: Database) {
    this.#database = database;
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
    const row = await (reference.kind === 'tag' ? this.#byTag(name, text) : this.#byDigest(name, text));
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
    const row = await this.#blob(name, digest);
    if (row === undefined) return undefined;
    const blob = { repositoryId: row.repository_id, size: row.size, protectedUntil: row.protected_until };
    if (current) this.#blobs.set(key, blob);
    return blob;
  }

  /**
   * Empties the caches when anything was committed since. Returns whether answers may be cached at all.
   *
   * Reading the version costs three system calls, so it is read once a turn of the event loop. That is exact: the requests
   * of one turn had all arrived when it began, so none of them can have been sent after a commit that it missed.
   */
  #refresh(): boolean {
    if (this.#checked) return true;
    const version = this.#database.version();
    if (version === undefined) return false;
    this.#checked = true;
    setImmediate(this.#uncheck);
    if (version !== this.#version) {
      this.#version = version;
      this.#answers.clear();
      this.#blobs.clear();
    }
    return true;
  }
}
