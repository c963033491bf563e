import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import { audit } from './audit.ts';
import type { AccountsContext, Origin } from './context.ts';
import {
  checkPartName,
  lockOrganization,
  type NamespaceRow,
  organizationRow,
  type Rows,
  teamRow,
  userRow,
} from './directory.ts';
import { roleOf } from './members.ts';

/** Members of an organization who are granted roles together. */
export interface Team {
  name: string;
  description: string;
  /** How many. */
  members: number;
  /** ms since 1970 */
  createdAt: number;
}

export interface TeamMember {
  username: string;
  /** The user's display name. */
  name: string;
  /** Since when; ms since 1970. */
  createdAt: number;
}

/** Teams in the order of their names. @throws OciError NOT_FOUND */
export async function listTeams(
  context: AccountsContext,
  organization: string,
  page: { last?: string | undefined; limit: number },
): Promise<{ teams: Team[]; more: boolean }> {
  const { read } = context.database;
  const { id } = await organizationRow(read, organization);
  const rows = await teamsOf(read, id)
    .where('t.name', '>', page.last ?? '')
    .orderBy('t.name')
    .limit(page.limit + 1)
    .execute();
  return { teams: rows.slice(0, page.limit).map(teamOf), more: rows.length > page.limit };
}

/** @throws OciError NOT_FOUND */
export async function getTeam(context: AccountsContext, organization: string, team: string): Promise<Team> {
  const { read } = context.database;
  const namespace = await organizationRow(read, organization);
  const { id } = await teamRow(read, namespace, team);
  return teamOf(await teamsOf(read, namespace.id).where('t.id', '=', id).executeTakeFirstOrThrow());
}

/** @throws OciError NOT_FOUND, BODY_INVALID, NAME_TAKEN */
export async function createTeam(
  context: AccountsContext,
  organization: string,
  team: { name: string; description?: string | undefined },
  origin: Origin,
): Promise<Team> {
  const { name, description = '' } = team;
  checkPartName(name, 'name');
  const now = context.now();
  await context.database.transaction(async (tx) => {
    const namespace = await lock(tx, organization);
    await refuseTaken(tx, namespace, name);
    await tx.insertInto('teams').values({ namespace_id: namespace.id, name, description, created_at: now }).execute();
    await audit(tx, now, origin, { action: 'team.create', subject: organization, detail: { team: name } });
  });
  return { name, description, members: 0, createdAt: now };
}

/** A new name keeps the members and what was granted. @throws OciError NOT_FOUND, BODY_INVALID, NAME_TAKEN */
export async function updateTeam(
  context: AccountsContext,
  organization: string,
  team: string,
  change: { name?: string | undefined; description?: string | undefined },
  origin: Origin,
): Promise<Team> {
  const { name = team, description } = change;
  if (name !== team) checkPartName(name, 'name');
  await context.database.transaction(async (tx) => {
    const namespace = await lock(tx, organization);
    const { id } = await teamRow(tx, namespace, team);
    if (name === team && description === undefined) return;
    if (name !== team) await refuseTaken(tx, namespace, name);
    await tx
      .updateTable('teams')
      .set({ name, ...(description === undefined ? {} : { description }) })
      .where('id', '=', id)
      .execute();
    await audit(tx, context.now(), origin, { action: 'team.update', subject: organization, detail: { team, name } });
  });
  return getTeam(context, organization, name);
}

/** What was granted to it goes too. @throws OciError NOT_FOUND */
export async function deleteTeam(
  context: AccountsContext,
  organization: string,
  team: string,
  origin: Origin,
): Promise<void> {
  await context.database.transaction(async (tx) => {
    const { id } = await teamRow(tx, await lock(tx, organization), team);
    await tx.deleteFrom('teams').where('id', '=', id).execute();
    await audit(tx, context.now(), origin, { action: 'team.delete', subject: organization, detail: { team } });
  });
}

/** A team's members in the order of their usernames. @throws OciError NOT_FOUND */
export async function listTeamMembers(
  context: AccountsContext,
  organization: string,
  team: string,
  page: { last?: string | undefined; limit: number },
): Promise<{ members: TeamMember[]; more: boolean }> {
  const { read } = context.database;
  const { id } = await teamRow(read, await organizationRow(read, organization), team);
  const rows = await read
    .selectFrom('team_members as m')
    .innerJoin('users as u', 'u.id', 'm.user_id')
    .select(['u.username', 'u.name', 'm.created_at'])
    .where('m.team_id', '=', id)
    .where('u.username', '>', page.last ?? '')
    .orderBy('u.username')
    .limit(page.limit + 1)
    .execute();
  const members = rows.slice(0, page.limit).map((row) => ({
    username: row.username,
    name: row.name,
    createdAt: row.created_at,
  }));
  return { members, more: rows.length > page.limit };
}

/** @throws OciError NOT_FOUND; CONFLICT for a user who is not a member of the organization */
export async function addTeamMember(
  context: AccountsContext,
  organization: string,
  team: string,
  username: string,
  origin: Origin,
): Promise<void> {
  const now = context.now();
  await context.database.transaction(async (tx) => {
    const namespace = await lock(tx, organization);
    const { id } = await teamRow(tx, namespace, team);
    const user = await userRow(tx, username, 'username');
    if ((await roleOf(tx, namespace.id, user.id)) === undefined) {
      throw new OciError('CONFLICT', `username: ${username} is not a member of ${organization}; add it there first`);
    }
    const added = await tx
      .insertInto('team_members')
      .values({ team_id: id, user_id: user.id, created_at: now })
      .onConflict((conflict) => conflict.columns(['team_id', 'user_id']).doNothing())
      .returning('user_id')
      .executeTakeFirst();
    if (added === undefined) return;
    await audit(tx, now, origin, { action: 'team-member.add', subject: organization, detail: { team, username } });
  });
}

/** @throws OciError NOT_FOUND */
export async function removeTeamMember(
  context: AccountsContext,
  organization: string,
  team: string,
  username: string,
  origin: Origin,
): Promise<void> {
  await context.database.transaction(async (tx) => {
    const { id } = await teamRow(tx, await lock(tx, organization), team);
    const removed = await tx
      .deleteFrom('team_members')
      .where('team_id', '=', id)
      .where('user_id', 'in', (query) => query.selectFrom('users').select('id').where('username', '=', username))
      .returning('user_id')
      .executeTakeFirst();
    if (removed === undefined) {
      throw new OciError('NOT_FOUND', `username: ${username.slice(0, 100)} is not in the team ${team}`);
    }
    await audit(tx, context.now(), origin, {
      action: 'team-member.remove',
      subject: organization,
      detail: { team, username },
    });
  });
}

async function lock(tx: Transaction<Schema>, organization: string): Promise<NamespaceRow> {
  return { id: await lockOrganization(tx, organization), name: organization, kind: 'organization' };
}

/** @throws OciError NAME_TAKEN */
async function refuseTaken(tx: Transaction<Schema>, namespace: NamespaceRow, name: string): Promise<void> {
  const taken = await tx
    .selectFrom('teams')
    .select('id')
    .where('namespace_id', '=', namespace.id)
    .where('name', '=', name)
    .executeTakeFirst();
  if (taken !== undefined) throw new OciError('NAME_TAKEN', `name: ${namespace.name} has a team ${name} already`);
}

function teamsOf(rows: Rows, namespaceId: number) {
  return rows
    .selectFrom('teams as t')
    .select((select) => [
      't.name',
      't.description',
      't.created_at',
      select
        .selectFrom('team_members as m')
        .select((count) => count.fn.countAll<number>().as('members'))
        .whereRef('m.team_id', '=', 't.id')
        .as('members'),
    ])
    .where('t.namespace_id', '=', namespaceId);
}

function teamOf(row: { name: string; description: string; created_at: number; members: number | null }): Team {
  return {
    name: row.name,
    description: row.description,
    members: Number(row.members ?? 0),
    createdAt: row.created_at,
  };
}
