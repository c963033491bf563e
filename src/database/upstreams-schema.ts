import type { Generated } from 'kysely';
import type { RepositoryName, Tag } from '../oci/names.ts';

/** The tables of other registries: who they are, what is kept of them, what follows them. Times are ms since 1970. */
export interface UpstreamsSchema {
  upstreams: UpstreamTable;
  caches: CacheTable;
  cache_repositories: CacheRepositoryTable;
  cache_tags: CacheTagTable;
  cache_fetches: CacheFetchTable;
  cache_pauses: CachePauseTable;
  mirrors: MirrorTable;
}

/** Another registry, and how to log in there. */
interface UpstreamTable {
  name: string;
  /** As `upstreams/registry-address.ts` takes it. */
  address: string;
  username: string | null;
  /** Encrypted with the instance's secret key. */
  sealed_password: string | null;
  /** Certificates (PEM) of a private authority, besides those that the system trusts. */
  ca: string | null;
  created_by: string;
  created_at: number;
  updated_at: number;
}

/** Repositories below `prefix` are fetched from the upstream when they are pulled. */
interface CacheTable {
  prefix: string;
  upstream: string;
  /** What stands in place of the prefix in the upstream's names; empty for nothing. */
  remote_prefix: string;
  /** For how long a tag is taken as it is, without asking the upstream. */
  fresh_ms: number;
  /** Of the repositories that a pull makes. */
  visibility: 'public' | 'private';
  created_by: string;
  created_at: number;
  updated_at: number;
}

/**
 * A repository that a cache made, and what it is of. Manifests there may name what was not fetched yet, also when the cache is no more.
 */
interface CacheRepositoryTable {
  repository_id: number;
  upstream: string;
  /** What the upstream calls it. */
  remote_name: RepositoryName;
}

/** When the upstream last said what a tag of a cached repository names. */
interface CacheTagTable {
  repository_id: number;
  tag: Tag;
  checked_at: number;
}

/** What one process asks of an upstream while the others wait. */
interface CacheFetchTable {
  /** `tag NAME:TAG`, `manifest NAME@DIGEST` or `blob NAME@DIGEST` */
  key: string;
  /** Of a blob: where its bytes go. */
  upload: string | null;
  holder: string;
  /** Without news by then, another may take over. */
  until: number;
}

/** What an upstream is not asked for until then. */
interface CachePauseTable {
  upstream: string;
  part: 'manifests' | 'blobs';
  until: number;
  kind: 'rate-limited' | 'unavailable';
  why: string;
}

/** A repository that follows one of another registry. */
interface MirrorTable {
  repository_id: number;
  upstream: string;
  remote_repository: RepositoryName;
  /** JSON array of patterns (`*` and `?`). */
  tags: string;
  /** 1: signatures and what else has an image as its subject come along. */
  referrers: number;
  /** null: as fast as it goes. */
  bytes_per_second: number | null;
  interval_ms: number;
  created_by: string;
  created_at: number;
  next_at: number;
  /** How many runs were asked for, besides those of the schedule, and how many of these have ended. */
  requested: Generated<number>;
  served: Generated<number>;
  lease_holder: string | null;
  lease_until: Generated<number>;
  started_at: number | null;
  finished_at: number | null;
  succeeded_at: number | null;
  outcome: 'done' | 'failed' | null;
  /** JSON: what the last run copied, or why it failed. */
  report: string | null;
  /** Runs that failed since the last one that did not. */
  failures: Generated<number>;
}
