import type { Kysely, Transaction } from 'kysely';
import type { Database } from '../database/database.ts';
import type { Schema, Visibility } from '../database/schema.ts';
import type { Digest } from '../oci/digest.ts';
import type { Reference, RepositoryName } from '../oci/names.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import type { CachePrefixes } from './cache-prefixes.ts';
import type { FactCache } from './fact-cache.ts';
import type { PullReader } from './pull-reader.ts';
import type { PullTimes } from './pull-times.ts';
import type { UploadHashes } from './upload-hashes.ts';

/** Moments of a push at which a test may pull the plug; see `tests/crash`. */
export type RegistryStep =
  | 'upload-started'
  | 'upload-appended'
  | 'blob-claimed'
  | 'blob-committed'
  | 'blob-linked'
  | 'manifest-written'
  | 'manifest-committed'
  | 'blob-condemned'
  | 'blob-removed';

/** All durations in ms. */
export interface RegistryPolicy {
  /** How long what was just uploaded, mounted, pushed by digest or asked for is kept without anything naming it. */
  graceMs: number;
  /** How long a tag's former manifests are kept. */
  tagHistoryMs: number;
  /** How long an upload may lie without a byte. */
  uploadExpiryMs: number;
}

/** What the registry needs from outside; made by `server.ts`, or by a test. */
export interface RegistryContext {
  database: Database;
  store: BlobStore;
  pull: PullReader;
  pullTimes: PullTimes;
  facts: FactCache;
  hashes: UploadHashes;
  /** Names that are another registry's; undefined: none are, or it is their cache that writes. */
  caches?: CachePrefixes | undefined;
  policy: RegistryPolicy;
  /** Of a repository that a push makes. */
  defaultVisibility: Visibility;
  /** ms since 1970 */
  now: () => number;
  newId: () => string;
  /** Names this process among those that share the database; part of an upload's holder. */
  process: string;
  onStep: (step: RegistryStep) => void;
  /** Bytes of a chunk that were taken, for the metrics. */
  onReceived: (bytes: number) => void;
  /** Who uses a repository's manifest outside the registry (deployments): a line each, for messages. Empty when nobody does. */
  usersOf: (rows: Pick<Kysely<Schema>, 'selectFrom'>, digest: Digest, repository: RepositoryName) => Promise<string[]>;
  /** Every digest for which `usersOf` is not empty in some repository. */
  digestsInUse: () => Promise<ReadonlySet<Digest>>;
  /** Writes down who did what, in the transaction that does it: one is not without the other. */
  record: (tx: Transaction<Schema>, actor: Actor, entry: RegistryRecord) => Promise<void>;
  /** Told of a tag that a push or a rollback moved, in that transaction, so that what follows the tag learns of it. */
  tagMoved: (tx: Transaction<Schema>, moved: MovedTag) => Promise<void>;
  /** Told of a mount, in its transaction. */
  mounted: (tx: Transaction<Schema>, actor: Actor, mounted: MountedBlob) => Promise<void>;
  /** Told of each pull of a manifest, which waits for nothing. */
  pulled: (pulled: () => PulledImage) => void;
  /** Told of a new name in the transaction that gives it, so that rights follow. */
  moved: (tx: Transaction<Schema>, move: RepositoryMove) => Promise<void>;
}

export interface RegistryRecord {
  action:
    | 'repository.create'
    | 'repository.update'
    | 'repository.rename'
    | 'repository.delete'
    | 'alias.remove'
    | 'manifest.push'
    | 'manifest.delete'
    | 'tag.push'
    | 'tag.delete'
    | 'tag.rollback'
    | 'tag.promote'
    | 'blob.delete'
    | 'quota.set'
    | 'quota.remove'
    | 'retention.set'
    | 'retention.remove'
    | 'retention.apply'
    | 'garbage.collect';
  /** `alice/app`, `alice/app:1.0` or `alice/app@sha256:…`; a collection's id */
  subject: string;
  detail?: Record<string, unknown>;
  /** What events say beyond the audit log: of a push, what was pushed. */
  facts?: { mediaType: string; size: number; digest?: Digest };
}

/** A blob of one repository that became one of another, too. */
export interface MountedBlob {
  repository: RepositoryName;
  from: RepositoryName;
  digest: Digest;
  size: number;
}

export interface PulledImage {
  repository: RepositoryName;
  reference: Reference;
  digest: Digest;
  mediaType: string;
  size: number;
  actor: Actor;
}

export interface MovedTag {
  repository: RepositoryName;
  tag: string;
  actor: Actor;
}

export interface RepositoryMove {
  repositoryId: number;
  from: RepositoryName;
  to: RepositoryName;
}

/** Who does something, for the histories. */
export interface Actor {
  name: string;
  /** The client's address. */
  source: string;
  /** What it asked with; undefined for what no request did. */
  request?: RequestFacts;
}

export interface RequestFacts {
  id: string;
  /** As the client named the registry. */
  host: string;
  method: string;
  userAgent: string;
  /** How the client sees this registry: `https://registry.example.com`. */
  base: string;
}
