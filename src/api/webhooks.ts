import { z } from 'zod';
import { isRepositoryName } from '../oci/names.ts';
import { pageOf, pageQuery, time } from './page.ts';

export const WEBHOOK_SHAPES = ['berth', 'distribution', 'docker-hub'] as const;
export const webhookShape = z.enum(WEBHOOK_SHAPES);

const webhookScope = z.object({
  kind: z.enum(['repository', 'namespace', 'instance']),
  name: z.string().nullable().describe('null: the instance'),
});

export const webhookInfo = z.object({
  id: z.string(),
  scope: webhookScope,
  description: z.string(),
  url: z.string(),
  shape: webhookShape,
  events: z.array(z.string()),
  hasAuthorization: z.boolean().describe('whether an Authorization header is sent; it is never shown'),
  enabled: z.boolean(),
  disabledReason: z.string().nullable(),
  failingSince: time.nullable().describe('of the failures since the last success'),
  retryAt: time.nullable().describe('when it is tried again'),
  pending: z.int().describe('deliveries that wait'),
  anyAddress: z.boolean().describe('whether an administrator chose the address, which may be a private one then'),
  createdBy: z.string(),
  createdAt: time,
});
export type WebhookInfo = z.infer<typeof webhookInfo>;
export const webhookList = z.object({ webhooks: z.array(webhookInfo) });

export const webhookListQuery = z.object({
  repository: z.string().optional().describe('those of this repository'),
  namespace: z.string().optional().describe("those of this user's or organization's namespace"),
});

const url = z.string().max(2_000).describe('http or https, without a password in it');
const events = (kinds: readonly string[]) =>
  z
    .array(z.string().refine((kind) => kinds.includes(kind), 'is no kind of event'))
    .min(1)
    .max(100);
const authorization = z
  .string()
  .min(1)
  .max(2_000)
  .regex(/^[\x20-\x7e]+$/, 'has characters that no header can hold')
  .nullable()
  .describe('sent as the Authorization header, as in `Bearer …`; kept encrypted, never shown');

/** @param kinds what may be asked for */
export function newWebhookBodyOf(kinds: readonly string[]) {
  return z.strictObject({
    repository: z
      .string()
      .refine((name) => isRepositoryName(name), 'not a repository name')
      .optional()
      .describe('what happens in this repository'),
    namespace: z
      .string()
      .optional()
      .describe("what happens in this namespace; without either: everything, an administrator's"),
    url,
    shape: webhookShape.optional().describe('default: berth'),
    events: events(kinds).optional().describe('kinds, groups as in `tag.*`, or `*`; default: `*`'),
    description: z.string().max(500).optional(),
    authorization: authorization.optional(),
    secret: z.string().max(200).optional().describe('`whsec_` and base64; one is made without it'),
  });
}

export function webhookChangeBodyOf(kinds: readonly string[]) {
  return z.strictObject({
    url: url.optional(),
    shape: webhookShape.optional(),
    events: events(kinds).optional(),
    description: z.string().max(500).optional(),
    authorization: authorization.optional(),
    enabled: z.boolean().optional(),
  });
}
export type NewWebhook = z.input<ReturnType<typeof newWebhookBodyOf>>;
export type WebhookChange = z.input<ReturnType<typeof webhookChangeBodyOf>>;

export const newWebhook = z.object({
  webhook: webhookInfo,
  secret: z.string().describe('what its messages are signed with; it is not shown again'),
});
export const newWebhookSecret = z.object({
  secret: z.string(),
  formerUntil: time.describe('until then messages are signed with the former secret too'),
});

export const deliveryState = z.enum(['pending', 'delivered', 'failed']);
export const deliveryInfo = z.object({
  id: z.string().describe('the `webhook-id` of its messages'),
  kind: z.string().nullable().describe('null: the event is not kept any more'),
  subject: z.string().nullable(),
  state: deliveryState,
  attempts: z.int(),
  createdAt: time,
  finishedAt: time.nullable(),
  status: z.int().nullable().describe('what the last attempt was answered with'),
  error: z.string().nullable().describe('why the last attempt was no success'),
  durationMs: z.int().nullable().describe('how long the last attempt took'),
});
export type DeliveryInfo = z.infer<typeof deliveryInfo>;
export const deliveryPage = pageOf('deliveries', deliveryInfo);
export const deliveryQuery = pageQuery.extend({ state: deliveryState.optional() });

export const deliveryDetails = deliveryInfo.extend({
  body: z.string().nullable().describe('what was sent; null before the first attempt'),
  log: z.array(
    z.object({
      at: time,
      durationMs: z.int(),
      status: z.int().nullable(),
      error: z.string().nullable(),
      headers: z.record(z.string(), z.string()),
      response: z
        .string()
        .nullable()
        .describe('its beginning; null where an administrator chose the address and the caller is none'),
    }),
  ),
});
export type DeliveryDetails = z.infer<typeof deliveryDetails>;

export const sentTest = z.object({ delivery: z.string() });
