import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import { audit } from './audit.ts';
import type { AccountsContext, Origin } from './context.ts';
import { lockOrganization } from './directory.ts';
import { requireNoRunningStacks, runningStacks } from './running-stacks.ts';
import { getUser, keepAnAdministrator } from './users.ts';

export interface UserDeletion {
  repositories: string[];
  robots: string[];
  /** Those that servers run: `alice/shop@production on server-1`. */
  stacks: string[];
  /** Where the user is the only owner. */
  organizations: string[];
}

/** Said before anything is done. @throws OciError NOT_FOUND */
export async function planUserDeletion(context: AccountsContext, username: string): Promise<UserDeletion> {
  const user = await getUser(context, username);
  const { read } = context.database;
  const robots = await read
    .selectFrom('robots as r')
    .innerJoin('namespaces as n', 'n.id', 'r.namespace_id')
    .select('r.name')
    .where('n.user_id', '=', user.id)
    .orderBy('r.name')
    .execute();
  return {
    repositories: await repositoriesOf(read, username),
    robots: robots.map((robot) => `${username}+${robot.name}`),
    stacks: await runningStacks(read, username),
    organizations: await soleOwnerships(read, user.id),
  };
}

/**
 * Deletes a user that has no repositories left: its sessions, tokens, robots, stacks, memberships and grants go with it, and the name is free.
 *
 * @throws OciError NOT_FOUND; CONFLICT for what has to go first; DENIED for the last administrator
 */
export async function deleteUser(context: AccountsContext, username: string, origin: Origin): Promise<void> {
  const user = await getUser(context, username);
  await context.database.transaction(async (tx) => {
    await keepAnAdministrator(tx, user.id);
    await requireNoRunningStacks(tx, username);
    const repositories = await repositoriesOf(tx, username);
    if (repositories.length > 0) {
      throw new OciError('CONFLICT', `username: ${username} has repositories: ${repositories.slice(0, 10).join(', ')}`);
    }
    // What is read of them holds until the end: a co-owner can't leave meanwhile.
    for (const name of await organizationsOf(tx, user.id)) await lockOrganization(tx, name);
    const organizations = await soleOwnerships(tx, user.id);
    if (organizations.length > 0) {
      throw new OciError('CONFLICT', `username: ${username} is the only owner of ${organizations.join(', ')}`);
    }
    // The foreign keys take along what is the user's own.
    await tx.deleteFrom('users').where('id', '=', user.id).execute();
    await audit(tx, context.now(), origin, { action: 'user.delete', subject: username });
  });
}

async function repositoriesOf(db: Pick<Transaction<Schema>, 'selectFrom'>, namespace: string): Promise<string[]> {
  const rows = await db
    .selectFrom('repositories')
    .select('name')
    .where('name', '>', `${namespace}/` as never)
    .where('name', '<', `${namespace}0` as never)
    .orderBy('name')
    .execute();
  return rows.map((row) => row.name);
}

async function soleOwnerships(db: Pick<Transaction<Schema>, 'selectFrom'>, userId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('organization_members as m')
    .innerJoin('namespaces as n', 'n.id', 'm.namespace_id')
    .select('n.name')
    .where('m.user_id', '=', userId)
    .where('m.role', '=', 'owner')
    .where((where) =>
      where.not(
        where.exists(
          where
            .selectFrom('organization_members as o')
            .select('o.user_id')
            .whereRef('o.namespace_id', '=', 'm.namespace_id')
            .where('o.role', '=', 'owner')
            .where('o.user_id', '!=', userId),
        ),
      ),
    )
    .orderBy('n.name')
    .execute();
  return rows.map((row) => row.name);
}

async function organizationsOf(tx: Transaction<Schema>, userId: string): Promise<string[]> {
  const rows = await tx
    .selectFrom('organization_members as m')
    .innerJoin('namespaces as n', 'n.id', 'm.namespace_id')
    .select('n.name')
    .where('m.user_id', '=', userId)
    .orderBy('n.name')
    .execute();
  return rows.map((row) => row.name);
}
