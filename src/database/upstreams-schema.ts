import type { Digest } from '../oci/digest.ts';
import type { RepositoryName, Tag } from '../oci/names.ts';
import type { Visibility } from './schema.ts';

/** The tables of other registries: who they are, what is kept of them, what follows them. Times are ms since 1970. */
export interface UpstreamsSchema {
  upstreams: UpstreamTable;
  caches: CacheTable;
  cache_tags: CacheTagTable;
  cache_fetches: CacheFetchTable;
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
  visibility: Visibility;
  created_by: string;
  created_at: number;
}

/** When the upstream last said what a tag of a cached repository names. */
interface CacheTagTable {
  repository_id: number;
  tag: Tag;
  checked_at: number;
}

/** A blob that is being fetched, by whom, and into which upload. */
interface CacheFetchTable {
  digest: Digest;
  upload: string;
  holder: string;
  /** null: the upstream did not say. */
  size: number | null;
  /** Without news by then, another may take over. */
  until: number;
}

/** A repository that follows one of another registry. */
interface MirrorTable {
  repository: RepositoryName;
  upstream: string;
  remote_repository: string;
  /** JSON array of patterns (`*` and `?`). */
  tags: string;
  interval_ms: number;
  created_by: string;
  created_at: number;
  next_at: number;
  lease_holder: string | null;
  lease_until: number;
  started_at: number | null;
  finished_at: number | null;
  outcome: 'done' | 'failed' | null;
  /** JSON: what the last run copied, or why it failed. */
  report: string | null;
  /** Runs that failed since the last one that did not. */
  failures: number;
}
