import { decodeJwt } from 'jose';
import { sql, type Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import { isRepositoryName, type RepositoryName } from '../oci/names.ts';
import type { AccountsContext, Origin } from './context.ts';
import { checkNamespaceName } from './namespaces.ts';
import { insertUser, type User } from './users.ts';

/** How many names are tried: `alice`, `alice-2`, … */
const TRIES = 50;

/**
 * Makes the user of somebody who comes from a log-in provider for the first time. The name is the nearest to `wish` that is
 * nobody's: not a user's, not an organization's, and with no repositories beneath it.
 *
 * @param profile.email only one that the provider has verified
 * @throws OciError NAME_TAKEN
 */
export async function insertOidcUser(
  tx: Transaction<Schema>,
  context: AccountsContext,
  profile: { wish: string; name: string | undefined; email: string | undefined },
  origin: Pick<Origin, 'source'>,
): Promise<User> {
  const { wish, ...rest } = profile;
  const username = await freeName(tx, plainName(wish));
  return insertUser(tx, context, { username, ...rest }, { name: username, source: origin.source }, { adopt: false });
}

/** Whom an ID token that has been verified is about; '' without one. */
export function subjectOf(idToken: string | undefined): string {
  return idToken === undefined ? '' : (decodeJwt(idToken).sub ?? '');
}

/** Of the ways in which a user can log in, the one with a password. */
export const PASSWORD_LOGIN = 'credential';

/** The ways in which a user can log in: providers' ids, and `PASSWORD_LOGIN`. */
export async function loginsOf(context: AccountsContext, userId: string): Promise<string[]> {
  const rows = await context.database.read
    .selectFrom('user_logins')
    .select('provider_id')
    .where('user_id', '=', userId)
    .execute();
  return rows.map((row) => row.provider_id);
}

/** @throws OciError NOT_FOUND, CONFLICT when the user could then log in no more */
export async function unlinkOidcUser(context: AccountsContext, userId: string, providerId: string): Promise<void> {
  await context.database.transaction(async (tx) => {
    const logins = await tx.selectFrom('user_logins').select('provider_id').where('user_id', '=', userId).execute();
    if (providerId === PASSWORD_LOGIN || !logins.some((login) => login.provider_id === providerId)) {
      throw new OciError('NOT_FOUND', `provider: no account at ${providerId.slice(0, 100)} is linked to yours`);
    }
    if (logins.every((login) => login.provider_id === providerId)) {
      throw new OciError('CONFLICT', 'provider: your only way to log in; have a password set first');
    }
    await tx.deleteFrom('user_logins').where('user_id', '=', userId).where('provider_id', '=', providerId).execute();
  });
}

async function freeName(tx: Transaction<Schema>, base: string): Promise<string> {
  for (let i = 1; i <= TRIES; i++) {
    const name = i === 1 ? base : `${base}-${i}`;
    if (isAllowed(name) && (await isFree(tx, name))) return name;
  }
  throw new OciError('NAME_TAKEN', `username: ${JSON.stringify(base)} and ${TRIES - 1} like it are taken`);
}

/** What a name of another system comes nearest to among the names of namespaces. */
function plainName(wish: string): string {
  const plain = wish
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/[._-]*([._-])/g, '$1')
    .slice(0, 40)
    .replace(/^[._-]+|[._-]+$/g, '');
  return plain.length > 1 && isRepositoryName(plain) ? plain : 'user';
}

function isAllowed(name: string): boolean {
  try {
    checkNamespaceName(name, 'username');
    return true;
  } catch (error) {
    if (error instanceof OciError) return false;
    throw error;
  }
}

async function isFree(tx: Transaction<Schema>, name: string): Promise<boolean> {
  const namespace = await tx.selectFrom('namespaces').select('id').where('name', '=', name).executeTakeFirst();
  const user = await tx.selectFrom('users').select('id').where('username', '=', name).executeTakeFirst();
  const repository = await tx
    .selectFrom('repositories')
    .select('id')
    .where('name', '>', sql<RepositoryName>`${`${name}/`}`)
    .where('name', '<', sql<RepositoryName>`${`${name}0`}`)
    .limit(1)
    .executeTakeFirst();
  return namespace === undefined && user === undefined && repository === undefined;
}
