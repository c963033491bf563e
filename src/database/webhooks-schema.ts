import type { Generated } from 'kysely';

/** The tables of events and webhooks. Times are ms since 1970. */
export interface WebhooksSchema {
  events: EventTable;
  webhooks: WebhookTable;
  webhook_deliveries: WebhookDeliveryTable;
  webhook_attempts: WebhookAttemptTable;
}

/** What happened, written in the transaction that did it. */
interface EventTable {
  id: Generated<number>;
  /** The order that readers see, without gaps that fill later; null until a process has given it. */
  seq: number | null;
  at: number;
  kind: string;
  /** The name when it happened, also of one that is gone. */
  repository: string | null;
  /** null: not of a repository that is there, or of one that is gone. */
  repository_id: number | null;
  namespace: string | null;
  /** `alice/shop` */
  stack: string | null;
  /** `alice/app:1.0`, `alice/app@sha256:…`, `alice/shop@test/v7` */
  subject: string;
  actor: string;
  /** The client's address. */
  source: string;
  /** JSON: what else is known; never a secret. */
  detail: string;
  /** JSON: of the request that did it; null when it was none. */
  request: string | null;
}

/** Where events go. It is worked off by one process at a time: `lease_holder`, until `lease_until`. */
interface WebhookTable {
  id: string;
  /** What it is for: a repository, a namespace, or (neither) the instance. */
  repository_id: number | null;
  namespace_id: number | null;
  /** The repository's or namespace's name as of the last event that was given out; '' for the instance. */
  scope: string;
  description: string;
  url: string;
  shape: WebhookShape;
  /** JSON array: kinds, or groups as in `tag.*`. */
  kinds: string;
  /** Sealed. */
  secret: string;
  /** Sealed; signs too until `former_until`. */
  former_secret: string | null;
  former_until: number | null;
  /** Sealed; the `Authorization` of its requests. */
  auth_header: string | null;
  /** 1: an administrator chose the address, which may be any. */
  trusted: number;
  created_by: string;
  created_at: number;
  /** null while it is enabled. */
  disabled_at: number | null;
  disabled_reason: string | null;
  /** 1: its repository is gone; it goes with its last delivery. */
  ended: Generated<number>;
  /** Of the failures since the last success. */
  failing_since: number | null;
  failures: Generated<number>;
  /** Not before. */
  retry_at: Generated<number>;
  lease_holder: string | null;
  lease_until: Generated<number>;
}

export type WebhookShape = 'berth' | 'distribution' | 'docker-hub';

/** One event for one webhook. */
interface WebhookDeliveryTable {
  /** The order of delivery. */
  position: Generated<number>;
  /** `webhook-id` */
  id: string;
  webhook_id: string;
  event_id: number;
  state: DeliveryState;
  /** 1: asked for by somebody; tried once, before the others. */
  once: number;
  created_at: number;
  finished_at: number | null;
  attempts: Generated<number>;
  /** As it was sent; null before the first attempt. */
  body: string | null;
}

export type DeliveryState = 'pending' | 'delivered' | 'failed';

interface WebhookAttemptTable {
  id: Generated<number>;
  delivery_id: string;
  at: number;
  duration_ms: number;
  /** null: no answer. */
  status: number | null;
  /** Why there was no good answer. */
  error: string | null;
  /** JSON: without secrets. */
  headers: string;
  /** The beginning of the answer. */
  response: string;
}
