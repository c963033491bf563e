import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import { audit } from './audit.ts';
import type { AccountsContext, Origin } from './context.ts';

const WINDOW_MS = 15 * 60_000;
/** Failures within the window, after which the next try is refused unread. */
const MOST = { pair: 10, address: 100, account: 50 } as const;
type Kind = keyof typeof MOST;
const KINDS: readonly Kind[] = ['pair', 'address', 'account'];
/** How long a try waits for others that are under way. */
const WAIT_MS = 10_000;
/** From where a user has logged in within this time, others' guesses do not lock it out. */
const KNOWN_MS = 90 * 86_400_000;

/**
 * Limits on guessing passwords, shared by all processes:
 *
 * - a name from one address: 10 wrong ones in 15 minutes;
 * - an address, whatever the name: 100;
 * - a name, from wherever: 50, but not for an address that the user has logged in from in the last 90 days. So nobody
 *   locks the owner out by guessing. Access tokens are not guessed and not limited.
 *
 * Tries under way count too, so that many at once are not more than the limit: one above it waits for what becomes of the others,
 * and goes on when they were right. Each is ended by `recordFailedLogin` or `countGoodLogin`.
 *
 * @throws OciError TOOMANYREQUESTS, with the seconds to wait in its detail
 */
export async function beginLogin(
  context: AccountsContext,
  username: string,
  source: string,
  userId: string | undefined,
): Promise<void> {
  const known = userId !== undefined && (await isKnown(context, userId, source));
  const kinds = KINDS.filter((kind) => kind !== 'account' || !known);
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const ms = await tryToBegin(context, username, source, kinds);
    if (ms === undefined) return;
    if (performance.now() > deadline) throw tooMany(ms);
    await Bun.sleep(100 + 100 * Math.random());
  }
}

/** @returns how long the window still is when the others under way must be waited for. @throws OciError TOOMANYREQUESTS */
async function tryToBegin(
  context: AccountsContext,
  username: string,
  source: string,
  kinds: readonly Kind[],
): Promise<number | undefined> {
  const now = context.now();
  const keys = kinds.map((kind) => keyOf(kind, username, source));
  return context.database.relaxedTransaction(async (tx) => {
    // Old rows go as new ones come.
    await tx
      .deleteFrom('login_failures')
      .where('since', '<=', now - WINDOW_MS)
      .execute();
    for (const key of keys) {
      await tx
        .insertInto('login_failures')
        .values({ key, failures: 0, since: now })
        .onConflict((conflict) => conflict.column('key').doNothing())
        .execute();
    }
    // A write first: who else begins waits here, and reads what this one has written.
    await tx
      .updateTable('login_failures')
      .set((update) => ({ pending: update('pending', '+', 1) }))
      .where('key', 'in', keys)
      .execute();
    const rows = await tx.selectFrom('login_failures').selectAll().where('key', 'in', keys).execute();
    let wait: number | undefined;
    for (const kind of kinds) {
      const row = rows.find(({ key }) => key === keyOf(kind, username, source));
      if (row === undefined) continue;
      const left = row.since + WINDOW_MS - now;
      if (row.failures >= MOST[kind]) throw tooMany(left);
      if (row.failures + row.pending > MOST[kind]) wait = Math.max(wait ?? 0, left);
    }
    if (wait === undefined) return undefined;
    await tx
      .updateTable('login_failures')
      .set((update) => ({ pending: update('pending', '-', 1) }))
      .where('key', 'in', keys)
      .execute();
    return wait;
  });
}

function tooMany(ms: number): OciError {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  return new OciError(
    'TOOMANYREQUESTS',
    `too many failed log-ins; try again in ${Math.ceil(seconds / 60)} min, or log in with an access token`,
    { retryAfter: seconds },
  );
}

/** A wrong one: it counts, and is written down. */
export async function recordFailedLogin(context: AccountsContext, username: string, origin: Origin): Promise<void> {
  await context.database.relaxedTransaction(async (tx) => {
    await end(tx, KINDS, username, origin.source, 1);
    const line = { action: 'login.failure', subject: username, outcome: 'refused' } as const;
    await audit(tx, context.now(), { ...origin, name: username }, line);
  });
}

/** A right one: those of the name from the address are forgotten, and the address is known from now on. */
export async function countGoodLogin(
  context: AccountsContext,
  user: { id: string; username: string },
  source: string,
): Promise<void> {
  const now = context.now();
  await context.database.relaxedTransaction(async (tx) => {
    await end(tx, KINDS, user.username, source, 0);
    await tx
      .updateTable('login_failures')
      .set({ failures: 0 })
      .where('key', '=', keyOf('pair', user.username, source))
      .execute();
    await tx
      .insertInto('known_addresses')
      .values({ user_id: user.id, address: source, last_at: now })
      .onConflict((conflict) => conflict.columns(['user_id', 'address']).doUpdateSet({ last_at: now }))
      .execute();
  });
}

async function end(
  tx: Transaction<Schema>,
  kinds: readonly Kind[],
  username: string,
  source: string,
  failed: 0 | 1,
): Promise<void> {
  const keys = kinds.map((kind) => keyOf(kind, username, source));
  await tx
    .updateTable('login_failures')
    .set((update) => ({
      failures: update('failures', '+', failed),
      // One that began before its row's window ended is not in the new row.
      pending: update
        .case()
        .when('pending', '>', 0)
        .then(update('pending', '-', 1))
        .else(0)
        .end(),
    }))
    .where('key', 'in', keys)
    .execute();
}

async function isKnown(context: AccountsContext, userId: string, source: string): Promise<boolean> {
  const row = await context.database.read
    .selectFrom('known_addresses')
    .select('last_at')
    .where('user_id', '=', userId)
    .where('address', '=', source)
    .where('last_at', '>', context.now() - KNOWN_MS)
    .executeTakeFirst();
  return row !== undefined;
}

function keyOf(kind: Kind, username: string, source: string): string {
  const name = username.slice(0, 100);
  return kind === 'pair' ? `pair ${name} ${source}` : kind === 'address' ? `address ${source}` : `account ${name}`;
}
