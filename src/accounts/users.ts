import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import { revokeLogins } from './access-tokens.ts';
import { audit } from './audit.ts';
import type { AccountsContext, Origin } from './context.ts';
import { checkNamespaceName, claimNamespace } from './namespaces.ts';
import { checkNewPassword, type Passwords } from './passwords.ts';

/** better-auth wants an address for everyone; this one is nobody's (RFC 2606). */
const NO_EMAIL = '@users.invalid';

export interface User {
  id: string;
  username: string;
  name: string;
  email: string | null;
  administrator: boolean;
  twoFactor: boolean;
  /** ms since 1970 */
  disabledAt: number | null;
  createdAt: number;
}

export interface NewUser {
  username: string;
  name?: string | undefined;
  email?: string | undefined;
  administrator?: boolean | undefined;
  /** undefined: the user logs in by OIDC, or is given a password later. */
  passwordHash?: string | undefined;
}

/**
 * Writes a user with its namespace, as part of `tx`.
 *
 * @param options.adopt see `claimNamespace`
 * @throws OciError BODY_INVALID, NAME_TAKEN
 */
export async function insertUser(
  tx: Transaction<Schema>,
  context: AccountsContext,
  user: NewUser,
  origin: Origin,
  options: { adopt: boolean },
): Promise<User> {
  const username = user.username.toLowerCase();
  checkNamespaceName(username, 'username');
  const now = context.now();
  const id = context.newId();
  const email = user.email?.toLowerCase() ?? username + NO_EMAIL;
  const used = await tx.selectFrom('users').select('username').where('email', '=', email).executeTakeFirst();
  if (used !== undefined && used.username !== username) {
    throw new OciError('NAME_TAKEN', `email: ${JSON.stringify(email)} belongs to another account`);
  }
  const row = {
    id,
    username,
    display_username: null,
    name: user.name ?? username,
    email,
    email_verified: 0,
    image: null,
    administrator: user.administrator ? 1 : 0,
    disabled_at: null,
    created_at: now,
    updated_at: now,
  };
  // Of several that ask for one name at once, the database lets one have it.
  const { numInsertedOrUpdatedRows } = await tx
    .insertInto('users')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirstOrThrow();
  if (numInsertedOrUpdatedRows === 0n) {
    throw new OciError('NAME_TAKEN', `username: ${JSON.stringify(username)} is taken`);
  }
  await claimNamespace(tx, { name: username, field: 'username', kind: 'user', userId: id, now, adopt: options.adopt });
  if (user.passwordHash !== undefined) await insertPassword(tx, context, id, user.passwordHash);
  await audit(tx, now, origin, {
    action: 'user.create',
    subject: username,
    detail: { administrator: user.administrator ?? false },
  });
  return userOfRow({ ...row, two_factor_enabled: 0 });
}

/** @throws OciError BODY_INVALID, NAME_TAKEN */
export async function createUser(
  context: AccountsContext,
  passwords: Passwords,
  user: Omit<NewUser, 'passwordHash'> & { password: string },
  origin: Origin,
  options: { adopt: boolean },
): Promise<User> {
  checkNewPassword(user.password);
  const passwordHash = await passwords.hash(user.password);
  return context.database.transaction((tx) => insertUser(tx, context, { ...user, passwordHash }, origin, options));
}

/** Users in the order of their names. */
export async function listUsers(
  context: AccountsContext,
  page: { last?: string | undefined; limit: number },
): Promise<{ users: User[]; more: boolean }> {
  const rows = await context.database.read
    .selectFrom('users')
    .selectAll()
    .where('username', '>', page.last ?? '')
    .orderBy('username')
    .limit(page.limit + 1)
    .execute();
  return { users: rows.slice(0, page.limit).map(userOfRow), more: rows.length > page.limit };
}

/** @throws OciError NOT_FOUND */
export async function getUser(context: AccountsContext, username: string): Promise<User> {
  const row = await context.database.read
    .selectFrom('users')
    .selectAll()
    .where('username', '=', username)
    .executeTakeFirst();
  if (row === undefined) throw new OciError('NOT_FOUND', `username: no user ${username.slice(0, 100)}`);
  return userOfRow(row);
}

export async function countUsers(context: AccountsContext): Promise<number> {
  const { n } = await context.database.read
    .selectFrom('users')
    .select((select) => select.fn.countAll<number | string>().as('n'))
    .executeTakeFirstOrThrow();
  return Number(n);
}

/** @throws OciError NOT_FOUND, NAME_TAKEN, DENIED for the last administrator */
export async function updateUser(
  context: AccountsContext,
  username: string,
  change: { name?: string | undefined; email?: string | null | undefined; administrator?: boolean | undefined },
  origin: Origin,
): Promise<User> {
  const user = await getUser(context, username);
  const now = context.now();
  await context.database.transaction(async (tx) => {
    if (change.administrator === false) await keepAnAdministrator(tx, user.id);
    const email = change.email === null ? username + NO_EMAIL : change.email?.toLowerCase();
    if (email !== undefined) {
      const used = await tx.selectFrom('users').select('id').where('email', '=', email).executeTakeFirst();
      if (used !== undefined && used.id !== user.id) {
        throw new OciError('NAME_TAKEN', `email: ${JSON.stringify(email)} belongs to another account`);
      }
    }
    await tx
      .updateTable('users')
      .set({
        updated_at: now,
        ...(change.name === undefined ? {} : { name: change.name }),
        ...(email === undefined ? {} : { email }),
        ...(change.administrator === undefined ? {} : { administrator: change.administrator ? 1 : 0 }),
      })
      .where('id', '=', user.id)
      .execute();
    await audit(tx, now, origin, { action: 'user.update', subject: username, detail: { ...change } });
  });
  return getUser(context, username);
}

/**
 * Disables or enables a user. A disabled one can't log in, its sessions end, its tokens and robots do nothing; what it owns stays.
 *
 * @throws OciError NOT_FOUND, DENIED for the last administrator
 */
export async function setUserDisabled(
  context: AccountsContext,
  username: string,
  disabled: boolean,
  origin: Origin,
): Promise<User> {
  const user = await getUser(context, username);
  const now = context.now();
  await context.database.transaction(async (tx) => {
    if (disabled) await keepAnAdministrator(tx, user.id);
    await tx
      .updateTable('users')
      .set({ disabled_at: disabled ? now : null, updated_at: now })
      .where('id', '=', user.id)
      .execute();
    if (disabled) await tx.deleteFrom('sessions').where('user_id', '=', user.id).execute();
    await audit(tx, now, origin, { action: disabled ? 'user.disable' : 'user.enable', subject: username });
  });
  return getUser(context, username);
}

/** Sets a password; every session and every log-in that was got with the old one ends. @throws OciError BODY_INVALID, NOT_FOUND */
export async function setPassword(
  context: AccountsContext,
  passwords: Passwords,
  username: string,
  password: string,
  origin: Origin,
): Promise<void> {
  checkNewPassword(password);
  const user = await getUser(context, username);
  const hash = await passwords.hash(password);
  const now = context.now();
  await context.database.transaction(async (tx) => {
    const { numUpdatedRows } = await tx
      .updateTable('user_logins')
      .set({ password: hash, updated_at: now })
      .where('user_id', '=', user.id)
      .where('provider_id', '=', 'credential')
      .executeTakeFirst();
    if (numUpdatedRows === 0n) await insertPassword(tx, context, user.id, hash);
    await endPasswordLogins(tx, user.id, now);
    await audit(tx, now, origin, { action: 'user.password', subject: username });
  });
}

/** What a new password ends. */
export async function endPasswordLogins(tx: Transaction<Schema>, userId: string, now: number): Promise<void> {
  await tx.deleteFrom('sessions').where('user_id', '=', userId).execute();
  await revokeLogins(tx, userId, now);
}

/** Turns the second factor off, for a user who has lost it. @throws OciError NOT_FOUND */
export async function resetTwoFactor(context: AccountsContext, username: string, origin: Origin): Promise<void> {
  const user = await getUser(context, username);
  const now = context.now();
  await context.database.transaction(async (tx) => {
    await tx.deleteFrom('two_factors').where('user_id', '=', user.id).execute();
    await tx.updateTable('users').set({ two_factor_enabled: 0, updated_at: now }).where('id', '=', user.id).execute();
    await audit(tx, now, origin, { action: 'user.two-factor', subject: username, detail: { enabled: false } });
  });
}

/** @throws OciError DENIED when nobody else could administer */
export async function keepAnAdministrator(tx: Transaction<Schema>, userId: string): Promise<void> {
  const user = await tx.selectFrom('users').select('administrator').where('id', '=', userId).executeTakeFirst();
  if (user?.administrator !== 1) return;
  // Takes the rows, so that two who look at once do not each see the other as the one that is left.
  await tx.updateTable('users').set({ administrator: 1 }).where('administrator', '=', 1).execute();
  const other = await tx
    .selectFrom('users')
    .select('id')
    .where('id', '!=', userId)
    .where('administrator', '=', 1)
    .where('disabled_at', 'is', null)
    .limit(1)
    .executeTakeFirst();
  if (other === undefined) throw new OciError('DENIED', 'username: the last administrator; make another one first');
}

async function insertPassword(
  tx: Transaction<Schema>,
  context: AccountsContext,
  userId: string,
  hash: string,
): Promise<void> {
  const now = context.now();
  const nothing = {
    access_token: null,
    refresh_token: null,
    id_token: null,
    access_token_expires_at: null,
    refresh_token_expires_at: null,
    scope: null,
  };
  await tx
    .insertInto('user_logins')
    .values({
      id: context.newId(),
      account_id: userId,
      provider_id: 'credential',
      user_id: userId,
      password: hash,
      created_at: now,
      updated_at: now,
      ...nothing,
    })
    .execute();
}

function userOfRow(row: {
  id: string;
  username: string;
  name: string;
  email: string;
  administrator: number;
  two_factor_enabled: number;
  disabled_at: number | null;
  created_at: number;
}): User {
  return {
    id: row.id,
    username: row.username,
    name: row.name,
    email: row.email.endsWith(NO_EMAIL) ? null : row.email,
    administrator: row.administrator !== 0,
    twoFactor: row.two_factor_enabled !== 0,
    disabledAt: row.disabled_at,
    createdAt: row.created_at,
  };
}
