import type { Transaction } from 'kysely';
import type { Schema } from './schema.ts';

interface Lease {
  name: string;
  /** Unique among processes. */
  holder: string;
  /** Whoever holds it is passed over then, ms since 1970. */
  until: number;
}

/** @returns false when another one holds it */
export async function takeLease(tx: Transaction<Schema>, lease: Lease, now: number): Promise<boolean> {
  const { holder, until } = lease;
  const taken = await tx
    .insertInto('leases')
    .values({ ...lease, fence: 1 })
    .onConflict((conflict) =>
      conflict
        .column('name')
        .doUpdateSet((set) => ({ holder, until, fence: set('leases.fence', '+', 1) }))
        .where('leases.until', '<', now),
    )
    .executeTakeFirst();
  return (taken.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** @returns whether it is still held; `until` 0 gives it back */
export async function prolongLease(tx: Transaction<Schema>, { name, holder, until }: Lease): Promise<boolean> {
  const updated = await tx
    .updateTable('leases')
    .set({ until })
    .where('name', '=', name)
    .where('holder', '=', holder)
    .executeTakeFirst();
  return updated.numUpdatedRows > 0n;
}

/**
 * Transactions that pass the same gate come one after another and see each other's rows: on PostgreSQL the gate's row is locked until the
 * first has ended; SQLite has one writer anyway.
 */
export async function passGate(tx: Transaction<Schema>, name: string): Promise<void> {
  await tx
    .insertInto('leases')
    .values({ name, holder: '', until: 0, fence: 1 })
    .onConflict((conflict) => conflict.column('name').doUpdateSet((set) => ({ fence: set('leases.fence', '+', 1) })))
    .execute();
}
