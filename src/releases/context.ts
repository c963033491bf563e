import type { Kysely, Transaction } from 'kysely';
import type { Database } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';
import type { Digest } from '../oci/digest.ts';
import type { RepositoryName } from '../oci/names.ts';

/** The database, or a transaction. */
export type Rows = Pick<Kysely<Schema>, 'selectFrom'>;

/** Who does something, for the histories. */
export interface Actor {
  name: string;
  /** The client's address. */
  source: string;
}

/** Durations in ms. */
export interface ReleasesPolicy {
  /** A target that was not heard of for so long is away. */
  onlineMs: number;
  /** How long a deployment keeps its environment without a word from its targets. */
  leaseMs: number;
  /** How often a target asks when no event told it to. */
  pollMs: number;
  /** How often a target says at least that it is there. */
  reportMs: number;
  /** So many stable deployments of an environment can be rolled back to. */
  keepStable: number;
  /** A release is kept so long, … */
  keepReleaseMs: number;
  /** … and so many of a stack, whichever keeps more. */
  keepReleases: number;
}

/** What is kept of the past. */
export const KEPT = {
  keepStable: 10,
  keepReleaseMs: 30 * 86_400_000,
  keepReleases: 20,
} as const satisfies Partial<ReleasesPolicy>;

/** What releases need from outside; made by `server.ts`, or by a test. */
export interface ReleasesContext {
  database: Database;
  images: ImageSource;
  secrets: SecretKeeper;
  tokens: TargetTokens;
  policy: ReleasesPolicy;
  /** ms since 1970 */
  now: () => number;
  /** Writes down who did what, in the transaction that does it. */
  record: (tx: Transaction<Schema>, actor: Actor, entry: ReleasesRecord) => Promise<void>;
  /** Told of what became of a deployment, in the transaction that says so. */
  happened: (tx: Transaction<Schema>, step: DeploymentStep) => Promise<void>;
}

export interface DeploymentStep {
  kind: 'deployment.start' | 'deployment.success' | 'deployment.failure' | 'deployment.rolled-back';
  /** `alice/shop@test/v7` */
  subject: string;
  /** Who asked for the deployment. */
  actor: string;
  detail: Record<string, unknown>;
}

export interface ReleasesRecord {
  action:
    | 'stack.create'
    | 'stack.update'
    | 'stack.delete'
    | 'environment.create'
    | 'environment.update'
    | 'environment.delete'
    | 'environment.hold'
    | 'environment.resume'
    | 'config.change'
    | 'target.enroll'
    | 'target.revoke'
    | 'release.create'
    | 'release.revoke'
    | 'deployment.create'
    | 'deployment.cancel'
    | 'deployment.rollback';
  /** `alice/shop`, `alice/shop@test`, `alice/shop@test/v7` */
  subject: string;
  detail?: Record<string, unknown>;
}

/** What a reference names now. */
export interface FoundImage {
  /** The repository's present name. */
  repository: RepositoryName;
  digest: Digest;
  /** null when it was asked for by digest */
  tag: string | null;
}

/** The registry, as releases see it. Nothing here says who may read what: callers ask that first. */
export interface ImageSource {
  /** @param reference a tag or a digest @returns undefined when there is no such manifest */
  find(repository: RepositoryName, reference: string): Promise<FoundImage | undefined>;
  /** Every tag, with when it was last moved (ms since 1970). At most 10,000. */
  tags(repository: RepositoryName): Promise<{ name: string; digest: Digest; updatedAt: number }[]>;
  /** The annotations of index, manifest and config labels, the former first; and the bytes that a pull takes. */
  describe(repository: RepositoryName, digest: Digest): Promise<{ annotations: Record<string, string>; bytes: number }>;
  /** Keeps garbage collection off a manifest until `digestsInUse` is read anew. False when it is not there. */
  hold(tx: Transaction<Schema>, repository: RepositoryName, digest: Digest): Promise<boolean>;
  /** Which of these are there still. */
  present(rows: Rows, images: readonly { repository: RepositoryName; digest: Digest }[]): Promise<Set<Digest>>;
  /** Points a tag of the release engine at a manifest; nothing happens when it is not there or the tag may not be moved. */
  point(tx: Transaction<Schema>, repository: RepositoryName, tag: string, digest: Digest, actor: Actor): Promise<void>;
  /** The same, and nobody else may move or delete tags of this pattern there from then on. */
  pin(tx: Transaction<Schema>, repository: RepositoryName, pin: PinnedTag, actor: Actor): Promise<void>;
  /** Removes a tag that was pinned, if it still names that manifest. */
  unpin(tx: Transaction<Schema>, repository: RepositoryName, pin: PinnedTag, actor: Actor): Promise<void>;
}

export interface PinnedTag {
  tag: string;
  pattern: string;
  digest: Digest;
}

/** Encrypts what is kept of secrets. `context` is bound to the text: it opens with the same one only. */
export interface SecretKeeper {
  seal(plain: string, context: string): string;
  open(sealed: string, context: string): string;
}

/** A target's credentials. */
export interface TargetTokens {
  /** @returns the secret, which is kept nowhere */
  create(tx: Transaction<Schema>, targetId: number, name: string, actor: Actor): Promise<string>;
  revoke(tx: Transaction<Schema>, targetId: number, actor: Actor): Promise<void>;
}
