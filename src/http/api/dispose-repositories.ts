import { OciError } from '../../oci/errors.ts';
import { isRepositoryName } from '../../oci/names.ts';
import type { RegistryContext } from '../../registry/context.ts';
import { deleteRepository, planRepositoryDeletion } from '../../registry/repository-deletion.ts';
import { transferRepositories } from '../../registry/repository-renaming.ts';
import type { BerthRequest } from '../request.ts';

/**
 * Deletes or transfers what a user or an organization owns, before it is deleted itself.
 *
 * @throws OciError CONFLICT when there are any and nobody said what becomes of them, or when one can't be moved; DENIED, NOT_FOUND when
 *   the caller does not own where they are to go
 */
export async function disposeRepositories(
  registry: RegistryContext,
  request: BerthRequest,
  owner: string,
  names: readonly string[],
  wanted: 'delete' | { transferTo: string } | undefined,
): Promise<void> {
  if (names.length === 0) return;
  if (wanted === undefined) {
    const some = names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '');
    throw new OciError(
      'CONFLICT',
      `repositories: ${owner} has ${names.length} (${some}); say "delete" or {"transferTo": "…"}`,
    );
  }
  if (wanted === 'delete') {
    const all = names.filter(isRepositoryName);
    // First of all: else the ones before the one that can't be deleted would be gone.
    for (const name of all) {
      const { users } = await planRepositoryDeletion(registry, name);
      if (users.length > 0) throw new OciError('CONFLICT', `repositories: ${name} is in use: ${users.join('; ')}`);
    }
    for (const name of all) await deleteRepository(registry, name, request.actor);
    return;
  }
  const { transferTo } = wanted;
  if (transferTo === owner) throw new OciError('BODY_INVALID', 'repositories.transferTo: is what is to be deleted');
  await request.require('admin', { kind: 'namespace', name: transferTo });
  await transferRepositories(registry, owner, transferTo, request.actor);
}
