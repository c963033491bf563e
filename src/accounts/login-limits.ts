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
 * @throws OciError TOOMANYREQUESTS, with the seconds to wait in its detail
 */
export async function checkLoginAllowed(
  context: AccountsContext,
  username: string,
  source: string,
  userId: string | undefined,
): Promise<void> {
  const now = context.now();
  const rows = await context.database.read
    .selectFrom('login_failures')
    .selectAll()
    .where('key', 'in', [pairKey(username, source), addressKey(source), accountKey(username)])
    .where('since', '>', now - WINDOW_MS)
    .execute();
  const full = rows.filter((row) => row.failures >= MOST[row.key.slice(0, row.key.indexOf(' ')) as keyof typeof MOST]);
  if (full.length === 0) return;
  const onlyAccount = full.every((row) => row.key.startsWith('account '));
  if (onlyAccount && userId !== undefined && (await isKnown(context, userId, source))) return;
  const seconds = Math.ceil((Math.max(...full.map((row) => row.since)) + WINDOW_MS - now) / 1000);
  throw new OciError(
    'TOOMANYREQUESTS',
    `too many failed log-ins; try again in ${Math.ceil(seconds / 60)} min, or log in with an access token`,
    { retryAfter: seconds },
  );
}

export async function countFailedLogin(context: AccountsContext, username: string, origin: Origin): Promise<void> {
  const now = context.now();
  await context.database.relaxedTransaction(async (tx) => {
    for (const key of [pairKey(username, origin.source), addressKey(origin.source), accountKey(username)]) {
      const found = await tx.selectFrom('login_failures').selectAll().where('key', '=', key).executeTakeFirst();
      const fresh = found !== undefined && found.since > now - WINDOW_MS;
      const row = { failures: fresh ? found.failures + 1 : 1, since: fresh ? found.since : now };
      await tx
        .insertInto('login_failures')
        .values({ key, ...row })
        .onConflict((conflict) => conflict.column('key').doUpdateSet(row))
        .execute();
    }
    // Old rows go as new ones come.
    await tx
      .deleteFrom('login_failures')
      .where('since', '<', now - 2 * WINDOW_MS)
      .execute();
  });
  await auditAlone(
    context,
    { ...origin, name: username },
    { action: 'login.failure', subject: username, outcome: 'refused' },
  );
}

/** A right password: its failures are forgotten and the address is known from now on. */
export async function countGoodLogin(
  context: AccountsContext,
  user: { id: string; username: string },
  source: string,
): Promise<void> {
  const now = context.now();
  await context.database.relaxedTransaction(async (tx) => {
    await tx.deleteFrom('login_failures').where('key', '=', pairKey(user.username, source)).execute();
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

const clip = (name: string) => name.slice(0, 100);
const pairKey = (username: string, source: string) => `pair ${clip(username)} ${source}`;
const addressKey = (source: string) => `address ${source}`;
const accountKey = (username: string) => `account ${clip(username)}`;
