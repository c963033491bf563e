import type { Transaction } from 'kysely';
import type { Database } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';
import type { DeliveryState, WebhookShape } from '../database/webhooks-schema.ts';
import type { AddressRules } from './addresses.ts';

export type { DeliveryState, WebhookShape };

/** Who does something, for the histories. */
export interface Actor {
  name: string;
  /** The client's address. */
  source: string;
}

/** Durations in ms. */
export interface EventsPolicy {
  /** How long events and finished deliveries are kept. */
  retentionMs: number;
  /** How long a receiver may take to answer. */
  answerWithinMs: number;
  /** How long a process keeps a webhook without a word; longer than an attempt takes. */
  leaseMs: number;
  /** Before the second attempt; each further one waits twice as long, … */
  firstRetryMs: number;
  /** … up to this. */
  mostRetryMs: number;
  /** A delivery that is older is given up. */
  giveUpMs: number;
  /** A webhook that only failed for so long is disabled. */
  disableMs: number;
  /** How long the former secret signs beside a new one. */
  overlapMs: number;
}

const DAY = 86_400_000;

export const EVENTS_POLICY: EventsPolicy = {
  retentionMs: 30 * DAY,
  answerWithinMs: 15_000,
  leaseMs: 30_000,
  firstRetryMs: 5_000,
  mostRetryMs: 3_600_000,
  giveUpMs: 3 * DAY,
  disableMs: 5 * DAY,
  overlapMs: DAY,
};

/** What events need from outside; made by `server.ts`, or by a test. */
export interface EventsContext {
  database: Database;
  /** What was pulled since it was last asked. */
  pulls: { flush(context: { database: Database }): Promise<void> };
  policy: EventsPolicy;
  /** Which addresses webhooks of who is no administrator may have. */
  addresses: AddressRules;
  /** Sends a request to a webhook. */
  fetch: (url: URL, init: BunFetchRequestInit) => Promise<Response>;
  secrets: SecretKeeper;
  /** Of this registry, for what no request did: `https://registry.example.com`. */
  base: string;
  /** ms since 1970 */
  now: () => number;
  newId: () => string;
  /** Names this process among those that share the database; begins a lease's holder. */
  process: string;
  /** What people know of a repository; undefined when it is gone. */
  repository: (name: string) => Promise<RepositoryFacts | undefined>;
  /** Writes down who did what, in the transaction that does it. */
  record: (tx: Transaction<Schema>, actor: Actor, entry: EventsRecord) => Promise<void>;
}

export interface RepositoryFacts {
  isPrivate: boolean;
  description: string;
  readme: string;
  /** ms since 1970 */
  createdAt: number;
}

export interface EventsRecord {
  action: 'webhook.create' | 'webhook.update' | 'webhook.delete' | 'webhook.redeliver';
  /** `alice/app#whk_…`, `acme#whk_…` or `instance#whk_…` */
  subject: string;
  detail?: Record<string, unknown>;
}

/** Encrypts what is kept of secrets. `context` is bound to the text: it opens with the same one only. */
export interface SecretKeeper {
  seal(plain: string, context: string): string;
  open(sealed: string, context: string): string;
}

/** The request that did something. */
export interface RequestFacts {
  id: string;
  /** As the client named the registry. */
  host: string;
  method: string;
  userAgent: string;
  /** How the client sees this registry: `https://registry.example.com`. */
  base: string;
}

/** What happened, as everything here sees it. */
export interface BerthEvent {
  id: number;
  /** Given out; what a reader goes on from. */
  seq: number;
  /** ms since 1970 */
  at: number;
  kind: string;
  repository: string | null;
  namespace: string | null;
  /** `alice/shop` */
  stack: string | null;
  subject: string;
  actor: string;
  source: string;
  detail: Record<string, unknown>;
  request: RequestFacts | null;
}

/** Shorter than anything that could fill a row. */
export function clip(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
