import type { Generated } from 'kysely';
import type { Digest } from '../oci/digest.ts';
import type { RepositoryName } from '../oci/names.ts';

/** The tables of releases. Times are ms since 1970; flags are 0 or 1. The migration says which columns are indexed. */
export interface ReleasesSchema {
  stacks: StackTable;
  stack_files: StackFileTable;
  stack_services: StackServiceTable;
  environments: EnvironmentTable;
  config_versions: ConfigVersionTable;
  releases: ReleaseTable;
  release_images: ReleaseImageTable;
  release_revocations: ReleaseRevocationTable;
  deployments: DeploymentTable;
  targets: TargetTable;
  target_deployments: TargetDeploymentTable;
  target_images: TargetImageTable;
  environment_triggers: EnvironmentTriggerTable;
}

/** A compose file and its services, of a namespace. */
interface StackTable {
  id: Generated<number>;
  namespace_id: number;
  name: string;
  /** Of `stack_files`: the one that the next release is made with. */
  file: Digest;
  /** The number of the next release. */
  next_release: Generated<number>;
  created_by: string;
  created_at: number;
  updated_at: number;
}

/** A compose file as it was given; the digest is of these bytes. Never changes. */
interface StackFileTable {
  stack_id: number;
  digest: Digest;
  content: string;
  created_by: string;
  created_at: number;
}

/** The services of the current file whose image is of this registry; `reference` is the tag or digest that the file has. */
interface StackServiceTable {
  stack_id: number;
  service: string;
  repository: RepositoryName;
  reference: string;
}

interface EnvironmentTable {
  id: Generated<number>;
  stack_id: number;
  name: string;
  position: number;
  protected: number;
  deploy_on_push: number;
  max_parallel: number;
  /** JSON: by service `{ kind, value }`. */
  track: string;
  config_version: Generated<number>;
  /** The number of the next deployment. */
  next_deployment: Generated<number>;
  /** What its targets are to run, by id. */
  current_deployment_id: number | null;
  held_by: string | null;
  held_at: number | null;
  held_reason: string | null;
  /** The lease: one deployment at a time. `lease_fence` grows with each holder. */
  lease_deployment_id: number | null;
  lease_since: number | null;
  lease_until: number | null;
  lease_fence: Generated<number>;
  /** Grows with everything that a target must know. */
  revision: Generated<number>;
  created_at: number;
}

/** A version of an environment's variables; never changes. `variables` is JSON: by name `{ value }` or, encrypted, `{ secret }`. */
interface ConfigVersionTable {
  environment_id: number;
  number: number;
  variables: string;
  created_by: string;
  created_at: number;
}

/** Immutable, numbered in its stack. The same content is made once. */
interface ReleaseTable {
  id: Generated<number>;
  stack_id: number;
  number: number;
  version: string | null;
  file: Digest;
  /** SHA-256 over the file's digest and the images: two releases with the same are one. */
  content: string;
  notes: string;
  created_by: string;
  created_at: number;
  /** Its images may be gone. Never taken back. */
  expired_at: number | null;
}

interface ReleaseImageTable {
  release_id: number;
  service: string;
  repository: RepositoryName;
  digest: Digest;
  tag: string | null;
  /** JSON: the annotations that are shown. */
  annotations: string;
}

/** Where no automation deploys a release any more; `environment_id` 0 for everywhere. */
interface ReleaseRevocationTable {
  release_id: number;
  environment_id: number;
  revoked_by: string;
  revoked_at: number;
  reason: string;
  /** JSON list of the digests that are to blame: those that what came back instead does not have. null: all of it. */
  culprits: string | null;
}

export type DeploymentStatus =
  | 'queued'
  | 'in_progress'
  | 'success'
  | 'failure'
  | 'rolling_back'
  | 'rolled_back'
  | 'error'
  | 'cancelled'
  | 'superseded';

export type DeploymentReason = 'push' | 'manual' | 'promote' | 'rollback' | 'auto-rollback' | 'config';

/** Append-only but for what became of it. */
interface DeploymentTable {
  id: Generated<number>;
  environment_id: number;
  number: number;
  release_id: number;
  config_version: number;
  reason: DeploymentReason;
  actor: string;
  status: DeploymentStatus;
  message: string;
  /** Of a rollback: the number whose release it brings back, and the number that it undoes. */
  restores: number | null;
  undoes: number | null;
  created_at: number;
  started_at: number | null;
  finished_at: number | null;
  stable_at: number | null;
}

export type TargetPhase =
  | 'pending'
  | 'pulling'
  | 'pulled'
  | 'migrating'
  | 'switching'
  | 'monitoring'
  | 'stable'
  | 'reverting'
  | 'reverted'
  | 'failed'
  | 'revert-failed';

/** An enrolled server. What it last said of itself. */
interface TargetTable {
  id: Generated<number>;
  environment_id: number;
  name: string;
  created_by: string;
  created_at: number;
  revoked_at: number | null;
  last_seen_at: number | null;
  address: string | null;
  agent_version: string | null;
  engine: string | null;
  clock_skew_ms: number | null;
  /** The number of the deployment that it last spoke of. */
  deployment: number | null;
  /** JSON list of what runs; null: unknown. */
  services: string | null;
  reported_at: number | null;
}

/** What one target made of one deployment. The row is made when the target may begin. */
interface TargetDeploymentTable {
  deployment_id: number;
  target_id: number;
  phase: TargetPhase;
  pulled_bytes: Generated<number>;
  pull_total: Generated<number>;
  error: string | null;
  blame: 'release' | 'place' | null;
  /** JSON list. */
  warnings: string;
  log: string | null;
  reverted_to: number | null;
  admitted_at: number;
  updated_at: number;
}

/** Digests that a target's last report named: kept from garbage collection. */
interface TargetImageTable {
  target_id: number;
  digest: Digest;
}

/** An environment that follows what was pushed, until somebody has looked at it. Written with the push. */
interface EnvironmentTriggerTable {
  environment_id: number;
  requested_at: number;
  actor: string;
  /** `alice/web:latest` */
  cause: string;
}
