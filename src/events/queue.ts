import { sql, type Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { BerthEvent, EventsContext, WebhookShape } from './context.ts';
import { PING } from './kinds.ts';
import { eventOf } from './recording.ts';
import type { Attempt, Message } from './sending.ts';
import { SHAPES } from './shapes/shapes.ts';
import { subjectOf } from './subjects.ts';

/*
 * A webhook's deliveries, worked off in their order by one process at a time: who has its lease. What a process that died did not write down
 * is done again, with the same `webhook-id`.
 */

/** Attempts of one delivery that are kept. */
const KEPT_ATTEMPTS = 10;
/** The longest that a receiver may ask to be left alone. */
const MOST_RETRY_AFTER_MS = 86_400_000;

export interface Waiting {
  webhook: string;
  /** It failed last time. */
  failing: boolean;
}

/** Webhooks that nobody works at and that have something to send now, those that answer first. */
export async function waitingWebhooks(context: EventsContext, limit: number): Promise<Waiting[]> {
  const now = context.now();
  const pending = sql`from webhook_deliveries d where d.webhook_id = w.id and d.state = 'pending'`;
  const { rows } = await sql<{ id: string; failures: number }>`select w.id, w.failures from webhooks w
    where w.disabled_at is null and w.lease_until < ${now}
      and ((w.retry_at <= ${now} and exists (select 1 ${pending})) or exists (select 1 ${pending} and d.once = 1))
    order by case when w.failures = 0 then 0 else 1 end, w.retry_at limit ${limit}`.execute(context.database.read);
  return rows.map(({ id, failures }) => ({ webhook: id, failing: failures > 0 }));
}

/** @returns the holder's name; undefined when another process was faster */
export async function takeWebhook(context: EventsContext, id: string): Promise<string | undefined> {
  const holder = `${context.process}:${context.newId()}`;
  const now = context.now();
  const { numUpdatedRows } = await context.database.relaxedTransaction((tx) =>
    tx
      .updateTable('webhooks')
      .set({ lease_holder: holder, lease_until: now + context.policy.leaseMs })
      .where('id', '=', id)
      .where('lease_until', '<', now)
      .executeTakeFirst(),
  );
  return numUpdatedRows > 0n ? holder : undefined;
}

export async function leaveWebhook(context: EventsContext, id: string, holder: string): Promise<void> {
  await context.database.relaxedTransaction((tx) =>
    tx
      .updateTable('webhooks')
      .set({ lease_holder: null, lease_until: 0 })
      .where('id', '=', id)
      .where('lease_holder', '=', holder)
      .execute(),
  );
}

/** Frees what processes that are known to have ended held; '' is all that ever held one. */
export async function leaveWebhooksOf(context: EventsContext, ended: string): Promise<void> {
  await context.database.relaxedTransaction((tx) =>
    tx
      .updateTable('webhooks')
      .set({ lease_holder: null, lease_until: 0 })
      .where('lease_holder', 'like', ended === '' ? '%' : `${ended}:%`)
      .execute(),
  );
}

export interface NextDelivery {
  id: string;
  webhook: string;
  once: boolean;
  createdAt: number;
  message: Message;
}

/** What is to be sent next, with all that it takes. undefined: nothing now, or the lease was lost. */
export async function nextDelivery(
  context: EventsContext,
  webhookId: string,
  holder: string,
): Promise<NextDelivery | undefined> {
  const { read } = context.database;
  const webhook = await read
    .selectFrom('webhooks')
    .selectAll()
    .where('id', '=', webhookId)
    .where('lease_holder', '=', holder)
    .where('disabled_at', 'is', null)
    .executeTakeFirst();
  if (webhook === undefined) return undefined;
  let query = read
    .selectFrom('webhook_deliveries')
    .selectAll()
    .where('webhook_id', '=', webhookId)
    .where('state', '=', 'pending');
  if (webhook.retry_at > context.now()) query = query.where('once', '=', 1);
  const delivery = await query.orderBy('once', 'desc').orderBy('position').limit(1).executeTakeFirst();
  if (delivery === undefined) return undefined;
  const seal = sealedFor(webhookId);
  const former = (webhook.former_until ?? 0) > context.now() ? webhook.former_secret : null;
  const body =
    delivery.body ??
    (await bodyOf(context, webhook.shape, {
      delivery: delivery.id,
      webhook: webhookId,
      event: await eventOfDelivery(context, delivery),
    }));
  return {
    id: delivery.id,
    webhook: webhookId,
    once: delivery.once === 1,
    createdAt: delivery.created_at,
    message: {
      id: delivery.id,
      url: webhook.url,
      trusted: webhook.trusted === 1,
      contentType: SHAPES[webhook.shape].contentType,
      body,
      secrets: [webhook.secret, ...(former === null ? [] : [former])].map((sealed) =>
        context.secrets.open(sealed, seal.secret),
      ),
      authorization:
        webhook.auth_header === null ? undefined : context.secrets.open(webhook.auth_header, seal.authorization),
    },
  };
}

/** What the sealed columns are bound to. */
export function sealedFor(webhookId: string): { secret: string; authorization: string } {
  return { secret: `webhook ${webhookId} secret`, authorization: `webhook ${webhookId} authorization` };
}

export async function eventOfDelivery(
  context: EventsContext,
  delivery: { event_id: number; created_at: number },
): Promise<BerthEvent> {
  const row = await context.database.read
    .selectFrom('events')
    .selectAll()
    .where('id', '=', delivery.event_id)
    .executeTakeFirst();
  return row === undefined ? testEvent(delivery.created_at) : eventOf(row);
}

/** A test is of no event. */
function testEvent(at: number): BerthEvent {
  const nothing = { repository: null, namespace: null, stack: null, request: null, detail: {} };
  return { id: 0, seq: 0, at, kind: PING, subject: '', actor: '', source: '', ...nothing };
}

async function bodyOf(
  context: EventsContext,
  shape: WebhookShape,
  { delivery, webhook, event }: { delivery: string; webhook: string; event: BerthEvent },
): Promise<string> {
  const repository = event.repository === null ? undefined : await context.repository(event.repository);
  const base = event.request?.base ?? context.base;
  const envelope = { id: delivery, webhook, base, process: context.process, repository };
  return JSON.stringify(SHAPES[shape].body(event, envelope));
}

export type Outcome = 'delivered' | 'retried' | 'failed';

/** Writes down how it went. undefined when the lease was lost meanwhile: who has it now sends again. */
export function finishAttempt(
  context: EventsContext,
  delivery: NextDelivery,
  holder: string,
  attempt: Attempt,
): Promise<Outcome | undefined> {
  return context.database.relaxedTransaction(async (tx) => {
    const query = tx
      .selectFrom('webhooks')
      .selectAll()
      .where('id', '=', delivery.webhook)
      .where('lease_holder', '=', holder);
    const webhook = await (context.database.kind === 'postgres' ? query.forUpdate() : query).executeTakeFirst();
    if (webhook === undefined) return undefined;
    const now = context.now();
    const { policy } = context;
    const good = attempt.error === undefined;
    const giveUp = delivery.once || attempt.status === 410 || now - delivery.createdAt > policy.giveUpMs;
    const outcome = good ? 'delivered' : giveUp ? 'failed' : 'retried';
    await writeAttempt(tx, delivery, attempt);
    await tx
      .updateTable('webhook_deliveries')
      .set((set) => ({
        attempts: set('attempts', '+', 1),
        body: delivery.message.body,
        ...(outcome === 'retried' ? {} : { state: outcome, finished_at: now }),
      }))
      .where('id', '=', delivery.id)
      .execute();
    const lease = { lease_until: now + policy.leaseMs };
    if (good) {
      const well = { failing_since: null, failures: 0, retry_at: 0 };
      await tx
        .updateTable('webhooks')
        .set({ ...lease, ...well })
        .where('id', '=', delivery.webhook)
        .execute();
      return outcome;
    }
    if (delivery.once && attempt.status !== 410) {
      await tx.updateTable('webhooks').set(lease).where('id', '=', delivery.webhook).execute();
      return outcome;
    }
    const failingSince = webhook.failing_since ?? now;
    const reason = disabledBy(attempt, now - failingSince, policy.disableMs);
    await tx
      .updateTable('webhooks')
      .set({
        ...lease,
        failing_since: failingSince,
        failures: webhook.failures + 1,
        retry_at: now + pauseMs(policy, webhook.failures, attempt.retryAfterMs),
        ...(reason === undefined ? {} : { disabled_at: now, disabled_reason: reason }),
      })
      .where('id', '=', delivery.webhook)
      .execute();
    if (reason !== undefined) {
      await context.record(tx, AUTOMATION, {
        action: 'webhook.update',
        subject: subjectOf(webhook),
        detail: { enabled: false, reason },
      });
    }
    return outcome;
  });
}

const AUTOMATION = { name: 'automation', source: '' };

function disabledBy(attempt: Attempt, failingMs: number, disableMs: number): string | undefined {
  if (attempt.status === 410) return 'the receiver says that it is gone (410)';
  if (failingMs > disableMs)
    return `nothing but failures for ${Math.round(disableMs / 86_400_000)} days: ${attempt.error}`;
  return undefined;
}

/** Twice as long each time, and never the same for two: receivers that come back are not met by all at once. */
export function pauseMs(
  policy: Pick<EventsContext['policy'], 'firstRetryMs' | 'mostRetryMs'>,
  failures: number,
  retryAfterMs: number | undefined,
): number {
  const pause = Math.min(policy.firstRetryMs * 2 ** Math.min(failures, 30), policy.mostRetryMs);
  const jittered = pause * (0.8 + 0.4 * Math.random());
  return Math.round(Math.max(jittered, Math.min(retryAfterMs ?? 0, MOST_RETRY_AFTER_MS)));
}

async function writeAttempt(tx: Transaction<Schema>, delivery: NextDelivery, attempt: Attempt): Promise<void> {
  await tx
    .insertInto('webhook_attempts')
    .values({
      delivery_id: delivery.id,
      at: attempt.at,
      duration_ms: attempt.durationMs,
      status: attempt.status ?? null,
      error: attempt.error ?? null,
      headers: JSON.stringify(attempt.headers),
      response: attempt.response,
    })
    .execute();
  const old = await tx
    .selectFrom('webhook_attempts')
    .select('id')
    .where('delivery_id', '=', delivery.id)
    .orderBy('id', 'desc')
    .offset(KEPT_ATTEMPTS)
    .limit(1)
    .executeTakeFirst();
  if (old === undefined) return;
  await tx.deleteFrom('webhook_attempts').where('delivery_id', '=', delivery.id).where('id', '<=', old.id).execute();
}
