import type { Digest } from '../oci/digest.ts';
import { isRepositoryName } from '../oci/names.ts';
import type { RegistryContext } from './context.ts';
import { chains } from './keepers.ts';

/** One chain from a root to the digest, in words. */
export interface Reason {
  /** '' for a blob that is in none yet */
  repository: string;
  /** e.g. `tag 1.0`, `history of latest`, `grace window`, `in use` */
  root: string;
  /** From the root's manifest to the digest, both included. */
  path: Digest[];
}

export interface Why {
  digest: Digest;
  /** What the digest is; undefined when nothing here has it. */
  kind: 'manifest' | 'blob' | undefined;
  size: number | undefined;
  reasons: Reason[];
}

/** Everything that keeps a digest from garbage collection; no reasons: the next collection takes it. */
export async function why(context: RegistryContext, digest: Digest): Promise<Why> {
  const { read } = context.database;
  const now = context.now();
  const blob = await read
    .selectFrom('blobs')
    .select(['size', 'protected_until'])
    .where('digest', '=', digest)
    .executeTakeFirst();
  const manifests = await read
    .selectFrom('manifests as m')
    .innerJoin('repositories as r', 'r.id', 'm.repository_id')
    .select(['r.id', 'r.name', 'm.size'])
    .where('m.digest', '=', digest)
    .execute();
  const links = await read
    .selectFrom('repository_blobs as l')
    .innerJoin('repositories as r', 'r.id', 'l.repository_id')
    .select(['r.id', 'r.name', 'l.protected_until'])
    .where('l.digest', '=', digest)
    .execute();
  const reasons: Reason[] = [];
  const inUse = await context.digestsInUse();
  for (const repository of manifests) reasons.push(...(await chains(context, repository, [digest], inUse)));
  for (const link of links) {
    if (link.protected_until > now) {
      reasons.push({ repository: link.name, root: `grace window until ${iso(link.protected_until)}`, path: [digest] });
    }
    const naming = await read
      .selectFrom('manifest_references')
      .select('manifest')
      .where('repository_id', '=', link.id)
      .where('target', '=', digest)
      .execute();
    const found = await chains(
      context,
      link,
      naming.map((row) => row.manifest),
      inUse,
    );
    reasons.push(...found.map((reason) => ({ ...reason, path: [...reason.path, digest] })));
  }
  if (links.length === 0 && blob !== undefined && blob.protected_until > now) {
    reasons.push({
      repository: '',
      root: `an upload of it was completed; grace window until ${iso(blob.protected_until)}`,
      path: [digest],
    });
  }
  for (const reason of reasons.splice(0)) reasons.push(...(await named(context, reason)));
  const size = manifests[0]?.size ?? blob?.size;
  return { digest, kind: manifests.length > 0 ? 'manifest' : blob === undefined ? undefined : 'blob', size, reasons };
}

/** Who uses it, by name, in place of "in use". */
async function named(context: RegistryContext, reason: Reason): Promise<Reason[]> {
  const [root] = reason.path;
  if (reason.root !== 'in use' || root === undefined || !isRepositoryName(reason.repository)) return [reason];
  const users = await context.usersOf(context.database.read, root, reason.repository);
  return users.length === 0 ? [reason] : users.map((user) => ({ ...reason, root: user }));
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
