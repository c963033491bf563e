import type { Transaction } from 'kysely';
import type { Schema } from '../../database/schema.ts';
import type { Digest } from '../../oci/digest.ts';
import type { RepositoryName } from '../../oci/names.ts';
import { dropContent } from '../namespace-content.ts';
import { components, type ManifestGraph, reach, readGraph } from './graph.ts';
import type { GarbageRun } from './run.ts';

/** Manifests in one transaction, unless a component is larger: a few ms of the write lock. */
const BATCH = 25;

export interface DeadManifests {
  graph: ManifestGraph;
  dead: Set<Digest>;
}

/** The manifests of a repository that no root reaches. */
export async function deadManifests(
  run: GarbageRun,
  repository: { id: number; name: RepositoryName },
  inUse: ReadonlySet<Digest>,
): Promise<DeadManifests> {
  const graph = await readGraph(run.context, repository.id, inUse);
  const live = reach(graph, graph.roots.keys());
  const dead = new Set<Digest>();
  for (const [digest, { size }] of graph.manifests) {
    if (live.has(digest)) continue;
    dead.add(digest);
    run.item({
      kind: 'manifest',
      repository: repository.name,
      digest,
      size,
      why: 'no tag, no tag history within the window, nothing that names it, grace window over',
    });
  }
  return { graph, dead };
}

/** Removes what is still dead when it is looked at again. Returns how many. */
export async function collectManifests(
  run: GarbageRun,
  repositoryId: number,
  { graph, dead }: DeadManifests,
): Promise<number> {
  let removed = 0;
  let batch: Digest[] = [];
  const flush = async () => {
    if (batch.length === 0) return;
    removed += await removeBatch(run, repositoryId, graph, batch);
    run.progress('manifests', removed, dead.size);
    batch = [];
    await run.breathe();
  };
  for (const component of components(graph, dead)) {
    batch.push(...component);
    if (batch.length >= BATCH) await flush();
  }
  await flush();
  return removed;
}

async function removeBatch(
  run: GarbageRun,
  repositoryId: number,
  graph: ManifestGraph,
  batch: readonly Digest[],
): Promise<number> {
  const { database } = run.context;
  return database.relaxedTransaction(async (tx) => {
    const revived = new Set<Digest>();
    for (const part of parts(batch)) {
      for (const digest of await revivedSince(run, tx, repositoryId, graph, batch, part)) revived.add(digest);
    }
    const kept = reach(graph, revived);
    let removed = 0;
    for (const part of parts(batch.filter((digest) => !kept.has(digest)))) {
      const deleted = await tx
        .deleteFrom('manifests')
        .where('repository_id', '=', repositoryId)
        .where('digest', 'in', part)
        .returning('digest')
        .execute();
      await dropContent(
        run.context,
        tx,
        repositoryId,
        deleted.map((row) => row.digest),
      );
      removed += deleted.length;
    }
    return removed;
  });
}

/** Which of `part` were touched, tagged, named or newly in a history since the graph was read. Locks their rows. */
async function revivedSince(
  run: GarbageRun,
  tx: Transaction<Schema>,
  repositoryId: number,
  graph: ManifestGraph,
  batch: readonly Digest[],
  part: readonly Digest[],
): Promise<Digest[]> {
  let locked = tx
    .selectFrom('manifests')
    .select(['digest', 'protected_until'])
    .where('repository_id', '=', repositoryId)
    .where('digest', 'in', part);
  // The statements after this one then see whatever the holders of these rows committed.
  if (run.context.database.kind === 'postgres') locked = locked.forUpdate();
  const rows = await locked.execute();
  const now = run.context.now();
  const touched = rows.filter((row) => row.protected_until > now).map((row) => row.digest);
  const tagged = await tx
    .selectFrom('tags')
    .select('digest')
    .where('repository_id', '=', repositoryId)
    .where('digest', 'in', part)
    .execute();
  const named = await tx
    .selectFrom('manifest_references')
    .select(['manifest', 'target'])
    .where('repository_id', '=', repositoryId)
    .where('target', 'in', part)
    .execute();
  const history = await tx
    .selectFrom('tag_history')
    .select(['digest', 'previous'])
    .where('repository_id', '=', repositoryId)
    .where('at', '>=', Math.max(graph.readAt, now - graph.historyMs))
    .execute();
  const going = new Set(batch);
  const remembered = history.flatMap((entry) => [entry.digest, entry.previous]);
  return [
    ...touched,
    ...tagged.map((row) => row.digest),
    ...named.filter((row) => !going.has(row.manifest)).map((row) => row.target),
    ...remembered.filter((digest) => digest !== null && going.has(digest)),
  ].filter((digest) => digest !== null);
}

function* parts(digests: readonly Digest[]): Iterable<Digest[]> {
  for (let i = 0; i < digests.length; i += 1_000) yield digests.slice(i, i + 1_000);
}
