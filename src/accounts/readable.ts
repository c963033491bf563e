import { sql } from 'kysely';
import type { Database } from '../database/database.ts';
import { OciError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/names.ts';
import type { Authorizer, Caller } from './authorize.ts';
import type { AgentIdentity, AnonymousMode, Identity, RobotIdentity } from './identity.ts';
import { roleAllows } from './roles.ts';

/** Which repositories a caller may read: every one, or those that any of the four names. */
export type Readable =
  | { kind: 'all' }
  | {
      kind: 'some';
      /** Those that are public. */
      public: boolean;
      /** Those beneath these namespaces. */
      namespaces: string[];
      /** These ids. */
      repositories: number[];
      /** Those whose first component is no account's namespace, or that have one component. */
      unowned: boolean;
    };

/**
 * What `Authorizer.authorize` allows `read` of, for lists. Whom a bearer token stands for is looked up anew: it was issued for the
 * catalog, and its rights may have changed since.
 *
 * @throws OciError UNAUTHORIZED when that one may act no more
 */
export async function readable(authorizer: Authorizer, caller: Caller): Promise<Readable> {
  const identity = caller.bearer === undefined ? caller.identity : await authorizer.reload(caller.bearer);
  if (identity === undefined) throw new OciError('UNAUTHORIZED', 'the token stands for nobody any more; log in again');
  if (identity.kind !== 'anonymous' && identity.limit.repository !== null) {
    return onlyRepository(authorizer, identity, identity.limit.repository);
  }
  if (identity.kind === 'user' && identity.administrator) return { kind: 'all' };
  const { database } = authorizer.reader;
  const everyone = { kind: 'some', public: true, unowned: readsUnowned(authorizer.policy.anonymous) } as const;
  switch (identity.kind) {
    case 'anonymous':
      return { ...everyone, namespaces: [], repositories: [] };
    case 'agent':
      return { ...everyone, namespaces: [], repositories: await releasedTo(authorizer, identity) };
    case 'robot':
      return { ...everyone, ...(await readableByRobot(database, identity)) };
    case 'user':
      return {
        ...everyone,
        namespaces: await namespacesOf(database, identity.id),
        repositories: await repositoriesOf(database, identity.id),
      };
  }
}

/** Whose stacks a caller may read: everyone's, or those of the accounts with these names. */
export type ReadableStacks = { kind: 'all' } | { kind: 'some'; namespaces: string[] };

/** What `Authorizer.authorize` allows `read` of stacks of, for lists. */
export async function readableStacks(authorizer: Authorizer, { identity }: Caller): Promise<ReadableStacks> {
  const none: ReadableStacks = { kind: 'some', namespaces: [] };
  const { database } = authorizer.reader;
  if (identity.kind === 'anonymous' || identity.kind === 'agent' || identity.limit.repository !== null) return none;
  if (identity.kind === 'user') {
    if (identity.administrator) return { kind: 'all' };
    return { kind: 'some', namespaces: await namespacesOf(database, identity.id) };
  }
  return { kind: 'some', namespaces: (await readableByRobot(database, identity)).namespaces };
}

function readsUnowned(mode: AnonymousMode): boolean {
  return mode === 'pull' || mode === 'push';
}

/** With a token that is for one repository: that, and what everyone may read. */
async function onlyRepository(authorizer: Authorizer, identity: Identity, name: RepositoryName): Promise<Readable> {
  const found = await authorizer.reader.database.read
    .selectFrom('repositories')
    .select('id')
    .where('name', '=', name)
    .executeTakeFirst();
  const role = await authorizer.role(identity, await authorizer.reader.place(name));
  const repositories = found !== undefined && roleAllows(role, 'read') ? [found.id] : [];
  const unowned = readsUnowned(authorizer.policy.anonymous);
  return { kind: 'some', public: true, namespaces: [], repositories, unowned };
}

async function readableByRobot(
  database: Database,
  robot: RobotIdentity,
): Promise<{ namespaces: string[]; repositories: number[] }> {
  if (robot.repositoryId !== null) {
    const found = await inNamespaces(database)
      .select('r.id')
      .where('r.id', '=', robot.repositoryId)
      .where('n.id', '=', robot.namespaceId)
      .executeTakeFirst();
    return { namespaces: [], repositories: found === undefined ? [] : [found.id] };
  }
  const namespace = await database.read
    .selectFrom('namespaces')
    .select('name')
    .where('id', '=', robot.namespaceId)
    .executeTakeFirst();
  return { namespaces: namespace === undefined ? [] : [namespace.name], repositories: [] };
}

/** Those that the releases of an agent's stack name, and that it may pull. */
async function releasedTo(authorizer: Authorizer, agent: AgentIdentity): Promise<number[]> {
  const { read } = authorizer.reader.database;
  const rows = await read
    .selectFrom('release_images as i')
    .innerJoin('releases as r', 'r.id', 'i.release_id')
    .select('i.repository')
    .distinct()
    .where('r.stack_id', '=', agent.stackId)
    .execute();
  const found = new Set<number>();
  for (const { repository } of rows) {
    const place = await authorizer.reader.place(repository);
    if (place.repositoryId !== null && roleAllows(await authorizer.role(agent, place), 'read')) {
      found.add(place.repositoryId);
    }
  }
  return [...found];
}

/** The user's own, those of organizations that it owns, and those in which it or a team of it has a role. */
async function namespacesOf({ read }: Database, userId: string): Promise<string[]> {
  const rows = await read
    .selectFrom('namespaces as n')
    .select('n.name')
    .where('n.user_id', '=', userId)
    .union(
      read
        .selectFrom('organization_members as m')
        .innerJoin('namespaces as n', 'n.id', 'm.namespace_id')
        .select('n.name')
        .where('m.user_id', '=', userId)
        .where('m.role', '=', 'owner')
        .where('n.user_id', 'is', null),
    )
    .union(
      read
        .selectFrom('grants as g')
        .innerJoin('namespaces as n', 'n.id', 'g.namespace_id')
        .select('n.name')
        .where('g.user_id', '=', userId)
        .where('g.repository_id', 'is', null),
    )
    .union(
      read
        .selectFrom('team_members as t')
        .innerJoin('grants as g', 'g.team_id', 't.team_id')
        .innerJoin('namespaces as n', 'n.id', 'g.namespace_id')
        .select('n.name')
        .where('t.user_id', '=', userId)
        .where('g.repository_id', 'is', null),
    )
    .execute();
  return rows.map((row) => row.name);
}

/** Those in which the user or a team of it has a role. */
async function repositoriesOf(database: Database, userId: string): Promise<number[]> {
  const granted = () =>
    inNamespaces(database)
      .innerJoin('grants as g', (join) =>
        join.onRef('g.repository_id', '=', 'r.id').onRef('g.namespace_id', '=', 'n.id'),
      )
      .select('r.id');
  const rows = await granted()
    .where('g.user_id', '=', userId)
    .union(granted().innerJoin('team_members as t', 't.team_id', 'g.team_id').where('t.user_id', '=', userId))
    .execute();
  return rows.map((row) => row.id);
}

/** Repositories with the account's namespace that they are in. */
function inNamespaces({ read }: Database) {
  return read
    .selectFrom('repositories as r')
    .innerJoin('namespaces as n', (join) =>
      join.on('r.name', '>', sql<RepositoryName>`n.name || '/'`).on('r.name', '<', sql<RepositoryName>`n.name || '0'`),
    );
}
