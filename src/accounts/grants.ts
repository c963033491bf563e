import type { RepositoryRole } from '../database/accounts-schema.ts';
import { OciError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/names.ts';
import { audit } from './audit.ts';
import type { AccountsContext, Origin } from './context.ts';
import { type NamespaceRow, namespaceRow, type Rows, repositoryRow, teamRow, userRow } from './directory.ts';

/** Where a role holds: in all of a user's or an organization's repositories, or in one. */
export type GrantPlace = { namespace: string } | { repository: RepositoryName };

/** Who has it: a user, or a team of the place's organization. */
export type GrantSubject = { user: string } | { team: string };

/** One of `user` and `team` is not null. */
export interface Grant {
  user: string | null;
  team: string | null;
  role: RepositoryRole;
  /** Since when somebody has a role there; ms since 1970. */
  createdAt: number;
}

interface FoundPlace {
  /** `acme` or `acme/app`, as it is called now. */
  name: string;
  namespace: NamespaceRow;
  repositoryId: number | null;
}

/**
 * The grants of exactly this place (a repository's list is without its namespace's), oldest first.
 *
 * @throws OciError NOT_FOUND, NAME_UNKNOWN, CONFLICT for a repository outside of accounts' namespaces
 */
export async function listGrants(
  context: AccountsContext,
  place: GrantPlace,
  page: { after?: number | undefined; limit: number },
): Promise<{ grants: Grant[]; next: number | undefined }> {
  const { read } = context.database;
  const found = await findPlace(read, place);
  const rows = await read
    .selectFrom('grants as g')
    .leftJoin('users as u', 'u.id', 'g.user_id')
    .leftJoin('teams as t', 't.id', 'g.team_id')
    .select(['g.id', 'g.role', 'g.created_at', 'u.username', 't.name as team'])
    .where('g.namespace_id', '=', found.namespace.id)
    .where('g.repository_id', found.repositoryId === null ? 'is' : '=', found.repositoryId)
    .where('g.id', '>', page.after ?? 0)
    .orderBy('g.id')
    .limit(page.limit + 1)
    .execute();
  const shown = rows.slice(0, page.limit);
  return {
    grants: shown.map((row) => ({ user: row.username, team: row.team, role: row.role, createdAt: row.created_at })),
    next: rows.length > page.limit ? shown.at(-1)?.id : undefined,
  };
}

/**
 * Gives a role, in place of the one that it has there.
 *
 * @throws OciError NOT_FOUND for a user, a team or a namespace that does not exist; NAME_UNKNOWN, CONFLICT as `listGrants`
 */
export async function setGrant(
  context: AccountsContext,
  place: GrantPlace,
  subject: GrantSubject,
  role: RepositoryRole,
  origin: Origin,
): Promise<Grant> {
  const now = context.now();
  return context.database.transaction(async (tx) => {
    const found = await findPlace(tx, place);
    const who = await findSubject(tx, found.namespace, subject);
    const before = await tx
      .selectFrom('grants')
      .select(['role', 'created_at'])
      .where('namespace_id', '=', found.namespace.id)
      .where('repository_id', found.repositoryId === null ? 'is' : '=', found.repositoryId)
      .where((where) => ('userId' in who ? where('user_id', '=', who.userId) : where('team_id', '=', who.teamId)))
      .executeTakeFirst();
    const grant = {
      user: 'user' in subject ? subject.user : null,
      team: 'team' in subject ? subject.team : null,
      role,
      createdAt: before?.created_at ?? now,
    };
    if (before?.role === role) return grant;
    await tx
      .insertInto('grants')
      .values({
        namespace_id: found.namespace.id,
        repository_id: found.repositoryId,
        user_id: 'userId' in who ? who.userId : null,
        team_id: 'teamId' in who ? who.teamId : null,
        role,
        created_at: now,
      })
      // One unique index for each kind of place and subject; the conditions choose it.
      .onConflict((conflict) =>
        conflict
          .columns([
            found.repositoryId === null ? 'namespace_id' : 'repository_id',
            'userId' in who ? 'user_id' : 'team_id',
          ])
          .where('repository_id', found.repositoryId === null ? 'is' : 'is not', null)
          .where('userId' in who ? 'user_id' : 'team_id', 'is not', null)
          .doUpdateSet({ role, namespace_id: found.namespace.id }),
      )
      .execute();
    await audit(tx, now, origin, {
      action: 'grant.set',
      subject: found.name,
      detail: { ...subject, role, before: before?.role ?? null },
    });
    return grant;
  });
}

/** @throws OciError NOT_FOUND also when there is no such grant; NAME_UNKNOWN, CONFLICT as `listGrants` */
export async function removeGrant(
  context: AccountsContext,
  place: GrantPlace,
  subject: GrantSubject,
  origin: Origin,
): Promise<void> {
  await context.database.transaction(async (tx) => {
    const found = await findPlace(tx, place);
    const who = await findSubject(tx, found.namespace, subject);
    const removed = await tx
      .deleteFrom('grants')
      .where('namespace_id', '=', found.namespace.id)
      .where('repository_id', found.repositoryId === null ? 'is' : '=', found.repositoryId)
      .where((where) => ('userId' in who ? where('user_id', '=', who.userId) : where('team_id', '=', who.teamId)))
      .returning('role')
      .executeTakeFirst();
    if (removed === undefined) {
      const [field, name] = 'user' in subject ? ['user', subject.user] : ['team', subject.team];
      throw new OciError('NOT_FOUND', `${field}: ${name} has no role in ${found.name} itself`);
    }
    await audit(tx, context.now(), origin, {
      action: 'grant.remove',
      subject: found.name,
      detail: { ...subject, before: removed.role },
    });
  });
}

async function findPlace(rows: Rows, place: GrantPlace): Promise<FoundPlace> {
  if ('namespace' in place) {
    const namespace = await namespaceRow(rows, place.namespace);
    return { name: namespace.name, namespace, repositoryId: null };
  }
  const { id, name, namespace } = await repositoryRow(rows, place.repository);
  if (namespace === undefined) {
    throw new OciError('CONFLICT', `name: ${name} is not a user's or an organization's; nobody can be granted a role`);
  }
  return { name, namespace, repositoryId: id };
}

async function findSubject(
  rows: Rows,
  namespace: NamespaceRow,
  subject: GrantSubject,
): Promise<{ userId: string } | { teamId: number }> {
  if ('user' in subject) return { userId: (await userRow(rows, subject.user, 'user')).id };
  return { teamId: (await teamRow(rows, namespace, subject.team)).id };
}
