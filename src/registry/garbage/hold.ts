import type { Transaction } from 'kysely';
import { passGate } from '../../database/leases.ts';
import type { Schema } from '../../database/schema.ts';
import type { RegistryContext } from '../context.ts';

/** A backup that died is passed over after so long. */
const HOLD_MS = 60_000;
const RENEW_MS = 10_000;
/** The row that who holds blobs and who condemns them both lock. */
const GATE = 'blobs';
const PREFIX = 'blobs:';

export interface BlobHold {
  /** Whether no blob can have been condemned since the hold was taken. */
  unbroken(): boolean;
  /** Ends it. Idempotent. */
  release(): Promise<void>;
}

/**
 * Keeps garbage collection from condemning blobs until `release`: whatever a snapshot of the database that is taken after this
 * returns says is stored stays in the store (`src/backup/protocol.md`). Any number of holds may be there at once. Renews itself; a
 * process that stood still for longer than a minute may find its hold broken.
 */
export async function holdBlobs(
  context: Pick<RegistryContext, 'database' | 'now' | 'newId' | 'process'>,
): Promise<BlobHold> {
  const name = `${PREFIX}${context.newId()}`;
  const { database } = context;
  let until = context.now() + HOLD_MS;
  let unbroken = true;
  await database.transaction(async (tx) => {
    await passGate(tx, GATE);
    await tx.deleteFrom('leases').where('name', 'like', `${PREFIX}%`).where('until', '<=', context.now()).execute();
    await tx.insertInto('leases').values({ name, holder: context.process, until, fence: 1 }).execute();
  });
  const renew = async () => {
    const next = context.now() + HOLD_MS;
    const renewed = await database.relaxedTransaction((tx) =>
      tx
        .updateTable('leases')
        .set({ until: next })
        .where('name', '=', name)
        .where('until', '>', context.now())
        .executeTakeFirst(),
    );
    if (renewed.numUpdatedRows === 0n) unbroken = false;
    else until = next;
  };
  // A renewal that fails is followed by another; `until` says how long the last one carries.
  const timer = setInterval(() => void renew().catch(() => {}), RENEW_MS);
  return {
    unbroken: () => unbroken && context.now() < until,
    async release() {
      clearInterval(timer);
      await database.relaxedTransaction((tx) => tx.deleteFrom('leases').where('name', '=', name).execute());
    },
  };
}

/**
 * Whether a backup holds the blobs. To be asked in the transaction that condemns: it then commits before a hold is taken, and is in that
 * backup's snapshot, or it sees the hold.
 */
export async function blobsAreHeld(context: RegistryContext, tx: Transaction<Schema>): Promise<boolean> {
  await passGate(tx, GATE);
  const hold = await tx
    .selectFrom('leases')
    .select('name')
    .where('name', 'like', `${PREFIX}%`)
    .where('until', '>', context.now())
    .limit(1)
    .executeTakeFirst();
  return hold !== undefined;
}
