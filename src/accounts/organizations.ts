import type { OrganizationRole } from '../database/accounts-schema.ts';
import { OciError } from '../oci/errors.ts';
import { audit } from './audit.ts';
import type { AccountsContext, Origin } from './context.ts';
import { lockOrganization, organizationRow, type Rows, unknownOrganization } from './directory.ts';
import { checkNamespaceName, claimNamespace } from './namespaces.ts';
import { requireNoRunningStacks, runningStacks } from './running-stacks.ts';

export interface Organization {
  name: string;
  displayName: string;
  description: string;
  /** ms since 1970 */
  createdAt: number;
  /** What the user who asks is in it; null for an administrator from outside. */
  role: OrganizationRole | null;
}

/** What goes with an organization. Names as they are shown: `acme/app`, `acme+ci`, `dev`. */
export interface OrganizationDeletion {
  repositories: string[];
  robots: string[];
  teams: string[];
  /** Those that servers run: `acme/shop@production on server-1`. */
  stacks: string[];
}

/**
 * Makes an organization whose first owner is `ownerId`.
 *
 * @param options.adopt see `claimNamespace`
 * @throws OciError BODY_INVALID, NAME_TAKEN
 */
export async function createOrganization(
  context: AccountsContext,
  organization: { name: string; displayName?: string | undefined; description?: string | undefined },
  ownerId: string,
  origin: Origin,
  options: { adopt: boolean },
): Promise<Organization> {
  const { name, displayName = '', description = '' } = organization;
  checkNamespaceName(name, 'name');
  const now = context.now();
  await context.database.transaction(async (tx) => {
    const id = await claimNamespace(tx, {
      name,
      field: 'name',
      kind: 'organization',
      userId: null,
      displayName,
      description,
      now,
      adopt: options.adopt,
    });
    await tx
      .insertInto('organization_members')
      .values({ namespace_id: id, user_id: ownerId, role: 'owner', created_at: now })
      .execute();
    await audit(tx, now, origin, { action: 'organization.create', subject: name });
  });
  return { name, displayName, description, createdAt: now, role: 'owner' };
}

/**
 * Organizations in the order of their names.
 *
 * @param viewer.all not only those that the user is a member of
 */
export async function listOrganizations(
  context: AccountsContext,
  viewer: { userId: string; all: boolean },
  page: { last?: string | undefined; limit: number },
): Promise<{ organizations: Organization[]; more: boolean }> {
  let query = seenBy(context.database.read, viewer.userId).where('n.name', '>', page.last ?? '');
  if (!viewer.all) query = query.where('m.role', 'is not', null);
  const rows = await query
    .orderBy('n.name')
    .limit(page.limit + 1)
    .execute();
  return { organizations: rows.slice(0, page.limit).map(organizationOf), more: rows.length > page.limit };
}

/** @throws OciError NOT_FOUND */
export async function getOrganization(context: AccountsContext, name: string, userId: string): Promise<Organization> {
  const row = await seenBy(context.database.read, userId).where('n.name', '=', name).executeTakeFirst();
  if (row === undefined) throw unknownOrganization(name, 'name');
  return organizationOf(row);
}

/** @throws OciError NOT_FOUND */
export async function updateOrganization(
  context: AccountsContext,
  name: string,
  change: { displayName?: string | undefined; description?: string | undefined },
  origin: Origin,
): Promise<void> {
  const { displayName, description } = change;
  await context.database.transaction(async (tx) => {
    const id = await lockOrganization(tx, name);
    if (displayName === undefined && description === undefined) return;
    await tx
      .updateTable('namespaces')
      .set({
        ...(displayName === undefined ? {} : { display_name: displayName }),
        ...(description === undefined ? {} : { description }),
      })
      .where('id', '=', id)
      .execute();
    await audit(tx, context.now(), origin, {
      action: 'organization.update',
      subject: name,
      detail: { ...(displayName === undefined ? {} : { displayName }), description: description !== undefined },
    });
  });
}

/** Said before anything is done. @throws OciError NOT_FOUND */
export async function planOrganizationDeletion(context: AccountsContext, name: string): Promise<OrganizationDeletion> {
  const { read } = context.database;
  const { id } = await organizationRow(read, name);
  const robots = await read
    .selectFrom('robots')
    .select('name')
    .where('namespace_id', '=', id)
    .orderBy('name')
    .execute();
  const teams = await read.selectFrom('teams').select('name').where('namespace_id', '=', id).orderBy('name').execute();
  return {
    repositories: await repositoriesOf(read, name),
    robots: robots.map((robot) => `${name}+${robot.name}`),
    teams: teams.map((team) => team.name),
    stacks: await runningStacks(read, name),
  };
}

/**
 * Deletes an organization that has no repositories left: its members' roles, teams, grants, robots with their tokens, stacks and invitations
 * go with it, and the name is free.
 *
 * @throws OciError NOT_FOUND; CONFLICT while it has repositories, or stacks that servers run
 */
export async function deleteOrganization(context: AccountsContext, name: string, origin: Origin): Promise<void> {
  await context.database.transaction(async (tx) => {
    const id = await lockOrganization(tx, name);
    await requireNoRunningStacks(tx, name);
    const repositories = await repositoriesOf(tx, name);
    if (repositories.length > 0) throw hasRepositories(name, repositories);
    // The foreign keys take along what is the organization's own.
    await tx.deleteFrom('namespaces').where('id', '=', id).execute();
    await audit(tx, context.now(), origin, { action: 'organization.delete', subject: name });
  });
}

export function hasRepositories(name: string, repositories: readonly string[]): OciError {
  const shown = repositories.slice(0, 5).join(', ');
  const rest = repositories.length > 5 ? ' …' : '';
  return new OciError(
    'CONFLICT',
    `repositories: ${name} has ${repositories.length} (${shown}${rest}); delete them first, or say {"transferTo": "…"}`,
  );
}

async function repositoriesOf(rows: Rows, namespace: string): Promise<string[]> {
  const found = await rows
    .selectFrom('repositories')
    .select('name')
    .where((where) => where(where.ref('name').$castTo<string>(), '>', `${namespace}/`))
    .where((where) => where(where.ref('name').$castTo<string>(), '<', `${namespace}0`))
    .orderBy('name')
    .execute();
  return found.map((row) => row.name);
}

function seenBy(rows: Rows, userId: string) {
  return rows
    .selectFrom('namespaces as n')
    .leftJoin('organization_members as m', (join) =>
      join.onRef('m.namespace_id', '=', 'n.id').on('m.user_id', '=', userId),
    )
    .select(['n.name', 'n.display_name', 'n.description', 'n.created_at', 'm.role'])
    .where('n.kind', '=', 'organization');
}

function organizationOf(row: {
  name: string;
  display_name: string;
  description: string;
  created_at: number;
  role: OrganizationRole | null;
}): Organization {
  const { name, description, role } = row;
  return { name, displayName: row.display_name, description, createdAt: row.created_at, role };
}
