import type { Transaction } from 'kysely';
import type { OrganizationRole } from '../database/accounts-schema.ts';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import { audit } from './audit.ts';
import type { AccountsContext, Origin } from './context.ts';
import { lockOrganization, organizationRow, type Rows, userRow } from './directory.ts';

/** A user in an organization. */
export interface Member {
  username: string;
  /** The user's display name. */
  name: string;
  role: OrganizationRole;
  /** Since when; ms since 1970. */
  createdAt: number;
}

/** Members in the order of their usernames. @throws OciError NOT_FOUND */
export async function listMembers(
  context: AccountsContext,
  organization: string,
  page: { last?: string | undefined; limit: number },
): Promise<{ members: Member[]; more: boolean }> {
  const { read } = context.database;
  const { id } = await organizationRow(read, organization);
  const rows = await membersOf(read, id)
    .where('u.username', '>', page.last ?? '')
    .orderBy('u.username')
    .limit(page.limit + 1)
    .execute();
  return { members: rows.slice(0, page.limit).map(memberOf), more: rows.length > page.limit };
}

/** @throws OciError NOT_FOUND */
export async function getMember(context: AccountsContext, organization: string, username: string): Promise<Member> {
  const { read } = context.database;
  const { id } = await organizationRow(read, organization);
  const row = await membersOf(read, id).where('u.username', '=', username).executeTakeFirst();
  if (row === undefined) throw notMember(organization, username);
  return memberOf(row);
}

/** Makes a user a member, or changes its role. @throws OciError NOT_FOUND; CONFLICT for the last owner */
export async function setMember(
  context: AccountsContext,
  organization: string,
  username: string,
  role: OrganizationRole,
  origin: Origin,
): Promise<Member> {
  const now = context.now();
  await context.database.transaction(async (tx) => {
    const id = await lockOrganization(tx, organization);
    const user = await userRow(tx, username, 'username');
    const before = await roleOf(tx, id, user.id);
    if (before === role) return;
    if (before === 'owner') await keepAnOwner(tx, id, user.id, organization);
    await tx
      .insertInto('organization_members')
      .values({ namespace_id: id, user_id: user.id, role, created_at: now })
      .onConflict((conflict) => conflict.columns(['namespace_id', 'user_id']).doUpdateSet({ role }))
      .execute();
    await audit(tx, now, origin, {
      action: 'member.set',
      subject: organization,
      detail: { username, role, before: before ?? null },
    });
  });
  return getMember(context, organization, username);
}

/**
 * Removes a member, from the organization's teams too, and the roles that were granted to it there by name: nothing is left behind.
 *
 * @throws OciError NOT_FOUND; CONFLICT for the last owner
 */
export async function removeMember(
  context: AccountsContext,
  organization: string,
  username: string,
  origin: Origin,
): Promise<void> {
  await context.database.transaction(async (tx) => {
    const id = await lockOrganization(tx, organization);
    const user = await tx.selectFrom('users').select('id').where('username', '=', username).executeTakeFirst();
    const before = user === undefined ? undefined : await roleOf(tx, id, user.id);
    if (user === undefined || before === undefined) throw notMember(organization, username);
    if (before === 'owner') await keepAnOwner(tx, id, user.id, organization);
    const mine = { namespace_id: id, user_id: user.id };
    await tx
      .deleteFrom('organization_members')
      .where((where) => where.and(mine))
      .execute();
    await tx
      .deleteFrom('grants')
      .where((where) => where.and(mine))
      .execute();
    await tx
      .deleteFrom('team_members')
      .where('user_id', '=', user.id)
      .where('team_id', 'in', (query) => query.selectFrom('teams').select('id').where('namespace_id', '=', id))
      .execute();
    await audit(tx, context.now(), origin, {
      action: 'member.remove',
      subject: organization,
      detail: { username, before },
    });
  });
}

/** undefined for somebody who is no member. */
export async function roleOf(rows: Rows, namespaceId: number, userId: string): Promise<OrganizationRole | undefined> {
  const row = await rows
    .selectFrom('organization_members')
    .select('role')
    .where('namespace_id', '=', namespaceId)
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return row?.role;
}

/** A disabled owner does not count: it could do nothing. @throws OciError CONFLICT */
async function keepAnOwner(
  tx: Transaction<Schema>,
  namespaceId: number,
  userId: string,
  organization: string,
): Promise<void> {
  const other = await tx
    .selectFrom('organization_members as m')
    .innerJoin('users as u', 'u.id', 'm.user_id')
    .select('m.user_id')
    .where('m.namespace_id', '=', namespaceId)
    .where('m.role', '=', 'owner')
    .where('m.user_id', '!=', userId)
    .where('u.disabled_at', 'is', null)
    .limit(1)
    .executeTakeFirst();
  if (other === undefined) {
    throw new OciError('CONFLICT', `username: the last owner of ${organization}; make another one first`);
  }
}

function membersOf(rows: Rows, namespaceId: number) {
  return rows
    .selectFrom('organization_members as m')
    .innerJoin('users as u', 'u.id', 'm.user_id')
    .select(['u.username', 'u.name', 'm.role', 'm.created_at'])
    .where('m.namespace_id', '=', namespaceId);
}

function memberOf(row: { username: string; name: string; role: OrganizationRole; created_at: number }): Member {
  return { username: row.username, name: row.name, role: row.role, createdAt: row.created_at };
}

function notMember(organization: string, username: string): OciError {
  return new OciError('NOT_FOUND', `username: ${username.slice(0, 100)} is not a member of ${organization}`);
}
