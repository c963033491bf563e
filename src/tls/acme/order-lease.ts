import type { Database } from '../../database/database.ts';
import { prolongLease, takeLease } from '../../database/leases.ts';

const NAME = 'acme';
const HOLD_MS = 60_000;
const RENEW_EVERY_MS = 15_000;

/**
 * Runs `work` in one process at a time over all processes and replicas. A holder that died is passed over after a minute; one that was
 * taken over, since it could not prolong, has its signal aborted.
 *
 * @param holder unique among processes
 * @returns false when another one holds it, and then nothing was run
 */
export async function withOrderLease(
  { database, holder, now }: { database: Database; holder: string; now: () => number },
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<boolean> {
  if (!(await take(database, holder, now()))) return false;
  const lost = new AbortController();
  const renewing = setInterval(() => {
    prolong(database, holder, now() + HOLD_MS).then(
      (held) => {
        if (!held) lost.abort(new Error('another process orders'));
      },
      (error: unknown) => lost.abort(error),
    );
  }, RENEW_EVERY_MS);
  try {
    const ended = AbortSignal.any([signal, lost.signal]);
    // What does not listen to the signal at once must not keep the lease.
    await Promise.race([work(ended), abortOf(ended)]);
  } finally {
    clearInterval(renewing);
    await prolong(database, holder, 0);
  }
  return true;
}

function abortOf(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

async function take(database: Database, holder: string, now: number): Promise<boolean> {
  const lease = await database.read.selectFrom('leases').select('until').where('name', '=', NAME).executeTakeFirst();
  // Asked each second while another one orders: that is to cost no write.
  if (lease !== undefined && Number(lease.until) >= now) return false;
  return database.relaxedTransaction((tx) => takeLease(tx, { name: NAME, holder, until: now + HOLD_MS }, now));
}

/** @returns whether it is still held */
function prolong(database: Database, holder: string, until: number): Promise<boolean> {
  return database.relaxedTransaction((tx) => prolongLease(tx, { name: NAME, holder, until }));
}
