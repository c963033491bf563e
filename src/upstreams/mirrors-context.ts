import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { RegistryContext } from '../registry/context.ts';
import type { UpstreamsContext } from './context.ts';

/** Who does what mirrors do, in histories, the audit log and events. */
export const MIRROR_ACTOR = 'mirror';

/** Durations in ms. */
export interface MirrorPolicy {
  /** How long a process keeps a mirror without a word. */
  leaseMs: number;
  /** How often it says that it still works. */
  renewMs: number;
  /** How long the first pause after a failure is; each further one is twice as long, … */
  firstRetryMs: number;
  /** … up to this, or to the mirror's own interval where that is longer. */
  mostRetryMs: number;
  /** By how much of its interval a run may be late, so that not all come at once. */
  jitter: number;
  /** Images, and blobs, that a run works on at once. */
  jobs: number;
}

export const MIRROR_POLICY: MirrorPolicy = {
  leaseMs: 30_000,
  renewMs: 5_000,
  firstRetryMs: 60_000,
  mostRetryMs: 3_600_000,
  jitter: 0.05,
  jobs: 3,
};

/** What mirrors need from outside. */
export interface MirrorsContext {
  registry: RegistryContext;
  upstreams: UpstreamsContext;
}

/** And what copying them needs. */
export interface MirroringContext extends MirrorsContext {
  policy: MirrorPolicy;
  /** Tells of a mirror in the transaction that writes down how it went. */
  happened: (tx: Transaction<Schema>, turn: MirrorTurn) => Promise<void>;
}

/** A run that went otherwise than the one before. Why is for administrators: it names the other registry. */
export interface MirrorTurn {
  kind: 'mirror.failure' | 'mirror.recovery';
  repository: string;
}
