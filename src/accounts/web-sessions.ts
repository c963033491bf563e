import type { AccountsContext } from './context.ts';
import { userIdentity } from './credentials.ts';
import type { UserIdentity } from './identity.ts';

/** How long a session lives without a sign of its user, in seconds. */
export const SESSION_SECONDS = 30 * 86_400;
/** A session in use is prolonged once in this many seconds. */
export const SESSION_RENEWAL_SECONDS = 86_400;

/** Whom a session stands for. */
export interface SessionUser extends UserIdentity {
  sessionId: string;
  displayName: string;
  twoFactor: boolean;
  /** ms since 1970 */
  expiresAt: number;
}

/** A log-in on the page, for the list of them. Times are ms since 1970. */
export interface WebSession {
  id: string;
  createdAt: number;
  usedAt: number;
  expiresAt: number;
  address: string | null;
  agent: string | null;
}

/*
 * better-auth alone makes sessions. Reading one and ending one are a query each on its table, so that a process that
 * does no log-in never loads it.
 */

/** Undefined when there is none, when it has expired, or when its user is disabled. */
export async function findSession(context: AccountsContext, token: string): Promise<SessionUser | undefined> {
  const row = await context.database.read
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .select(['users.id', 'users.username', 'users.name', 'users.administrator', 'users.two_factor_enabled'])
    .select(['sessions.id as session_id', 'sessions.expires_at'])
    .where('sessions.token', '=', token)
    .where('sessions.expires_at', '>', context.now())
    .where('users.disabled_at', 'is', null)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  return {
    ...userIdentity(row, 'session'),
    sessionId: row.session_id,
    displayName: row.name,
    twoFactor: row.two_factor_enabled !== 0,
    expiresAt: row.expires_at,
  };
}

/** Whether a session in use is due to be prolonged. */
export function isRenewalDue(context: AccountsContext, session: SessionUser): boolean {
  return session.expiresAt - SESSION_SECONDS * 1000 + SESSION_RENEWAL_SECONDS * 1000 <= context.now();
}

/** Prolongs a session that is still there. @returns when it expires now, ms since 1970 */
export async function renewSession(context: AccountsContext, id: string): Promise<number> {
  const now = context.now();
  const expiresAt = now + SESSION_SECONDS * 1000;
  await context.database.relaxedTransaction((tx) =>
    tx
      .updateTable('sessions')
      .set({ expires_at: expiresAt, updated_at: now })
      .where('id', '=', id)
      .where('expires_at', '>', now)
      .execute(),
  );
  return expiresAt;
}

/** Newest first. */
export async function listSessions(context: AccountsContext, userId: string): Promise<WebSession[]> {
  const rows = await context.database.read
    .selectFrom('sessions')
    .selectAll()
    .where('user_id', '=', userId)
    .where('expires_at', '>', context.now())
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .execute();
  return rows.map((row) => ({
    id: row.id,
    createdAt: row.created_at,
    usedAt: row.updated_at,
    expiresAt: row.expires_at,
    address: row.ip_address || null,
    agent: row.user_agent || null,
  }));
}

/** @returns whether the user had such a session */
export async function endSession(context: AccountsContext, userId: string, id: string): Promise<boolean> {
  const { numDeletedRows } = await context.database.transaction((tx) =>
    tx.deleteFrom('sessions').where('user_id', '=', userId).where('id', '=', id).executeTakeFirst(),
  );
  return numDeletedRows > 0n;
}

/** @returns how many there were besides `keepId` */
export async function endOtherSessions(context: AccountsContext, userId: string, keepId: string): Promise<number> {
  const { numDeletedRows } = await context.database.transaction((tx) =>
    tx.deleteFrom('sessions').where('user_id', '=', userId).where('id', '!=', keepId).executeTakeFirst(),
  );
  return Number(numDeletedRows);
}

/** Removes what has expired: sessions, and log-ins that were never finished. */
export async function removeExpired(context: AccountsContext): Promise<void> {
  const now = context.now();
  await context.database.relaxedTransaction(async (tx) => {
    await tx.deleteFrom('sessions').where('expires_at', '<=', now).execute();
    await tx.deleteFrom('verifications').where('expires_at', '<=', now).execute();
  });
}

/** Who has given the password and owes the second factor; `challenge` is better-auth's name of the log-in under way. */
export async function pendingUser(
  context: AccountsContext,
  challenge: string,
): Promise<{ id: string; username: string } | undefined> {
  return context.database.read
    .selectFrom('verifications')
    .innerJoin('users', 'users.id', 'verifications.value')
    .select(['users.id', 'users.username'])
    .where('verifications.identifier', '=', challenge)
    .where('verifications.expires_at', '>', context.now())
    .executeTakeFirst();
}
