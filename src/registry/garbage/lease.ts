import { prolongLease, takeLease } from '../../database/leases.ts';
import type { RegistryContext } from '../context.ts';

const NAME = 'gc';
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
export async function takeGarbageLease(context: RegistryContext): Promise<GarbageLease> {
  const holder = `${context.process}:${context.newId()}`;
  const now = context.now();
  const taken = await context.database.transaction((tx) =>
    takeLease(tx, { name: NAME, holder, until: now + HOLD_MS }, now),
  );
  if (!taken) throw new GarbageBusyError('another garbage collection is running; wait for it to end');
  let renewedAt = now;
  const update = async (until: number) => {
    const held = await context.database.relaxedTransaction((tx) => prolongLease(tx, { name: NAME, holder, until }));
    if (!held) throw new GarbageBusyError('another garbage collection took over');
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
