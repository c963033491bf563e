import { sql } from 'kysely';
import type { Digest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import type { RegistryContext } from './context.ts';

const WAIT_FOR_REMOVAL_MS = 30_000;

/**
 * Says that bytes of `digest` are about to be put into the store, so that garbage collection keeps off until they are
 * linked (`garbage/protocol.md`, step "claim"). When it is removing that very blob, waits until the removal is over.
 *
 * @throws OciError UNAVAILABLE when a removal does not end; the upload is kept and can be completed again
 */
export async function claimBlob(context: RegistryContext, digest: Digest, size: number): Promise<void> {
  const deadline = context.now() + WAIT_FOR_REMOVAL_MS;
  for (;;) {
    const protectedUntil = context.now() + context.policy.graceMs;
    const claimed = await context.database.relaxedTransaction((tx) =>
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
    await Bun.sleep(20);
  }
}
