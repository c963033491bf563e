import type { Digest } from '../../oci/digest.ts';
import type { RegistryContext } from '../context.ts';
import { historyWindow } from '../retention/policies.ts';

/** The manifests of one repository and how they hold each other. */
export interface ManifestGraph {
  /** Changes from then on may not be in it; ms since 1970, a little early for clocks that differ. */
  readAt: number;
  /** How long a tag's history keeps what it named, in ms. */
  historyMs: number;
  manifests: Map<Digest, { protectedUntil: number; size: number }>;
  /** From a manifest to what it keeps: an index's entries, and its own referrers. */
  keeps: Map<Digest, Digest[]>;
  /** Why a manifest is a root: `tag 1.0`, `history of latest`, …; every reason, a tag's history once. */
  roots: Map<Digest, Set<string>>;
}

const CLOCK_SKEW_MS = 10_000;

/** Reads a repository's graph. Memory: about 300 bytes a manifest. */
export async function readGraph(
  context: RegistryContext,
  repositoryId: number,
  inUse: ReadonlySet<Digest>,
): Promise<ManifestGraph> {
  const { database } = context;
  const now = context.now();
  const rows = await database.read
    .selectFrom('manifests')
    .select(['digest', 'subject', 'protected_until', 'size'])
    .where('repository_id', '=', repositoryId)
    .execute();
  const graph: ManifestGraph = {
    readAt: now - CLOCK_SKEW_MS,
    historyMs: await historyWindow(context, repositoryId),
    manifests: new Map(),
    keeps: new Map(),
    roots: new Map(),
  };
  for (const row of rows) {
    graph.manifests.set(row.digest, { protectedUntil: row.protected_until, size: row.size });
    if (row.subject !== null) addEdge(graph, row.subject, row.digest);
  }
  const entries = await database.read
    .selectFrom('manifest_references')
    .select(['manifest', 'target'])
    .where('repository_id', '=', repositoryId)
    .where('kind', '=', 'manifest')
    .execute();
  for (const { manifest, target } of entries) addEdge(graph, manifest, target);

  const root = (digest: Digest | null, reason: string) => {
    if (digest === null || !graph.manifests.has(digest)) return;
    const reasons = graph.roots.get(digest);
    if (reasons === undefined) graph.roots.set(digest, new Set([reason]));
    else reasons.add(reason);
  };
  const tags = await database.read
    .selectFrom('tags')
    .select(['name', 'digest'])
    .where('repository_id', '=', repositoryId)
    .execute();
  for (const tag of tags) root(tag.digest, `tag ${tag.name}`);
  const history = await database.read
    .selectFrom('tag_history')
    .select(['tag', 'digest', 'previous'])
    .where('repository_id', '=', repositoryId)
    .where('at', '>=', now - graph.historyMs)
    .orderBy('id')
    .execute();
  for (const entry of history) {
    root(entry.digest, `history of ${entry.tag}`);
    root(entry.previous, `history of ${entry.tag}`);
  }
  for (const [digest, { protectedUntil }] of graph.manifests) {
    if (protectedUntil > now) root(digest, 'grace window');
    if (inUse.has(digest)) root(digest, 'in use');
  }
  return graph;
}

/** Everything reached from `from`, itself included, that the repository has. */
export function reach(graph: ManifestGraph, from: Iterable<Digest>): Set<Digest> {
  const reached = new Set<Digest>();
  const waiting = [...from];
  for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
    if (reached.has(digest) || !graph.manifests.has(digest)) continue;
    reached.add(digest);
    waiting.push(...(graph.keeps.get(digest) ?? []));
  }
  return reached;
}

/** `dead` split into groups with no edge between them, so that each can go in a transaction of its own. */
export function components(graph: ManifestGraph, dead: ReadonlySet<Digest>): Digest[][] {
  const neighbours = new Map<Digest, Digest[]>();
  for (const [from, targets] of graph.keeps) {
    if (!dead.has(from)) continue;
    for (const to of targets) {
      if (!dead.has(to)) continue;
      push(neighbours, from, to);
      push(neighbours, to, from);
    }
  }
  const seen = new Set<Digest>();
  const groups: Digest[][] = [];
  for (const start of dead) {
    if (seen.has(start)) continue;
    const group: Digest[] = [];
    const waiting = [start];
    seen.add(start);
    for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
      group.push(digest);
      for (const next of neighbours.get(digest) ?? []) {
        if (seen.has(next)) continue;
        seen.add(next);
        waiting.push(next);
      }
    }
    groups.push(group);
  }
  return groups;
}

function addEdge(graph: ManifestGraph, from: Digest, to: Digest): void {
  push(graph.keeps, from, to);
}

function push(map: Map<Digest, Digest[]>, key: Digest, value: Digest): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
