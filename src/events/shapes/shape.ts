import type { BerthEvent, RepositoryFacts, WebhookShape } from '../context.ts';

/** What a body says besides the event. */
export interface Envelope {
  /** `webhook-id` */
  id: string;
  /** The webhook's. */
  webhook: string;
  /** Of this registry, as the client saw it: `https://registry.example.com`. */
  base: string;
  /** The process that sends. */
  process: string;
  /** undefined: it is gone, or the event is of none. */
  repository: RepositoryFacts | undefined;
}

export interface Shape {
  name: WebhookShape;
  contentType: string;
  /** Whether it has words for the kind. */
  takes: (kind: string) => boolean;
  body: (event: BerthEvent, envelope: Envelope) => unknown;
}
