import type { Transaction } from 'kysely';
import type { AccessLevel, AccessTokenKind } from '../database/accounts-schema.ts';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/names.ts';
import { audit } from './audit.ts';
import type { AccountsContext, Origin } from './context.ts';
import { hashSecret, newSecret } from './secrets.ts';

/** A token without its secret. Times are ms since 1970. */
export interface AccessToken {
  id: string;
  kind: AccessTokenKind;
  name: string;
  level: AccessLevel;
  repository: RepositoryName | null;
  createdAt: number;
  expiresAt: number | null;
  lastUsedAt: number | null;
  lastUsedFrom: string | null;
}

/** Whose it is. An enrolled server's are made by `agent-tokens.ts`. */
export type TokenOwner = { userId: string } | { robotId: number };

export interface NewToken {
  kind: Exclude<AccessTokenKind, 'agent'>;
  owner: TokenOwner;
  name: string;
  level: AccessLevel;
  repository?: RepositoryName | null;
  /** ms since 1970; null for never */
  expiresAt: number | null;
  /** The token that it was got with: it ends when that one does. */
  parentId?: string | undefined;
}

/** A log-in of `docker login` that is not used for so long ends. */
export const LOGIN_TOKEN_MS = 90 * 86_400_000;
const MOST_TOKENS = 200;

/**
 * Makes a token. Its secret is in the answer and nowhere else; only its hash is kept.
 *
 * @throws OciError BODY_INVALID when it would have expired already, DENIED for more than 200 of one owner
 */
export async function createToken(
  context: AccountsContext,
  token: NewToken,
  origin: Origin,
): Promise<{ token: AccessToken; secret: string }> {
  const now = context.now();
  if (token.expiresAt !== null && token.expiresAt <= now) {
    throw new OciError('BODY_INVALID', 'expiresAt: is in the past');
  }
  const secret = newSecret(token.kind);
  const row = {
    id: context.newId(),
    kind: token.kind,
    user_id: 'userId' in token.owner ? token.owner.userId : null,
    robot_id: 'robotId' in token.owner ? token.owner.robotId : null,
    target_id: null,
    parent_id: token.parentId ?? null,
    name: token.name,
    level: token.level,
    repository: token.repository ?? null,
    secret_hash: hashSecret(secret),
    created_at: now,
    expires_at: token.expiresAt,
    last_used_at: null,
    last_used_from: null,
    revoked_at: null,
  };
  await context.database.transaction(async (tx) => {
    await dropEnded(tx, token.owner, now);
    if (token.kind !== 'login' && (await countTokens(tx, token.owner)) >= MOST_TOKENS) {
      throw new OciError('DENIED', `there are ${MOST_TOKENS} tokens already; revoke one first`);
    }
    await tx.insertInto('access_tokens').values(row).execute();
    await audit(tx, now, origin, {
      action: 'token.create',
      subject: row.id,
      detail: {
        kind: token.kind,
        name: token.name,
        level: token.level,
        repository: row.repository,
        expiresAt: row.expires_at,
      },
    });
  });
  return { token: tokenOf(row), secret };
}

/** The owner's tokens that still work, newest first. */
export async function listTokens(context: AccountsContext, owner: TokenOwner): Promise<AccessToken[]> {
  const now = context.now();
  const rows = await context.database.read
    .selectFrom('access_tokens')
    .selectAll()
    .where((where) => ('userId' in owner ? where('user_id', '=', owner.userId) : where('robot_id', '=', owner.robotId)))
    .where('revoked_at', 'is', null)
    .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', now)]))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .execute();
  return rows.map(tokenOf);
}

/** Ends a token and the log-ins that were got with it. @throws OciError NOT_FOUND */
export async function revokeToken(
  context: AccountsContext,
  owner: TokenOwner,
  id: string,
  origin: Origin,
): Promise<void> {
  const now = context.now();
  await context.database.transaction(async (tx) => {
    const { numUpdatedRows } = await tx
      .updateTable('access_tokens')
      .set({ revoked_at: now })
      .where('id', '=', id)
      .where((where) =>
        'userId' in owner ? where('user_id', '=', owner.userId) : where('robot_id', '=', owner.robotId),
      )
      .where('revoked_at', 'is', null)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) throw new OciError('NOT_FOUND', `id: no token ${id.slice(0, 100)}`);
    await tx.updateTable('access_tokens').set({ revoked_at: now }).where('parent_id', '=', id).execute();
    await audit(tx, now, origin, { action: 'token.revoke', subject: id });
  });
}

/** After a new password: the log-ins that were got with the old one. */
export async function revokeLogins(tx: Transaction<Schema>, userId: string, now: number): Promise<void> {
  await tx
    .updateTable('access_tokens')
    .set({ revoked_at: now })
    .where('user_id', '=', userId)
    .where('kind', '=', 'login')
    .where('parent_id', 'is', null)
    .where('revoked_at', 'is', null)
    .execute();
}

async function countTokens(tx: Transaction<Schema>, owner: TokenOwner): Promise<number> {
  const { n } = await tx
    .selectFrom('access_tokens')
    .select((select) => select.fn.countAll<number | string>().as('n'))
    .where((where) => ('userId' in owner ? where('user_id', '=', owner.userId) : where('robot_id', '=', owner.robotId)))
    .where('kind', '!=', 'login')
    .executeTakeFirstOrThrow();
  return Number(n);
}

/** The audit log keeps that they were; the list need not. */
async function dropEnded(tx: Transaction<Schema>, owner: TokenOwner, now: number): Promise<void> {
  await tx
    .deleteFrom('access_tokens')
    .where((where) => ('userId' in owner ? where('user_id', '=', owner.userId) : where('robot_id', '=', owner.robotId)))
    .where((where) => where.or([where('revoked_at', '<', now), where('expires_at', '<', now)]))
    .execute();
}

function tokenOf(row: {
  id: string;
  kind: AccessTokenKind;
  name: string;
  level: AccessLevel;
  repository: RepositoryName | null;
  created_at: number;
  expires_at: number | null;
  last_used_at: number | null;
  last_used_from: string | null;
}): AccessToken {
  const { id, kind, name, level, repository } = row;
  return {
    id,
    kind,
    name,
    level,
    repository,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    lastUsedFrom: row.last_used_from,
  };
}
