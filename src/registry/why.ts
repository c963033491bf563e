import type { Digest } from '../oci/digest.ts';
import { isRepositoryName } from '../oci/names.ts';
import type { RegistryContext } from './context.ts';
import { reach, readGraph } from './garbage/graph.ts';

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

/** For each root that reaches one of `targets`, a shortest path. */
async function chains(
  context: RegistryContext,
  repository: { id: number; name: string },
  targets: readonly Digest[],
  inUse: ReadonlySet<Digest>,
): Promise<Reason[]> {
  if (targets.length === 0) return [];
  const graph = await readGraph(context, repository.id, inUse);
  const wanted = new Set(targets);
  const reasons: Reason[] = [];
  for (const [root, because] of graph.roots) {
    if (![...reach(graph, [root])].some((digest) => wanted.has(digest))) continue;
    const path = shortestPath(graph.keeps, root, wanted);
    for (const reason of because) reasons.push({ repository: repository.name, root: reason, path });
  }
  return reasons;
}

function shortestPath(keeps: ReadonlyMap<Digest, Digest[]>, from: Digest, targets: ReadonlySet<Digest>): Digest[] {
  const cameFrom = new Map<Digest, Digest | undefined>([[from, undefined]]);
  const waiting = [from];
  for (let i = 0; i < waiting.length; i++) {
    const digest = waiting[i];
    if (digest === undefined) break;
    if (targets.has(digest)) {
      const path: Digest[] = [];
      for (let at: Digest | undefined = digest; at !== undefined; at = cameFrom.get(at)) path.unshift(at);
      return path;
    }
    for (const next of keeps.get(digest) ?? []) {
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, digest);
      waiting.push(next);
    }
  }
  return [from];
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
