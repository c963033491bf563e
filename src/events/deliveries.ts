import { OciError } from '../oci/errors.ts';
import { type Actor, clip, type DeliveryState, type EventsContext } from './context.ts';
import { PING } from './kinds.ts';
import { newDelivery } from './routing.ts';
import { subjectOf } from './subjects.ts';
import { unknownWebhook } from './webhooks.ts';

export interface Delivery {
  position: number;
  /** `webhook-id` */
  id: string;
  /** null: the event is not kept any more. */
  kind: string | null;
  subject: string | null;
  state: DeliveryState;
  attempts: number;
  createdAt: number;
  finishedAt: number | null;
  /** Of the last attempt. */
  status: number | null;
  error: string | null;
  durationMs: number | null;
}

export interface DeliveryAttempt {
  at: number;
  durationMs: number;
  status: number | null;
  error: string | null;
  headers: Record<string, string>;
  response: string;
}

/** Newest first. */
export async function listDeliveries(
  context: EventsContext,
  webhookId: string,
  page: { before?: number | undefined; limit: number; state?: DeliveryState | undefined },
): Promise<{ deliveries: Delivery[]; more: boolean }> {
  let query = deliveriesOf(context, webhookId).where('d.position', '<', page.before ?? Number.MAX_SAFE_INTEGER);
  if (page.state !== undefined) query = query.where('d.state', '=', page.state);
  const rows = await query
    .orderBy('d.position', 'desc')
    .limit(page.limit + 1)
    .execute();
  return { deliveries: rows.slice(0, page.limit).map(deliveryOf), more: rows.length > page.limit };
}

/** With what was sent and what came back, the last attempt first. @throws OciError NOT_FOUND */
export async function getDelivery(
  context: EventsContext,
  webhookId: string,
  id: string,
): Promise<Delivery & { body: string | null; log: DeliveryAttempt[] }> {
  const row = await deliveriesOf(context, webhookId).select('d.body').where('d.id', '=', id).executeTakeFirst();
  if (row === undefined) throw unknownDelivery(id);
  const attempts = await context.database.read
    .selectFrom('webhook_attempts')
    .selectAll()
    .where('delivery_id', '=', id)
    .orderBy('id', 'desc')
    .execute();
  const log = attempts.map((attempt) => ({
    at: attempt.at,
    durationMs: attempt.duration_ms,
    status: attempt.status,
    error: attempt.error,
    headers: JSON.parse(attempt.headers) as Record<string, string>,
    response: attempt.response,
  }));
  return { ...deliveryOf(row), body: row.body, log };
}

/** Sends one again, before what waits, once, under the same `webhook-id`. @throws OciError NOT_FOUND, CONFLICT */
export async function redeliver(context: EventsContext, webhookId: string, id: string, actor: Actor): Promise<void> {
  await context.database.transaction(async (tx) => {
    const webhook = await tx
      .selectFrom('webhooks')
      .select(['id', 'scope', 'disabled_at'])
      .where('id', '=', webhookId)
      .executeTakeFirst();
    if (webhook === undefined) throw unknownWebhook(webhookId);
    requireEnabled(webhook);
    const delivery = await tx
      .selectFrom('webhook_deliveries')
      .select('state')
      .where('webhook_id', '=', webhookId)
      .where('id', '=', id)
      .executeTakeFirst();
    if (delivery === undefined) throw unknownDelivery(id);
    if (delivery.state === 'pending') throw new OciError('CONFLICT', `delivery: ${id} waits to be sent already`);
    await tx
      .updateTable('webhook_deliveries')
      .set({ state: 'pending', once: 1, finished_at: null })
      .where('id', '=', id)
      .execute();
    await context.record(tx, actor, { action: 'webhook.redeliver', subject: subjectOf(webhook), detail: { id } });
  });
}

/** Sends a message of no event, before what waits, once. @returns the delivery's id @throws OciError NOT_FOUND, CONFLICT */
export async function sendTest(context: EventsContext, webhookId: string): Promise<string> {
  const delivery = newDelivery(context, webhookId, 0, true);
  await context.database.transaction(async (tx) => {
    const webhook = await tx
      .selectFrom('webhooks')
      .select('disabled_at')
      .where('id', '=', webhookId)
      .executeTakeFirst();
    if (webhook === undefined) throw unknownWebhook(webhookId);
    requireEnabled(webhook);
    await tx.insertInto('webhook_deliveries').values(delivery).execute();
  });
  return delivery.id;
}

function requireEnabled({ disabled_at: disabledAt }: { disabled_at: number | null }): void {
  if (disabledAt !== null) throw new OciError('CONFLICT', 'webhook: is disabled; enable it first');
}

function unknownDelivery(id: string): OciError {
  return new OciError('NOT_FOUND', `delivery: no delivery ${clip(id)}`);
}

function deliveriesOf(context: EventsContext, webhookId: string) {
  return context.database.read
    .selectFrom('webhook_deliveries as d')
    .leftJoin('events as e', 'e.id', 'd.event_id')
    .leftJoin('webhook_attempts as a', (join) =>
      join.on((on) =>
        on(
          'a.id',
          '=',
          on
            .selectFrom('webhook_attempts as b')
            .select((max) => max.fn.max('b.id').as('id'))
            .whereRef('b.delivery_id', '=', 'd.id'),
        ),
      ),
    )
    .select([
      'd.position',
      'd.id',
      'd.event_id',
      'd.state',
      'd.attempts',
      'd.created_at',
      'd.finished_at',
      'e.kind',
      'e.subject',
      'a.status',
      'a.error',
      'a.duration_ms',
    ])
    .where('d.webhook_id', '=', webhookId);
}

function deliveryOf(row: Awaited<ReturnType<ReturnType<typeof deliveriesOf>['executeTakeFirstOrThrow']>>): Delivery {
  return {
    position: row.position,
    id: row.id,
    kind: row.event_id === 0 ? PING : row.kind,
    subject: row.subject,
    state: row.state,
    attempts: row.attempts,
    createdAt: row.created_at,
    finishedAt: row.finished_at,
    status: row.status,
    error: row.error,
    durationMs: row.duration_ms,
  };
}

/** For the metrics: how many wait, of webhooks that are not disabled, and since when the oldest does (ms since 1970). */
export async function outboxFigures(
  context: Pick<EventsContext, 'database'>,
): Promise<{ pending: number; oldest: number | null }> {
  const row = await context.database.read
    .selectFrom('webhook_deliveries as d')
    .innerJoin('webhooks as w', 'w.id', 'd.webhook_id')
    .select((figures) => [
      figures.fn.countAll<number | string>().as('n'),
      figures.fn.min<number | null>('d.created_at').as('oldest'),
    ])
    .where('d.state', '=', 'pending')
    .where('w.disabled_at', 'is', null)
    .executeTakeFirstOrThrow();
  return { pending: Number(row.n), oldest: row.oldest === null ? null : Number(row.oldest) };
}
