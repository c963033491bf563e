import type { Digest } from '../oci/digest.ts';
import type { RepositoryName } from '../oci/names.ts';
import { claimBlob } from './blob-claims.ts';
import { linkBlob } from './blobs.ts';
import { refuseCached } from './cache-prefixes.ts';
import type { Actor, RegistryContext } from './context.ts';
import { checkRoom } from './quotas.ts';
import { ensureRepository } from './repositories.ts';

/**
 * Makes a file of this machine a blob of the repository, as a push of its bytes would: claimed, durable, then linked. The caller has
 * verified the digest, or trusts the file's name; nothing may change the file afterwards.
 *
 * @returns whether the bytes were shared or copied
 * @throws OciError DENIED for a former name, below a cache, or when the namespace has no room; FileRefusedError, RangeError
 */
export async function adoptFile(
  context: RegistryContext,
  name: RepositoryName,
  file: { path: string; digest: Digest; size: number },
  actor: Actor,
): Promise<'linked' | 'copied'> {
  const { path, digest, size } = file;
  await refuseCached(context.caches, name);
  context.database.requireRoom();
  await checkRoom(context, name, { digest, size });
  await claimBlob(context, digest, size);
  const done = await context.store.importFile(path, digest, size);
  context.onStep('blob-committed');
  await context.database.transaction(async (tx) => {
    const repository = await ensureRepository(context, tx, name, actor);
    await linkBlob(context, tx, repository.id, digest, size);
  }, 'growth');
  context.onStep('blob-linked');
  return done;
}
