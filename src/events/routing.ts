import { sql, type Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { BerthEvent, EventsContext } from './context.ts';
import { wants } from './kinds.ts';
import { type EventRow, eventOf } from './recording.ts';
import { SHAPES } from './shapes/shapes.ts';

/** Events that one transaction gives out. */
const BATCH = 200;
/** Any key will do, as long as every Berth takes the same. */
const ADVISORY_LOCK = 0x6576656e7473;

/**
 * Gives new events their place in the order that readers see, and writes a delivery for each webhook that wants one. The order is made
 * here and not by the pushes, which would wait for each other: a number that a push took could be seen after a higher one. Any
 * process may do it at any time; one does at a time.
 *
 * @returns how many there were
 */
export async function giveOut(context: EventsContext): Promise<number> {
  let given = 0;
  for (;;) {
    const some = await context.database.read
      .selectFrom('events')
      .select('id')
      .where('seq', 'is', null)
      .limit(1)
      .executeTakeFirst();
    if (some === undefined) return given;
    const count = await context.database.transaction((tx) => giveOutBatch(context, tx));
    given += count;
    if (count < BATCH) return given;
  }
}

async function giveOutBatch(context: EventsContext, tx: Transaction<Schema>): Promise<number> {
  if (context.database.kind === 'postgres') {
    const { rows } = await sql<{ taken: boolean }>`select pg_try_advisory_xact_lock(${ADVISORY_LOCK}) as taken`.execute(
      tx,
    );
    if (rows[0]?.taken !== true) return 0;
  }
  const { last } = await tx
    .selectFrom('events')
    .select((max) => max.fn.max<number | null>('seq').as('last'))
    .executeTakeFirstOrThrow();
  const { rows } = await sql<EventRow>`update events set seq = ${Number(last ?? 0)} + fresh.n
    from (select id as fresh_id, row_number() over (order by id) as n from events where seq is null order by id limit ${BATCH}) fresh
    where events.id = fresh.fresh_id returning id, seq, at, kind, repository, namespace, stack, subject, actor, source, detail, request`.execute(
    tx,
  );
  const events = rows.map(eventOf).sort((a, b) => a.seq - b.seq);
  const webhooks = await webhooksFor(tx, events);
  if (webhooks.length === 0) return events.length;
  const deliveries = [];
  for (const event of events) {
    for (const webhook of webhooks) {
      if (!isFor(webhook, event)) continue;
      if (wants(webhook.kinds, event.kind) && SHAPES[webhook.shape].takes(event.kind)) {
        deliveries.push(newDelivery(context, webhook.id, event.id));
      }
    }
    await follow(tx, webhooks, event);
  }
  for (let i = 0; i < deliveries.length; i += BATCH) {
    await tx
      .insertInto('webhook_deliveries')
      .values(deliveries.slice(i, i + BATCH))
      .execute();
  }
  return events.length;
}

export function newDelivery(context: EventsContext, webhookId: string, eventId: number, once = false) {
  return {
    id: `msg_${context.newId()}`,
    webhook_id: webhookId,
    event_id: eventId,
    state: 'pending' as const,
    once: once ? 1 : 0,
    created_at: context.now(),
    finished_at: null,
    body: null,
  };
}

type Listener = Awaited<ReturnType<typeof webhooksFor>>[number];

/** Those that are for one of the events' repositories, their namespaces, or everything. */
async function webhooksFor(tx: Transaction<Schema>, events: readonly BerthEvent[]) {
  const scopes = new Set(['', ...events.flatMap(({ repository, namespace }) => [repository ?? '', namespace ?? ''])]);
  const rows = await tx
    .selectFrom('webhooks')
    .select(['id', 'repository_id', 'namespace_id', 'scope', 'kinds', 'shape', 'disabled_at'])
    .where('scope', 'in', [...scopes])
    .where('ended', '=', 0)
    .execute();
  return rows.map((row) => ({ ...row, kinds: JSON.parse(row.kinds) as string[], ended: false }));
}

function isFor(webhook: Listener, event: BerthEvent): boolean {
  if (webhook.ended || webhook.disabled_at !== null) return false;
  if (webhook.repository_id !== null) return webhook.scope === event.repository;
  return webhook.namespace_id === null || webhook.scope === event.namespace;
}

/**
 * Keeps a repository's webhooks with it, in the order of the events: under a new name in the same namespace. In another one others decide,
 * and of a deleted one nothing comes any more: there they end.
 */
async function follow(tx: Transaction<Schema>, webhooks: readonly Listener[], event: BerthEvent): Promise<void> {
  if (event.kind !== 'repository.rename' && event.kind !== 'repository.delete') return;
  const its = webhooks.filter((webhook) => webhook.repository_id !== null && webhook.scope === event.repository);
  if (its.length === 0) return;
  const to = event.kind === 'repository.rename' ? String(event.detail.to) : '';
  const stays = event.namespace !== null && to.startsWith(`${event.namespace}/`);
  for (const webhook of its) {
    if (stays) webhook.scope = to;
    else webhook.ended = true;
  }
  await tx
    .updateTable('webhooks')
    .set(stays ? { scope: to } : { ended: 1 })
    .where(
      'id',
      'in',
      its.map(({ id }) => id),
    )
    .execute();
}
