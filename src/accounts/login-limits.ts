import { OciError } from '../oci/errors.ts';
import { auditAlone } from './audit.ts';
import type { AccountsContext, Origin } from './context.ts';

const WINDOW_MS = 15 * 60_000;
/** Failures within the window, after which the next try is refused unread. */
const MOST = { pair: 10, address: 100, account: 50 } as const;
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
 * A try counts from its beginning, so that many at once are not more than the limit; `countGoodLogin` takes it back.
 *
 * @throws OciError TOOMANYREQUESTS, with the seconds to wait in its detail
 */
export async function beginLogin(
  context: AccountsContext,
  username: string,
  source: string,
  userId: string | undefined,
): Promise<void> {
  const now = context.now();
  const known = userId !== undefined && (await isKnown(context, userId, source));
  await context.database.relaxedTransaction(async (tx) => {
    for (const kind of ['pair', 'address', 'account'] as const) {
      const { failures, since } = await tx
        .insertInto('login_failures')
        .values({ key: keyOf(kind, username, source), failures: 1, since: now })
        .onConflict((conflict) =>
          conflict.column('key').doUpdateSet((update) => ({
            failures: update
              .case()
              .when('login_failures.since', '>', now - WINDOW_MS)
              .then(update('login_failures.failures', '+', 1))
              .else(1)
              .end(),
            since: update
              .case()
              .when('login_failures.since', '>', now - WINDOW_MS)
              .then(update.ref('login_failures.since'))
              .else(now)
              .end(),
          })),
        )
        .returning(['failures', 'since'])
        .executeTakeFirstOrThrow();
      // What is refused is not counted: the transaction ends here.
      if (failures > MOST[kind] && !(kind === 'account' && known)) throw tooMany(since + WINDOW_MS - now);
    }
    // Old rows go as new ones come.
    await tx
      .deleteFrom('login_failures')
      .where('since', '<', now - 2 * WINDOW_MS)
      .execute();
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

/** Writes down a wrong one; `beginLogin` has counted it. */
export async function recordFailedLogin(context: AccountsContext, username: string, origin: Origin): Promise<void> {
  await auditAlone(
    context,
    { ...origin, name: username },
    { action: 'login.failure', subject: username, outcome: 'refused' },
  );
}

/** A right password: it is no failure, those of the name from the address are forgotten, and the address is known from now on. */
export async function countGoodLogin(
  context: AccountsContext,
  user: { id: string; username: string },
  source: string,
): Promise<void> {
  const now = context.now();
  await context.database.relaxedTransaction(async (tx) => {
    await tx
      .deleteFrom('login_failures')
      .where('key', '=', keyOf('pair', user.username, source))
      .execute();
    for (const kind of ['address', 'account'] as const) {
      await tx
        .updateTable('login_failures')
        .set((update) => ({ failures: update('failures', '-', 1) }))
        .where('key', '=', keyOf(kind, user.username, source))
        .where('failures', '>', 0)
        .execute();
    }
    await tx
      .insertInto('known_addresses')
      .values({ user_id: user.id, address: source, last_at: now })
      .onConflict((conflict) => conflict.columns(['user_id', 'address']).doUpdateSet({ last_at: now }))
      .execute();
  });
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

function keyOf(kind: keyof typeof MOST, username: string, source: string): string {
  const name = username.slice(0, 100);
  return kind === 'pair' ? `pair ${name} ${source}` : kind === 'address' ? `address ${source}` : `account ${name}`;
}
