import type { Kysely, Transaction } from 'kysely';
import type { Schema } from '../../database/schema.ts';
import { parseAge } from '../../oci/age.ts';
import { OciError } from '../../oci/errors.ts';
import { namespaceOf, type RepositoryName } from '../../oci/names.ts';
import type { Actor, RegistryContext } from '../context.ts';
import { getRepository } from '../repositories.ts';
import type { RetentionPolicy } from './policy.ts';

type Rows = Pick<Kysely<Schema>, 'selectFrom'>;

/** What a policy is about: everything, all repositories of a namespace, or one repository. */
export type PolicyPlace =
  | { kind: 'instance' }
  | { kind: 'namespace'; name: string }
  | { kind: 'repository'; name: RepositoryName };

export interface StoredPolicy {
  policy: RetentionPolicy;
  from: PolicyPlace['kind'];
  /** Another one with each change. */
  revision: string;
  updatedAt: number;
  updatedBy: string;
}

/** The policy of a place itself, and the one that holds there: the nearest one, alone. */
export interface Retention {
  own: StoredPolicy | undefined;
  holds: StoredPolicy | undefined;
}

/** @throws OciError NAME_UNKNOWN, NOT_FOUND */
export async function getRetention(context: RegistryContext, place: PolicyPlace): Promise<Retention> {
  const keys = await keysOf(context, place);
  const holds = await nearest(context.database.read, keys.all);
  return { own: holds?.from === place.kind ? holds : undefined, holds };
}

/** In place of the one before. @throws OciError NAME_UNKNOWN, NOT_FOUND */
export async function setRetention(
  context: RegistryContext,
  place: PolicyPlace,
  policy: RetentionPolicy,
  actor: Actor,
): Promise<void> {
  const { own } = await keysOf(context, place);
  const change = {
    policy: JSON.stringify(policy),
    revision: context.newId(),
    updated_at: context.now(),
    updated_by: actor.name,
  };
  await context.database.transaction(async (tx) => {
    await tx
      .insertInto('retention_policies')
      .values({ ...own, ...change })
      .onConflict((conflict) => conflict.column('place').doUpdateSet(change))
      .execute();
    await context.record(tx, actor, { action: 'retention.set', subject: subjectOf(place), detail: { policy } });
  });
}

/** The next one outwards holds then. @throws OciError NAME_UNKNOWN, NOT_FOUND */
export async function removeRetention(context: RegistryContext, place: PolicyPlace, actor: Actor): Promise<void> {
  const { own } = await keysOf(context, place);
  await context.database.transaction(async (tx) => {
    const { numDeletedRows } = await tx
      .deleteFrom('retention_policies')
      .where('place', '=', own.place)
      .executeTakeFirstOrThrow();
    if (numDeletedRows === 0n) {
      throw new OciError('NOT_FOUND', `policy: ${subjectOf(place)} has no retention policy of its own`);
    }
    await context.record(tx, actor, { action: 'retention.remove', subject: subjectOf(place) });
  });
}

/** The policy that holds in a repository; undefined when none does, and then nothing goes. */
export async function policyFor(
  rows: Rows,
  repository: { id: number; name: RepositoryName },
): Promise<StoredPolicy | undefined> {
  if (!(await anyPolicy(rows))) return undefined;
  const namespaceId = await namespaceIdOf(rows, namespaceOf(repository.name));
  return nearest(rows, [
    `repository:${repository.id}`,
    ...(namespaceId === undefined ? [] : [`namespace:${namespaceId}`]),
    INSTANCE,
  ]);
}

/** How long what a tag of the repository named is kept after the tag moved or went, in ms. */
export async function historyWindow(context: RegistryContext, repositoryId: number): Promise<number> {
  const { read } = context.database;
  const { tagHistoryMs } = context.policy;
  if (!(await anyPolicy(read))) return tagHistoryMs;
  const row = await read.selectFrom('repositories').select('name').where('id', '=', repositoryId).executeTakeFirst();
  if (row === undefined) return tagHistoryMs;
  const stored = await policyFor(read, { id: repositoryId, name: row.name });
  const after = stored?.policy.untagged?.after;
  return after === undefined ? tagHistoryMs : (parseAge(after) ?? tagHistoryMs);
}

const INSTANCE = 'instance';

async function anyPolicy(rows: Rows): Promise<boolean> {
  return (await rows.selectFrom('retention_policies').select('place').limit(1).executeTakeFirst()) !== undefined;
}

/** Of these places, the first that has one. */
async function nearest(rows: Rows, places: readonly string[]): Promise<StoredPolicy | undefined> {
  const found = await rows.selectFrom('retention_policies').selectAll().where('place', 'in', places).execute();
  const row = places.flatMap((place) => found.filter((candidate) => candidate.place === place))[0];
  if (row === undefined) return undefined;
  return {
    policy: JSON.parse(row.policy) as RetentionPolicy,
    from: row.repository_id !== null ? 'repository' : row.namespace_id !== null ? 'namespace' : 'instance',
    revision: row.revision,
    updatedAt: row.updated_at,
    updatedBy: row.updated_by,
  };
}

interface PlaceKeys {
  own: Pick<Schema['retention_policies'], 'place' | 'namespace_id' | 'repository_id'>;
  /** The own one and those outwards of it. */
  all: string[];
}

async function keysOf(context: RegistryContext, place: PolicyPlace): Promise<PlaceKeys> {
  const { read } = context.database;
  switch (place.kind) {
    case 'instance':
      return { own: { place: INSTANCE, namespace_id: null, repository_id: null }, all: [INSTANCE] };
    case 'namespace': {
      const id = await namespaceIdOf(read, place.name);
      if (id === undefined) {
        throw new OciError('NOT_FOUND', `name: no user or organization ${place.name.slice(0, 100)}`);
      }
      const key = `namespace:${id}`;
      return { own: { place: key, namespace_id: id, repository_id: null }, all: [key, INSTANCE] };
    }
    case 'repository': {
      const { id } = await getRepository(context, place.name);
      const key = `repository:${id}`;
      const namespaceId = await namespaceIdOf(read, namespaceOf(place.name));
      const outwards = namespaceId === undefined ? [INSTANCE] : [`namespace:${namespaceId}`, INSTANCE];
      return { own: { place: key, namespace_id: null, repository_id: id }, all: [key, ...outwards] };
    }
  }
}

async function namespaceIdOf(rows: Rows, name: string): Promise<number | undefined> {
  return (await rows.selectFrom('namespaces').select('id').where('name', '=', name).executeTakeFirst())?.id;
}

function subjectOf(place: PolicyPlace): string {
  return place.kind === 'instance' ? 'instance' : place.name;
}

/** As part of `tx`: whether what was decided by a policy may still be done. */
export async function stillHolds(
  tx: Transaction<Schema>,
  repository: { id: number; name: RepositoryName },
  stored: StoredPolicy,
): Promise<boolean> {
  return (await policyFor(tx, repository))?.revision === stored.revision;
}
