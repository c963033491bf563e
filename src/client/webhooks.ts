import type { z } from 'zod';
import {
  type DeliveryDetails,
  type DeliveryInfo,
  deliveryDetails,
  deliveryPage,
  type deliveryState,
  type NewWebhook,
  newWebhook,
  newWebhookSecret,
  sentTest,
  type WebhookChange,
  type WebhookInfo,
  webhookInfo,
  webhookList,
} from '../api/webhooks.ts';
import type { Connection } from './connection.ts';
import { path, withQuery } from './path.ts';

const WEBHOOKS = '/api/v1/webhooks';

/** Where events go. Who administers a repository, a namespace or the instance has its webhooks. */
export class WebhooksClient {
  constructor(readonly connection: Connection) {}

  /** Of a repository, of a namespace, or (neither) of the instance; the oldest first. */
  async list(scope: { repository?: string | undefined; namespace?: string | undefined }): Promise<WebhookInfo[]> {
    return (await this.connection.call(webhookList, 'GET', withQuery(WEBHOOKS, scope))).webhooks;
  }

  get(id: string): Promise<WebhookInfo> {
    return this.connection.call(webhookInfo, 'GET', path`/api/v1/webhooks/${id}`);
  }

  /** The secret is in the answer, and nowhere else. */
  create(webhook: NewWebhook): Promise<z.infer<typeof newWebhook>> {
    return this.connection.call(newWebhook, 'POST', WEBHOOKS, webhook);
  }

  change(id: string, change: WebhookChange): Promise<WebhookInfo> {
    return this.connection.call(webhookInfo, 'PATCH', path`/api/v1/webhooks/${id}`, change);
  }

  /** What waits for it goes with it. */
  delete(id: string): Promise<void> {
    return this.connection.send('DELETE', path`/api/v1/webhooks/${id}`);
  }

  /** The former secret signs beside the new one until `formerUntil`. */
  rotateSecret(id: string): Promise<z.infer<typeof newWebhookSecret>> {
    return this.connection.call(newWebhookSecret, 'POST', path`/api/v1/webhooks/${id}/rotate-secret`);
  }

  /** @returns the delivery, which says how it went */
  async test(id: string): Promise<string> {
    return (await this.connection.call(sentTest, 'POST', path`/api/v1/webhooks/${id}/test`)).delivery;
  }

  /** Newest first. */
  deliveries(
    id: string,
    filter: { state?: z.infer<typeof deliveryState> | undefined } = {},
    limit?: number,
  ): AsyncIterable<DeliveryInfo> {
    const options = limit === undefined ? { query: filter } : { query: filter, limit };
    return this.connection.list(
      deliveryPage,
      path`/api/v1/webhooks/${id}/deliveries`,
      (page) => page.deliveries,
      options,
    );
  }

  delivery(id: string, delivery: string): Promise<DeliveryDetails> {
    return this.connection.call(deliveryDetails, 'GET', path`/api/v1/webhooks/${id}/deliveries/${delivery}`);
  }

  /** Under the same `webhook-id`, before what waits. */
  redeliver(id: string, delivery: string): Promise<void> {
    return this.connection.send('POST', path`/api/v1/webhooks/${id}/deliveries/${delivery}/redeliver`);
  }
}
