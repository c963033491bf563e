import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import { audit } from './audit.ts';
import type { AccountsContext, Origin } from './context.ts';
import { checkNewPassword, type Passwords } from './passwords.ts';
import { hashSecret, newSecret } from './secrets.ts';
import { insertUser, type User } from './users.ts';

const KEY = 'setup';

/**
 * A secret with which the first administrator is made, once. A new one takes the place of the one before, so each start prints one that
 * works.
 *
 * @returns undefined when there are users already
 */
export async function openSetup(context: AccountsContext): Promise<string | undefined> {
  const secret = newSecret('setup');
  const value = hashSecret(secret);
  return context.database.transaction(async (tx) => {
    if (await hasUsers(tx)) return undefined;
    await tx
      .insertInto('instance_keys')
      .values({ name: KEY, value })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
      .execute();
    return secret;
  });
}

/**
 * Makes the first account, an administrator; of two that try at once one does.
 *
 * @param secret the link's; undefined for a caller that has the data directory
 * @throws OciError DENIED for a wrong secret, or when there is an account already; BODY_INVALID
 */
export async function setUp(
  context: AccountsContext,
  passwords: Passwords,
  user: { username: string; password: string; name?: string | undefined; email?: string | undefined },
  secret: string | undefined,
  origin: Origin,
): Promise<User> {
  checkNewPassword(user.password);
  if (secret !== undefined && !(await isSetupSecret(context, secret))) throw refused();
  const passwordHash = await passwords.hash(user.password);
  return context.database.transaction(async (tx) => {
    // First a write to the one row, so that on PostgreSQL too the second one waits here.
    const value = secret === undefined ? '' : hashSecret(secret);
    await tx
      .insertInto('instance_keys')
      .values({ name: KEY, value: '' })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute();
    let row = tx.updateTable('instance_keys').set({ value: 'used' }).where('name', '=', KEY);
    if (secret !== undefined) row = row.where('value', '=', value);
    const { numUpdatedRows } = await row.executeTakeFirst();
    if (numUpdatedRows === 0n || (await hasUsers(tx))) throw refused();
    const made = await insertUser(tx, context, { ...user, administrator: true, passwordHash }, origin, { adopt: true });
    await audit(tx, context.now(), origin, { action: 'setup.done', subject: made.username });
    return made;
  });
}

/** Whether the instance has no account yet. */
export async function needsSetup(context: AccountsContext): Promise<boolean> {
  return !(await hasUsers(context.database.read));
}

async function isSetupSecret(context: AccountsContext, secret: string): Promise<boolean> {
  const row = await context.database.read
    .selectFrom('instance_keys')
    .select('value')
    .where('name', '=', KEY)
    .executeTakeFirst();
  return row?.value === hashSecret(secret);
}

async function hasUsers(db: Pick<Transaction<Schema>, 'selectFrom'>): Promise<boolean> {
  return (await db.selectFrom('users').select('id').limit(1).executeTakeFirst()) !== undefined;
}

function refused(): OciError {
  return new OciError(
    'DENIED',
    'setup: the link was used, or a newer one was printed since; start berth serve for one',
  );
}
