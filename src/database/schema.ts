import type { Generated } from 'kysely';
import type { Digest } from '../oci/digest.ts';
import type { RepositoryName, Tag } from '../oci/names.ts';
import type { AccountsSchema } from './accounts-schema.ts';
import type { BackupsSchema } from './backups-schema.ts';
import type { CertificatesSchema } from './certificates-schema.ts';
import type { QuotasSchema } from './quotas-schema.ts';
import type { ReleasesSchema } from './releases-schema.ts';
import type { RetentionSchema } from './retention-schema.ts';
import type { UpstreamsSchema } from './upstreams-schema.ts';
import type { WebhooksSchema } from './webhooks-schema.ts';

/** Every table. Times are ms since 1970, sizes are bytes. The migrations say which columns are indexed. */
export interface Schema
  extends AccountsSchema,
    ReleasesSchema,
    QuotasSchema,
    RetentionSchema,
    WebhooksSchema,
    CertificatesSchema,
    BackupsSchema,
    UpstreamsSchema {
  repositories: RepositoryTable;
  manifests: ManifestTable;
  manifest_references: ManifestReferenceTable;
  tags: TagTable;
  tag_history: TagHistoryTable;
  blobs: BlobTable;
  repository_blobs: RepositoryBlobTable;
  uploads: UploadTable;
  leases: LeaseTable;
  garbage_runs: GarbageRunTable;
}

interface RepositoryTable {
  id: Generated<number>;
  name: RepositoryName;
  created_at: number;
  /** JSON array of patterns (`*` and `?`); null for none. */
  immutable_tags: string | null;
  visibility: Generated<Visibility>;
  description: Generated<string>;
  /** Markdown. */
  readme: Generated<string>;
}

/** `public`: everyone may read. */
export type Visibility = 'public' | 'private';

/** A manifest in one repository. `content` is the pushed bytes. */
interface ManifestTable {
  repository_id: number;
  digest: Digest;
  media_type: string;
  artifact_type: string | null;
  subject: Digest | null;
  /** JSON object, as the referrers list repeats it. */
  annotations: string | null;
  size: number;
  content: Uint8Array;
  pushed_at: number;
  pushed_by: string;
  /** Garbage collection leaves the row alone until then; see `registry/garbage/protocol.md`. */
  protected_until: number;
  /** When it was last got by a client, exact to some minutes. */
  pulled_at: number | null;
}

/** A manifest names `target`: a blob (config, layer) or a manifest (an index's entry). Its subject is not among these. */
interface ManifestReferenceTable {
  repository_id: number;
  manifest: Digest;
  target: Digest;
  kind: 'config' | 'layer' | 'manifest';
}

interface TagTable {
  repository_id: number;
  name: Tag;
  digest: Digest;
  updated_at: number;
}

/** Append-only. `digest` is null for a deletion, `previous` for a tag that was not there. */
interface TagHistoryTable {
  id: Generated<number>;
  repository_id: number;
  tag: Tag;
  digest: Digest | null;
  previous: Digest | null;
  action: TagAction;
  actor: string;
  /** The client's address. */
  source: string;
  at: number;
}

export type TagAction = 'push' | 'delete' | 'rollback' | 'promote';

/** A blob in the blob store. `pending`: bytes may or may not be there yet. `deleting`: bytes are being removed. */
interface BlobTable {
  digest: Digest;
  size: number;
  state: 'pending' | 'stored' | 'deleting';
  protected_until: number;
}

/** A blob is in a repository: it may be read there, and named by manifests there. */
interface RepositoryBlobTable {
  repository_id: number;
  digest: Digest;
  protected_until: number;
}

/** An open upload. `holder` is the request that appends now, until `holder_until` or until it is asked to yield. */
interface UploadTable {
  id: string;
  repository_id: number;
  started_at: number;
  touched_at: number;
  holder: string | null;
  holder_until: number;
  asked_to_yield: number;
  /** The sha256 of the first `hashed_bytes`, known when a chunk ended; saves another worker reading them again. */
  hashed_digest: Digest | null;
  hashed_bytes: number;
}

/** One job, one process: held until `until`, `fence` grows with each new holder. */
interface LeaseTable {
  name: string;
  holder: string;
  until: number;
  fence: number;
}

/** A garbage collection, by hand, by schedule or asked for. A `running` one whose `holder_until` is past has lost its process. */
interface GarbageRunTable {
  id: string;
  dry_run: number;
  started_by: string;
  state: 'running' | 'done' | 'failed';
  started_at: number;
  finished_at: number | null;
  /** What went wrong, of a failed one. */
  error: string | null;
  /** JSON: the totals. */
  result: string | null;
  /** JSON: what would go, of a dry run. */
  items: string | null;
  holder_until: number;
}
