import type { RepositoryName } from '../oci/names.ts';
import type { RegistryContext } from './context.ts';

/** One page of the repositories that hold a manifest, in byte order, each > `last` (Docker Registry v2 "Listing Repositories"). */
export async function listRepositories(
  context: RegistryContext,
  page: { last?: string | undefined; limit: number },
): Promise<{ repositories: RepositoryName[]; more: boolean }> {
  const rows = await context.database.read
    .selectFrom('repositories as r')
    .select('r.name')
    .where('r.name', '>', (page.last ?? '') as RepositoryName)
    .where((where) =>
      where.exists(
        where.selectFrom('manifests as m').select('m.digest').whereRef('m.repository_id', '=', 'r.id').limit(1),
      ),
    )
    .orderBy('r.name')
    .limit(page.limit + 1)
    .execute();
  return { repositories: rows.slice(0, page.limit).map((row) => row.name), more: rows.length > page.limit };
}
