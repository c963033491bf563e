import type { Digest } from '../../oci/digest.ts';
import type { RepositoryName, Tag } from '../../oci/names.ts';
import type { RegistryContext } from '../context.ts';
import { getRepository } from '../repositories.ts';

export interface RetentionRemoval {
  id: number;
  tag: Tag;
  digest: Digest;
  why: string;
  at: number;
}

/**
 * Tags that a policy removed in the last 90 days, newest first.
 *
 * @param page `before` is the id of the last one of the page before
 * @throws OciError NAME_UNKNOWN
 */
export async function listRemovals(
  context: RegistryContext,
  name: RepositoryName,
  page: { before?: number | undefined; limit: number },
): Promise<{ removals: RetentionRemoval[]; more: boolean }> {
  const repository = await getRepository(context, name);
  const rows = await context.database.read
    .selectFrom('retention_removals')
    .select(['id', 'tag', 'digest', 'why', 'at'])
    .where('repository_id', '=', repository.id)
    .where('id', '<', page.before ?? Number.MAX_SAFE_INTEGER)
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .execute();
  return { removals: rows.slice(0, page.limit), more: rows.length > page.limit };
}
