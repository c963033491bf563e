import { sql } from 'kysely';
import type { EventsContext } from './context.ts';

/** However short the time, the disk is not filled. */
const MOST_EVENTS = 1_000_000;
const BATCH = 1_000;

/** Removes what is older than it is kept, a little at a time. What a delivery still waits for stays, and the newest event: its number goes on. */
export async function prune(context: EventsContext, mostEvents = MOST_EVENTS): Promise<void> {
  const { database, now, policy } = context;
  const before = now() - policy.retentionMs;
  // What waits is kept as long as its webhook may come back by itself.
  const waitsSince = Math.min(before, now() - policy.disableMs - policy.giveUpMs);
  const { last } = await database.read
    .selectFrom('events')
    .select((max) => max.fn.max<number | null>('seq').as('last'))
    .executeTakeFirstOrThrow();
  const newest = Number(last ?? 0);
  const removals = [
    sql`delete from webhook_deliveries where position in (select position from webhook_deliveries
      where created_at < ${before} and (state <> 'pending' or created_at < ${waitsSince}) limit ${BATCH})`,
    sql`delete from webhooks where id in (select w.id from webhooks w where w.ended = 1 and not exists
      (select 1 from webhook_deliveries d where d.webhook_id = w.id and d.state = 'pending') limit ${BATCH})`,
    sql`delete from events where id in (select e.id from events e
      where e.seq < ${newest} and (e.at < ${before} or e.seq <= ${newest - mostEvents}) and not exists
        (select 1 from webhook_deliveries d where d.event_id = e.id and d.state = 'pending') limit ${BATCH})`,
  ];
  for (const removal of removals) {
    for (let removed = BATCH; removed === BATCH; ) {
      const started = performance.now();
      const result = await database.relaxedTransaction((tx) => removal.execute(tx));
      removed = Number(result.numAffectedRows ?? 0n);
      // As long as it took, so that pushes have the database for half of the time.
      await Bun.sleep(performance.now() - started);
    }
  }
}
