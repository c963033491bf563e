import type { Kysely, Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { OciError } from '../oci/errors.ts';
import { isRepositoryName, namespaceOf, type RepositoryName } from '../oci/names.ts';

/*
 * What accounts are asked about by name, as rows, or the error that says there is none. `field` is the name of the request's
 * field that the name came in.
 */

/** The database, or a transaction. */
export type Rows = Pick<Kysely<Schema>, 'selectFrom'>;

export interface NamespaceRow {
  id: number;
  name: string;
  kind: 'user' | 'organization';
}

/** @throws OciError NOT_FOUND */
export async function namespaceRow(rows: Rows, name: string): Promise<NamespaceRow> {
  const row = await rows
    .selectFrom('namespaces')
    .select(['id', 'name', 'kind'])
    .where('name', '=', name)
    .executeTakeFirst();
  if (row === undefined) throw new OciError('NOT_FOUND', `name: no user or organization ${clip(name)}`);
  return row;
}

/** @throws OciError NOT_FOUND, also for a user's namespace */
export async function organizationRow(rows: Rows, name: string, field = 'name'): Promise<NamespaceRow> {
  const row = await rows
    .selectFrom('namespaces')
    .select(['id', 'name', 'kind'])
    .where('name', '=', name)
    .where('kind', '=', 'organization')
    .executeTakeFirst();
  if (row === undefined) throw unknownOrganization(name, field);
  return row;
}

/**
 * The organization's id. Until `tx` ends no other transaction that asks so gets further: what must hold over several of its rows
 * (an owner is left, whoever is in a team is a member) can be read and then written.
 *
 * @throws OciError NOT_FOUND
 */
export async function lockOrganization(tx: Transaction<Schema>, name: string): Promise<number> {
  const row = await tx
    .updateTable('namespaces')
    .set({ kind: 'organization' })
    .where('name', '=', name)
    .where('kind', '=', 'organization')
    .returning('id')
    .executeTakeFirst();
  if (row === undefined) throw unknownOrganization(name, 'name');
  return row.id;
}

/** @throws OciError NOT_FOUND */
export async function userRow(rows: Rows, username: string, field: string): Promise<{ id: string }> {
  const row = await rows.selectFrom('users').select('id').where('username', '=', username).executeTakeFirst();
  if (row === undefined) throw new OciError('NOT_FOUND', `${field}: no user ${clip(username)}`);
  return row;
}

/** @throws OciError NOT_FOUND */
export async function teamRow(rows: Rows, namespace: NamespaceRow, team: string): Promise<{ id: number }> {
  const row = await rows
    .selectFrom('teams')
    .select('id')
    .where('namespace_id', '=', namespace.id)
    .where('name', '=', team)
    .executeTakeFirst();
  if (row === undefined) throw new OciError('NOT_FOUND', `team: ${namespace.name} has no team ${clip(team)}`);
  return row;
}

/**
 * A repository by its name or a former one, and the namespace that it is in now: undefined at the root, and where the namespace is nobody's.
 *
 * @throws OciError NAME_UNKNOWN
 */
export async function repositoryRow(
  rows: Rows,
  name: RepositoryName,
): Promise<{ id: number; name: RepositoryName; namespace: NamespaceRow | undefined }> {
  const direct = await rows
    .selectFrom('repositories')
    .select(['id', 'name'])
    .where('name', '=', name)
    .executeTakeFirst();
  const found =
    direct ??
    (await rows
      .selectFrom('repository_aliases as a')
      .innerJoin('repositories as r', 'r.id', 'a.repository_id')
      .select(['r.id', 'r.name'])
      .where('a.name', '=', name)
      .executeTakeFirst());
  if (found === undefined) throw new OciError('NAME_UNKNOWN', `name: no repository ${name}`, { name });
  const namespace = await rows
    .selectFrom('namespaces')
    .select(['id', 'name', 'kind'])
    .where('name', '=', namespaceOf(found.name))
    .executeTakeFirst();
  return { ...found, namespace };
}

const PART_MAX = 64;

/** The name of a team or a robot: like a namespace's, but none is reserved. @throws OciError BODY_INVALID */
export function checkPartName(name: string, field: string): void {
  if (name.length <= PART_MAX && !name.includes('/') && isRepositoryName(name)) return;
  throw new OciError(
    'BODY_INVALID',
    `${field}: must be 1 to ${PART_MAX} lower-case letters and digits with single ".", "_", "__" or "-" between`,
  );
}

export function unknownOrganization(name: string, field: string): OciError {
  return new OciError('NOT_FOUND', `${field}: no organization ${clip(name)}`);
}

function clip(name: string): string {
  return name.slice(0, 100);
}
