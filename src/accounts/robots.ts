import type { RepositoryRole } from '../database/accounts-schema.ts';
import { OciError } from '../oci/errors.ts';
import { namespaceOf, type RepositoryName } from '../oci/names.ts';
import { audit } from './audit.ts';
import type { AccountsContext, Origin } from './context.ts';
import { checkPartName, type NamespaceRow, namespaceRow, type Rows, repositoryRow } from './directory.ts';

/** An account for a machine. It has no password, only access tokens. */
export interface Robot {
  id: number;
  /** Unique in its namespace. */
  name: string;
  /** What it logs in as: `<namespace>+<name>`. */
  username: string;
  description: string;
  role: RepositoryRole;
  /** The one repository that it is for; null for all of its namespace. */
  repository: RepositoryName | null;
  createdBy: string;
  /** ms since 1970 */
  createdAt: number;
  disabledAt: number | null;
}

/** Robots in the order of their names. @throws OciError NOT_FOUND */
export async function listRobots(
  context: AccountsContext,
  namespace: string,
  page: { last?: string | undefined; limit: number },
): Promise<{ robots: Robot[]; more: boolean }> {
  const { read } = context.database;
  const found = await namespaceRow(read, namespace);
  const rows = await robotsOf(read, found)
    .where('r.name', '>', page.last ?? '')
    .orderBy('r.name')
    .limit(page.limit + 1)
    .execute();
  return { robots: rows.slice(0, page.limit).map((row) => robotOf(found, row)), more: rows.length > page.limit };
}

/** @throws OciError NOT_FOUND */
export async function getRobot(context: AccountsContext, namespace: string, robot: string): Promise<Robot> {
  const { read } = context.database;
  return findRobot(read, await namespaceRow(read, namespace), robot);
}

/**
 * Makes a robot; it can do nothing before it has a token.
 *
 * @throws OciError NOT_FOUND, BODY_INVALID, NAME_TAKEN; NAME_UNKNOWN for a repository that is not there
 */
export async function createRobot(
  context: AccountsContext,
  namespace: string,
  robot: {
    name: string;
    description?: string | undefined;
    role: RepositoryRole;
    repository?: RepositoryName | undefined;
  },
  origin: Origin,
): Promise<Robot> {
  const { name, description = '', role, repository } = robot;
  checkPartName(name, 'name');
  if (repository !== undefined && namespaceOf(repository) !== namespace) {
    throw new OciError('BODY_INVALID', `repository: must be one of ${namespace}'s, as in ${namespace}/app`);
  }
  const now = context.now();
  return context.database.transaction(async (tx) => {
    const found = await namespaceRow(tx, namespace);
    const place = repository === undefined ? undefined : await repositoryRow(tx, repository);
    if (place !== undefined && place.namespace?.id !== found.id) {
      throw new OciError('BODY_INVALID', `repository: ${repository} is ${place.name} now, which is not ${namespace}'s`);
    }
    const added = await tx
      .insertInto('robots')
      .values({
        namespace_id: found.id,
        repository_id: place?.id ?? null,
        name,
        description,
        role,
        created_by: origin.name,
        created_at: now,
        disabled_at: null,
      })
      .onConflict((conflict) => conflict.columns(['namespace_id', 'name']).doNothing())
      .returning('id')
      .executeTakeFirst();
    if (added === undefined) throw new OciError('NAME_TAKEN', `name: ${namespace} has a robot ${name} already`);
    await audit(tx, now, origin, {
      action: 'robot.create',
      subject: `${namespace}+${name}`,
      detail: { role, repository: place?.name ?? null },
    });
    return findRobot(tx, found, name);
  });
}

/** @throws OciError NOT_FOUND */
export async function updateRobot(
  context: AccountsContext,
  namespace: string,
  robot: string,
  change: { description?: string | undefined; role?: RepositoryRole | undefined; disabled?: boolean | undefined },
  origin: Origin,
): Promise<Robot> {
  const now = context.now();
  const { description, role, disabled } = change;
  return context.database.transaction(async (tx) => {
    const found = await namespaceRow(tx, namespace);
    const before = await findRobot(tx, found, robot);
    const disabledAt = disabled === undefined ? before.disabledAt : disabled ? (before.disabledAt ?? now) : null;
    const after = { ...before, description: description ?? before.description, role: role ?? before.role, disabledAt };
    if (Bun.deepEquals(before, after)) return before;
    await tx
      .updateTable('robots')
      .set({ description: after.description, role: after.role, disabled_at: disabledAt })
      .where('id', '=', before.id)
      .execute();
    await audit(tx, now, origin, {
      action: 'robot.update',
      subject: before.username,
      detail: { role: after.role, before: before.role, disabled: disabledAt !== null },
    });
    return after;
  });
}

/** Its tokens end with it. @throws OciError NOT_FOUND */
export async function deleteRobot(
  context: AccountsContext,
  namespace: string,
  robot: string,
  origin: Origin,
): Promise<void> {
  await context.database.transaction(async (tx) => {
    const { id, username } = await findRobot(tx, await namespaceRow(tx, namespace), robot);
    await tx.deleteFrom('robots').where('id', '=', id).execute();
    await audit(tx, context.now(), origin, { action: 'robot.delete', subject: username });
  });
}

async function findRobot(rows: Rows, namespace: NamespaceRow, name: string): Promise<Robot> {
  const row = await robotsOf(rows, namespace).where('r.name', '=', name).executeTakeFirst();
  if (row === undefined) throw new OciError('NOT_FOUND', `robot: no robot ${namespace.name}+${name.slice(0, 100)}`);
  return robotOf(namespace, row);
}

function robotsOf(rows: Rows, namespace: NamespaceRow) {
  return rows
    .selectFrom('robots as r')
    .leftJoin('repositories as p', 'p.id', 'r.repository_id')
    .select(['r.id', 'r.name', 'r.description', 'r.role', 'r.created_by', 'r.created_at', 'r.disabled_at'])
    .select('p.name as repository')
    .where('r.namespace_id', '=', namespace.id);
}

function robotOf(
  namespace: NamespaceRow,
  row: {
    id: number;
    name: string;
    description: string;
    role: RepositoryRole;
    repository: RepositoryName | null;
    created_by: string;
    created_at: number;
    disabled_at: number | null;
  },
): Robot {
  const { id, name, description, role, repository } = row;
  return {
    id,
    name,
    username: `${namespace.name}+${name}`,
    description,
    role,
    repository,
    createdBy: row.created_by,
    createdAt: row.created_at,
    disabledAt: row.disabled_at,
  };
}
