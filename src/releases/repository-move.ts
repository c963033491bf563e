import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { namespaceOf, type RepositoryName } from '../oci/names.ts';

/**
 * Lets stacks and releases follow a repository that gets another name, as part of `tx`: a former name can be given free. Those of
 * another namespace than the two keep the name that they have, which is pullable by digest: they need not learn what a repository that
 * they may no longer see is called.
 */
export async function followRepositoryInReleases(
  tx: Transaction<Schema>,
  move: { repositoryId: number; from: RepositoryName; to: RepositoryName },
): Promise<void> {
  const { repositoryId, from, to } = move;
  const stacks = await tx
    .selectFrom('stacks as s')
    .innerJoin('namespaces as n', 'n.id', 's.namespace_id')
    .select('s.id')
    .where('n.name', 'in', [namespaceOf(from), namespaceOf(to)])
    .execute();
  if (stacks.length === 0) return;
  const former = await tx
    .selectFrom('repository_aliases')
    .select('name')
    .where('repository_id', '=', repositoryId)
    .execute();
  const names = [from, ...former.map(({ name }) => name)];
  for (const { id } of stacks) {
    await tx
      .updateTable('stack_services')
      .set({ repository: to })
      .where('stack_id', '=', id)
      .where('repository', 'in', names)
      .execute();
    await tx
      .updateTable('release_images')
      .set({ repository: to })
      .where('repository', 'in', names)
      .where('release_id', 'in', (query) => query.selectFrom('releases').select('id').where('stack_id', '=', id))
      .execute();
  }
}
