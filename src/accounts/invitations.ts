import type { Transaction } from 'kysely';
import type { OrganizationRole } from '../database/accounts-schema.ts';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import { audit } from './audit.ts';
import type { AccountsContext, Origin } from './context.ts';
import { organizationRow, type Rows } from './directory.ts';
import { hashSecret, newSecret } from './secrets.ts';

/** Lets one person make an account. Times are ms since 1970. */
export interface Invitation {
  id: string;
  /** Whom it was made for; the account's address, unless another one is given. */
  email: string | null;
  /** The organization that the invited becomes a member of. */
  organization: string | null;
  role: OrganizationRole | null;
  createdBy: string;
  createdAt: number;
  expiresAt: number;
  usedAt: number | null;
  /** A username. */
  usedBy: string | null;
}

/** How long an invitation stays in the list after its end. */
const KEPT_MS = 30 * 86_400_000;

/**
 * Makes an invitation. Its secret is in the answer and nowhere else; only its hash is kept.
 *
 * @param invitation.role in the organization; `member` without it
 * @throws OciError NOT_FOUND, BODY_INVALID; DENIED where nobody can sign up
 */
export async function createInvitation(
  context: AccountsContext,
  invitation: {
    email?: string | undefined;
    organization?: string | undefined;
    role?: OrganizationRole | undefined;
    expiresAt: number;
  },
  origin: Origin,
): Promise<{ invitation: Invitation; secret: string }> {
  const { organization, expiresAt } = invitation;
  if (context.policy.signUp === 'closed') throw signUpClosed();
  if (organization === undefined && invitation.role !== undefined) {
    throw new OciError('BODY_INVALID', 'role: is in an organization; say which one');
  }
  const secret = newSecret('invitation');
  const id = context.newId();
  const now = context.now();
  const role = organization === undefined ? null : (invitation.role ?? 'member');
  const email = invitation.email?.toLowerCase() ?? null;
  await context.database.transaction(async (tx) => {
    await tx
      .deleteFrom('invitations')
      .where('expires_at', '<', now - KEPT_MS)
      .execute();
    const place = organization === undefined ? undefined : await organizationRow(tx, organization, 'organization');
    await tx
      .insertInto('invitations')
      .values({
        id,
        secret_hash: hashSecret(secret),
        email,
        namespace_id: place?.id ?? null,
        role,
        created_by: origin.name,
        created_at: now,
        expires_at: expiresAt,
        used_at: null,
        used_by: null,
      })
      .execute();
    await audit(tx, now, origin, {
      action: 'invitation.create',
      subject: id,
      detail: { organization: organization ?? null, role, email, expiresAt },
    });
  });
  return { invitation: await getInvitation(context, id), secret };
}

/**
 * Newest first, with those that were used or have expired in the last 30 days.
 *
 * @param filter.organization only those into it
 * @throws OciError NOT_FOUND
 */
export async function listInvitations(
  context: AccountsContext,
  filter: { organization?: string | undefined },
  page: { last?: string | undefined; limit: number },
): Promise<{ invitations: Invitation[]; more: boolean }> {
  const { read } = context.database;
  let query = invitationsIn(read);
  if (filter.organization !== undefined) {
    const { id } = await organizationRow(read, filter.organization, 'organization');
    query = query.where('i.namespace_id', '=', id);
  }
  // Ids begin with the time (UUID version 7).
  if (page.last !== undefined && page.last !== '') query = query.where('i.id', '<', page.last);
  const rows = await query
    .orderBy('i.id', 'desc')
    .limit(page.limit + 1)
    .execute();
  return { invitations: rows.slice(0, page.limit).map(invitationOf), more: rows.length > page.limit };
}

/** @throws OciError NOT_FOUND */
export async function getInvitation(context: AccountsContext, id: string): Promise<Invitation> {
  const row = await invitationsIn(context.database.read).where('i.id', '=', id).executeTakeFirst();
  if (row === undefined) throw unknownInvitation(id);
  return invitationOf(row);
}

/** Withdraws one that nobody has used. @throws OciError NOT_FOUND; CONFLICT for one that was used */
export async function revokeInvitation(context: AccountsContext, id: string, origin: Origin): Promise<void> {
  await context.database.transaction(async (tx) => {
    const { numDeletedRows } = await tx
      .deleteFrom('invitations')
      .where('id', '=', id)
      .where('used_at', 'is', null)
      .executeTakeFirst();
    if (numDeletedRows === 0n) {
      const row = await tx.selectFrom('invitations').select('used_by').where('id', '=', id).executeTakeFirst();
      if (row === undefined) throw unknownInvitation(id);
      throw new OciError('CONFLICT', `id: ${row.used_by} has made an account with it already`);
    }
    await audit(tx, context.now(), origin, { action: 'invitation.revoke', subject: id });
  });
}

/** An invitation that can be used now, before anything is spent on a sign-up. @throws OciError DENIED */
export async function checkInvitation(context: AccountsContext, secret: string): Promise<{ email: string | null }> {
  const row = await context.database.read
    .selectFrom('invitations')
    .select('email')
    .where('secret_hash', '=', hashSecret(secret))
    .where('used_at', 'is', null)
    .where('expires_at', '>', context.now())
    .executeTakeFirst();
  if (row === undefined) throw badInvitation();
  return row;
}

/**
 * Uses an invitation up for a new account, which becomes a member of its organization, as part of the transaction that makes the
 * account. Of two that use one at once, one does.
 *
 * @throws OciError DENIED when it was used, has expired, was withdrawn or never was: nobody learns which
 */
export async function useInvitation(
  tx: Transaction<Schema>,
  context: AccountsContext,
  secret: string,
  user: { id: string; username: string },
  origin: Origin,
): Promise<void> {
  const now = context.now();
  const used = await tx
    .updateTable('invitations')
    .set({ used_at: now, used_by: user.username })
    .where('secret_hash', '=', hashSecret(secret))
    .where('used_at', 'is', null)
    .where('expires_at', '>', now)
    .returning(['id', 'namespace_id', 'role'])
    .executeTakeFirst();
  if (used === undefined) throw badInvitation();
  if (used.namespace_id === null) return;
  const { name } = await tx
    .selectFrom('namespaces')
    .select('name')
    .where('id', '=', used.namespace_id)
    .executeTakeFirstOrThrow();
  const role = used.role ?? 'member';
  await tx
    .insertInto('organization_members')
    .values({ namespace_id: used.namespace_id, user_id: user.id, role, created_at: now })
    .execute();
  await audit(tx, now, origin, {
    action: 'member.set',
    subject: name,
    detail: { username: user.username, role, before: null, invitation: used.id },
  });
}

export function signUpClosed(): OciError {
  return new OciError('DENIED', 'sign-up is closed here; an administrator makes accounts');
}

function badInvitation(): OciError {
  return new OciError('DENIED', 'invitation: was used, has expired or was withdrawn; ask for a new one');
}

function unknownInvitation(id: string): OciError {
  return new OciError('NOT_FOUND', `id: no invitation ${id.slice(0, 100)}`);
}

function invitationsIn(rows: Rows) {
  return rows
    .selectFrom('invitations as i')
    .leftJoin('namespaces as n', 'n.id', 'i.namespace_id')
    .select(['i.id', 'i.email', 'i.role', 'i.created_by', 'i.created_at', 'i.expires_at', 'i.used_at', 'i.used_by'])
    .select('n.name as organization');
}

function invitationOf(row: {
  id: string;
  email: string | null;
  organization: string | null;
  role: OrganizationRole | null;
  created_by: string;
  created_at: number;
  expires_at: number;
  used_at: number | null;
  used_by: string | null;
}): Invitation {
  const { id, email, organization, role } = row;
  return {
    id,
    email,
    organization,
    role,
    createdBy: row.created_by,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    usedAt: row.used_at,
    usedBy: row.used_by,
  };
}
