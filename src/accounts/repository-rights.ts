import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { namespaceOf, type RepositoryName } from '../oci/names.ts';

/**
 * Lets rights follow a repository that gets another name, as part of `tx`. Tokens that are for it alone stay for it. In another
 * namespace others decide who may do what, so its grants and its robots end.
 */
export async function followRepository(
  tx: Transaction<Schema>,
  move: { repositoryId: number; from: RepositoryName; to: RepositoryName },
): Promise<void> {
  const { repositoryId, from, to } = move;
  await tx.updateTable('access_tokens').set({ repository: to }).where('repository', '=', from).execute();
  if (namespaceOf(from) === namespaceOf(to)) return;
  await tx.deleteFrom('grants').where('repository_id', '=', repositoryId).execute();
  await tx.deleteFrom('robots').where('repository_id', '=', repositoryId).execute();
}
