import { OciError } from '../oci/errors.ts';
import type { AccountsContext, Origin } from './context.ts';
import { checkInvitation, signUpClosed, useInvitation } from './invitations.ts';
import { checkNamespaceName } from './namespaces.ts';
import { checkNewPassword, type Passwords } from './passwords.ts';
import { needsSetup } from './setup.ts';
import { insertUser, type User } from './users.ts';

/** Sign-ups from one address within the window, after which the next is refused before its password is hashed. */
const MOST = 20;
const WINDOW_MS = 60 * 60_000;

/**
 * Makes an account for whoever asks, as far as `policy.signUp` lets them.
 *
 * @throws OciError DENIED where sign-up is closed or before the instance has its administrator, and for a bad invitation;
 *   BODY_INVALID, NAME_TAKEN; TOOMANYREQUESTS with the seconds to wait in its detail
 */
export async function signUp(
  context: AccountsContext,
  passwords: Passwords,
  user: { username: string; password: string; name?: string | undefined; email?: string | undefined },
  invitation: string | undefined,
  origin: Origin,
): Promise<User> {
  const { password, ...account } = user;
  const mode = context.policy.signUp;
  if (mode === 'closed') throw signUpClosed();
  if (mode === 'invitation' && invitation === undefined) {
    throw new OciError('BODY_INVALID', 'invitation: is needed to sign up here; ask an administrator for one');
  }
  checkNamespaceName(account.username.toLowerCase(), 'username');
  checkNewPassword(password);
  await countSignUp(context, origin.source);
  // Whoever came first would otherwise take the set-up link's effect away.
  if (await needsSetup(context)) {
    throw new OciError('DENIED', 'the first account is made with the set-up link that berth serve prints');
  }
  const invited = invitation === undefined ? undefined : await checkInvitation(context, invitation);
  const passwordHash = await passwords.hash(password);
  const email = account.email ?? invited?.email ?? undefined;
  return context.database.transaction(async (tx) => {
    const made = await insertUser(tx, context, { ...account, email, passwordHash }, origin, { adopt: false });
    if (invitation !== undefined) await useInvitation(tx, context, invitation, made, origin);
    return made;
  });
}

/** @throws OciError TOOMANYREQUESTS */
async function countSignUp(context: AccountsContext, source: string): Promise<void> {
  const now = context.now();
  const end = now + WINDOW_MS;
  const { failures, since } = await context.database.relaxedTransaction(async (tx) => {
    await tx.deleteFrom('login_failures').where('key', 'like', 'signup %').where('since', '<=', now).execute();
    return (
      tx
        .insertInto('login_failures')
        // `since` is the window's end here: log-ins drop rows that are older than their own, shorter window.
        .values({ key: `signup ${source}`, failures: 1, since: end })
        .onConflict((conflict) =>
          conflict.column('key').doUpdateSet((set) => ({ failures: set('login_failures.failures', '+', 1) })),
        )
        .returning(['failures', 'since'])
        .executeTakeFirstOrThrow()
    );
  });
  if (failures <= MOST) return;
  const seconds = Math.ceil((since - now) / 1000);
  throw new OciError(
    'TOOMANYREQUESTS',
    `too many sign-ups from ${source}; try again in ${Math.ceil(seconds / 60)} min`,
    { retryAfter: seconds },
  );
}
