import type { RegistryContext } from '../context.ts';

const HOLD_MS = 20_000;

/** Another process collects now. */
export class GarbageBusyError extends Error {
  override readonly name = 'GarbageBusyError';
}

export interface GarbageLease {
  /** Prolongs the lease. Called between batches; throws when it was lost, and then nothing more may be removed. */
  renew(): Promise<void>;
  release(): Promise<void>;
}

/**
 * One collection at a time over all processes and replicas. A holder that died is passed over after 20 s.
 *
 * @throws GarbageBusyError
 */
export async function takeLease(context: RegistryContext): Promise<GarbageLease> {
  const holder = `${context.process}:${context.newId()}`;
  const now = context.now();
  const taken = await context.database.transaction(async (tx) => {
    const inserted = await tx
      .insertInto('leases')
      .values({ name: 'gc', holder, until: now + HOLD_MS, fence: 1 })
      .onConflict((conflict) =>
        conflict
          .column('name')
          .doUpdateSet((set) => ({ holder, until: now + HOLD_MS, fence: set('leases.fence', '+', 1) }))
          .where('leases.until', '<', now),
      )
      .executeTakeFirst();
    return (inserted.numInsertedOrUpdatedRows ?? 0n) > 0n;
  });
  if (!taken) throw new GarbageBusyError('another garbage collection is running; wait for it to end');
  let renewedAt = now;
  const update = async (until: number) => {
    const updated = await context.database.relaxedTransaction((tx) =>
      tx.updateTable('leases').set({ until }).where('name', '=', 'gc').where('holder', '=', holder).executeTakeFirst(),
    );
    if (updated.numUpdatedRows === 0n) throw new GarbageBusyError('another garbage collection took over');
  };
  return {
    async renew() {
      const time = context.now();
      if (time - renewedAt < HOLD_MS / 6) return;
      await update(time + HOLD_MS);
      renewedAt = time;
    },
    release: () => update(0),
  };
}
