import {
  type DeliveryInfo,
  deliveryDetails,
  deliveryPage,
  deliveryQuery,
  newWebhook,
  newWebhookBodyOf,
  newWebhookSecret,
  sentTest,
  type WebhookInfo,
  webhookChangeBodyOf,
  webhookInfo,
  webhookList,
  webhookListQuery,
} from '../../api/webhooks.ts';
import { type Delivery, getDelivery, listDeliveries, redeliver, sendTest } from '../../events/deliveries.ts';
import { WANTED_KINDS } from '../../events/kinds.ts';
import {
  createWebhook,
  deleteWebhook,
  findWebhook,
  listWebhooks,
  rotateSecret,
  type Scope,
  unknownWebhook,
  updateWebhook,
  type Webhook,
} from '../../events/webhooks.ts';
import { OciError } from '../../oci/errors.ts';
import { parseRepositoryName } from '../../oci/names.ts';
import { getRepository } from '../../registry/repositories.ts';
import type { BerthRequest } from '../request.ts';
import {
  type ApiContext,
  type ApiRoute,
  apiRoute,
  iso,
  isoOrNull,
  limitOf,
  numberCursor,
  originOf,
  userOf,
} from './route.ts';

export const WEBHOOK_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/webhooks',
    access: 'account',
    summary:
      "The webhooks of a repository or a namespace, for who administers it; without either those of the instance, an administrator's",
    chapter: 'webhooks',
    query: webhookListQuery,
    answer: webhookList,
    async handler(context, request, { query }) {
      const scope = await scopeOf(context, request, query);
      const webhooks = await listWebhooks(context.courier.context, scope);
      return { webhooks: webhooks.map(webhookInfoOf) };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/webhooks',
    access: 'account',
    summary: 'Make a webhook of a repository, a namespace or the instance; the answer has its secret',
    chapter: 'webhooks',
    body: newWebhookBodyOf(WANTED_KINDS),
    answer: newWebhook,
    status: 201,
    async handler(context, request, { body }) {
      const scope = await scopeOf(context, request, body);
      const wishes = {
        url: body.url,
        shape: body.shape ?? 'berth',
        events: body.events ?? ['*'],
        description: body.description ?? '',
        authorization: body.authorization ?? null,
        secret: body.secret,
      } as const;
      const { id, secret } = await createWebhook(context.courier.context, scope, wishes, byOf(request));
      return { webhook: webhookInfoOf(await webhookOf(context, request, id)), secret };
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/webhooks/:webhook',
    access: 'account',
    summary: 'A webhook',
    chapter: 'webhooks',
    answer: webhookInfo,
    handler: async (context, request) => webhookInfoOf(await webhookOf(context, request)),
  }),
  apiRoute({
    method: 'PATCH',
    path: '/api/v1/webhooks/:webhook',
    access: 'account',
    summary: "Change a webhook's address, shape, events, description or authorization, disable or enable it",
    chapter: 'webhooks',
    body: webhookChangeBodyOf(WANTED_KINDS),
    answer: webhookInfo,
    async handler(context, request, { body }) {
      const { id } = await webhookOf(context, request);
      await updateWebhook(context.courier.context, id, body, byOf(request));
      return webhookInfoOf(await webhookOf(context, request));
    },
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/webhooks/:webhook',
    access: 'account',
    summary: 'Delete a webhook, what waits for it and the log of its deliveries',
    chapter: 'webhooks',
    async handler(context, request) {
      const { id } = await webhookOf(context, request);
      await deleteWebhook(context.courier.context, id, originOf(request));
      return undefined;
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/webhooks/:webhook/rotate-secret',
    access: 'account',
    summary: 'Give a webhook a new secret; for a day the former one signs too',
    chapter: 'webhooks',
    answer: newWebhookSecret,
    async handler(context, request) {
      const { id } = await webhookOf(context, request);
      const { secret, formerUntil } = await rotateSecret(context.courier.context, id, originOf(request));
      return { secret, formerUntil: iso(formerUntil) };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/webhooks/:webhook/test',
    access: 'account',
    summary: 'Send a test message; its delivery says how it went',
    chapter: 'webhooks',
    answer: sentTest,
    status: 202,
    async handler(context, request) {
      const { id } = await webhookOf(context, request);
      return { delivery: await sendTest(context.courier.context, id) };
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/webhooks/:webhook/deliveries',
    access: 'account',
    summary: 'What was sent and what waits to be, newest first',
    chapter: 'webhooks',
    query: deliveryQuery,
    answer: deliveryPage,
    async handler(context, request, { query }) {
      const { id } = await webhookOf(context, request);
      const page = { before: numberCursor(request), limit: limitOf(request), state: query.state };
      const { deliveries, more } = await listDeliveries(context.courier.context, id, page);
      return {
        deliveries: deliveries.map(deliveryInfoOf),
        next: more ? String(deliveries.at(-1)?.position) : null,
      };
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/webhooks/:webhook/deliveries/:delivery',
    access: 'account',
    summary: 'A delivery, with what was sent and what came back; the last attempt first',
    chapter: 'webhooks',
    answer: deliveryDetails,
    async handler(context, request) {
      const webhook = await webhookOf(context, request);
      const { body, log, ...delivery } = await getDelivery(
        context.courier.context,
        webhook.id,
        request.param('delivery'),
      );
      // The server reaches what the caller may not.
      const shown = !webhook.trusted || userOf(request).administrator;
      return {
        ...deliveryInfoOf(delivery),
        body,
        log: log.map(({ at, response, ...rest }) => ({ ...rest, at: iso(at), response: shown ? response : null })),
      };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/webhooks/:webhook/deliveries/:delivery/redeliver',
    access: 'account',
    summary: 'Send a delivery again, under its `webhook-id`',
    chapter: 'webhooks',
    async handler(context, request) {
      const { id } = await webhookOf(context, request);
      await redeliver(context.courier.context, id, request.param('delivery'), originOf(request));
      return undefined;
    },
  }),
];

/** What a webhook is for, if the caller administers it. @throws OciError DENIED, NAME_UNKNOWN, NOT_FOUND, QUERY_INVALID */
async function scopeOf(
  { registry, reader }: ApiContext,
  request: BerthRequest,
  wanted: { repository?: string | undefined; namespace?: string | undefined },
): Promise<Scope> {
  const { repository, namespace } = wanted;
  if (repository !== undefined && namespace !== undefined) {
    throw new OciError('QUERY_INVALID', 'namespace: give a repository or a namespace, not both');
  }
  if (repository !== undefined) {
    const name = parseRepositoryName(repository);
    await request.require('admin', { kind: 'repository', name });
    const { id } = await getRepository(registry, name);
    return { kind: 'repository', id, name };
  }
  if (namespace !== undefined) {
    await request.require('admin', { kind: 'namespace', name: namespace });
    const found = await reader.namespace(namespace);
    if (found === undefined)
      throw new OciError('NOT_FOUND', `namespace: no user or organization ${namespace.slice(0, 100)}`);
    return { kind: 'namespace', id: found.id, name: namespace };
  }
  await request.require('administrator', { kind: 'instance' });
  return { kind: 'instance' };
}

/** A webhook that the caller administers; to others it does not exist. @throws OciError NOT_FOUND */
async function webhookOf(
  { courier }: ApiContext,
  request: BerthRequest,
  id = request.param('webhook'),
): Promise<Webhook> {
  const webhook = await findWebhook(courier.context, id);
  if (webhook === undefined) throw unknownWebhook(id);
  const { kind, name } = webhook.scope;
  try {
    if (kind === 'instance' || name === null) await request.require('administrator', { kind: 'instance' });
    else if (kind === 'namespace') await request.require('admin', { kind, name });
    else await request.require('admin', { kind, name: parseRepositoryName(name) });
  } catch (error) {
    if (error instanceof OciError && ['DENIED', 'NAME_UNKNOWN', 'NOT_FOUND'].includes(error.code)) {
      throw unknownWebhook(id);
    }
    throw error;
  }
  return webhook;
}

function byOf(request: BerthRequest) {
  return { actor: originOf(request), administrator: userOf(request).administrator };
}

function webhookInfoOf({ trusted, failingSince, retryAt, createdAt, ...webhook }: Webhook): WebhookInfo {
  return {
    ...webhook,
    anyAddress: trusted,
    failingSince: isoOrNull(failingSince),
    retryAt: isoOrNull(retryAt),
    createdAt: iso(createdAt),
  };
}

function deliveryInfoOf({ position: _, createdAt, finishedAt, ...delivery }: Delivery): DeliveryInfo {
  return { ...delivery, createdAt: iso(createdAt), finishedAt: isoOrNull(finishedAt) };
}
