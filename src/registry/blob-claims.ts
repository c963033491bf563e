import { sql } from 'kysely';
import type { Digest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import type { RegistryContext } from './context.ts';
import { finishRemoval } from './garbage/collect.ts';

const WAIT_FOR_REMOVAL_MS = 30_000;
const WAIT_MS = 20;
/** How often it is tried to finish a removal whose collector has died: ten times a second. Pushes that do so take turns. */
const TRIES_A_REMOVAL = 5;

/**
 * Says that bytes of `digest` are about to be put into the store, so that garbage collection keeps off until they are
 * linked (`garbage/protocol.md`, step "claim"). When it is removing that very blob, waits until the removal is over, and
 * finishes it when its collector has died.
 *
 * @throws OciError UNAVAILABLE when a removal does not end; the upload is kept and can be completed again
 */
export async function claimBlob(context: RegistryContext, digest: Digest, size: number): Promise<void> {
  const deadline = context.now() + WAIT_FOR_REMOVAL_MS;
  for (let tries = 0; ; tries++) {
    const protectedUntil = context.now() + context.policy.graceMs;
    const claimed = await context.database.relaxedTransaction(
      (tx) =>
        tx
          .insertInto('blobs')
          .values({ digest, size, state: 'pending', protected_until: protectedUntil })
          .onConflict((conflict) =>
            conflict
              .column('digest')
              .doUpdateSet({
                protected_until: sql`case when blobs.protected_until > excluded.protected_until then blobs.protected_until else excluded.protected_until end`,
              })
              .where('blobs.state', '<>', 'deleting'),
          )
          .executeTakeFirst(),
      'growth',
    );
    if ((claimed.numInsertedOrUpdatedRows ?? 0n) > 0n) {
      context.onStep('blob-claimed');
      return;
    }
    if (context.now() > deadline) {
      throw new OciError('UNAVAILABLE', `blob: ${digest} is being removed by garbage collection; try again`, {
        digest,
      });
    }
    if (tries % TRIES_A_REMOVAL === 0 && (await finishRemoval(context, digest))) continue;
    await Bun.sleep(WAIT_MS);
  }
}
