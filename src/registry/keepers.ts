import { sql } from 'kysely';
import type { Digest } from '../oci/digest.ts';
import type { RegistryContext } from './context.ts';
import { historyWindow } from './retention/policies.ts';

/** A root of garbage collection, e.g. `tag 1.0`, `history of latest`, `grace window`, `in use`, and a shortest way from it. */
export interface Chain {
  repository: string;
  root: string;
  /** From the root's manifest to what was asked about, both included. */
  path: Digest[];
}

/** Digests that one statement names. */
const BATCH = 500;

/**
 * Every root that reaches one of `targets`, which are manifests of the repository. Goes up from them, so that it costs nothing for what
 * else is there: `readGraph` goes the same ways down.
 *
 * @param most so many chains and so many manifests on the way are enough
 */
export async function chains(
  context: RegistryContext,
  repository: { id: number; name: string },
  targets: readonly Digest[],
  inUse: ReadonlySet<Digest>,
  most = Number.POSITIVE_INFINITY,
): Promise<Chain[]> {
  const below = await climb(context, repository.id, targets, most);
  const found: Chain[] = [];
  for (const [manifest, reasons] of await rootsAmong(context, repository.id, [...below.keys()], inUse, most)) {
    const path: Digest[] = [];
    for (let at: Digest | undefined = manifest; at !== undefined; at = below.get(at)) path.push(at);
    for (const root of reasons) found.push({ repository: repository.name, root, path });
  }
  return found.slice(0, most);
}

/** What keeps the targets, themselves included, in the order of the steps up; by each the next one on the way down. */
async function climb(
  context: RegistryContext,
  repositoryId: number,
  targets: readonly Digest[],
  most: number,
): Promise<Map<Digest, Digest | undefined>> {
  const below = new Map<Digest, Digest | undefined>(targets.map((target) => [target, undefined]));
  let level = [...targets];
  while (level.length > 0 && below.size < most) {
    const next: Digest[] = [];
    for (let i = 0; i < level.length; i += BATCH) {
      for (const { keeper, kept } of await keepersOf(context, repositoryId, level.slice(i, i + BATCH))) {
        if (below.has(keeper)) continue;
        below.set(keeper, kept);
        next.push(keeper);
      }
    }
    level = next;
  }
  return below;
}

/** One step up: the indexes that name a manifest, and its subject where that is there. */
async function keepersOf(
  context: RegistryContext,
  repositoryId: number,
  manifests: readonly Digest[],
): Promise<{ keeper: Digest; kept: Digest }[]> {
  const { read } = context.database;
  const indexes = await read
    .selectFrom('manifest_references')
    .select(['manifest as keeper', 'target as kept'])
    .where('repository_id', '=', repositoryId)
    .where('target', 'in', manifests)
    .where('kind', '=', 'manifest')
    .execute();
  const subjects = await read
    .selectFrom('manifests as m')
    .innerJoin('manifests as s', (join) =>
      join.onRef('s.repository_id', '=', 'm.repository_id').onRef('s.digest', '=', 'm.subject'),
    )
    .select(['s.digest as keeper', 'm.digest as kept'])
    .where('m.repository_id', '=', repositoryId)
    .where('m.digest', 'in', manifests)
    .execute();
  return [...indexes, ...subjects];
}

/** Which of these manifests are roots, and why; in their order. */
async function rootsAmong(
  context: RegistryContext,
  repositoryId: number,
  manifests: readonly Digest[],
  inUse: ReadonlySet<Digest>,
  most: number,
): Promise<Map<Digest, Set<string>>> {
  const roots = new Map<Digest, Set<string>>();
  const root = (digest: Digest, reason: string) => {
    const reasons = roots.get(digest) ?? new Set();
    roots.set(digest, reasons.add(reason));
  };
  for (let i = 0; i < manifests.length; i += BATCH) {
    const batch = manifests.slice(i, i + BATCH);
    for (const { digest, tag } of await tagsOn(context, repositoryId, batch, most)) root(digest, `tag ${tag}`);
    for (const { digest, tag } of await historyOf(context, repositoryId, batch, most)) {
      root(digest, `history of ${tag}`);
    }
    for (const digest of await young(context, repositoryId, batch)) root(digest, 'grace window');
    for (const digest of batch) if (inUse.has(digest)) root(digest, 'in use');
  }
  return new Map(manifests.flatMap((digest) => (roots.has(digest) ? [[digest, roots.get(digest) ?? new Set()]] : [])));
}

async function tagsOn(
  context: RegistryContext,
  repositoryId: number,
  manifests: readonly Digest[],
  most: number,
): Promise<{ digest: Digest; tag: string }[]> {
  return (
    context.database.read
      .selectFrom('tags')
      .select(['digest', 'name as tag'])
      .where('repository_id', '=', repositoryId)
      .where('digest', 'in', manifests)
      // Not the column alone: SQLite would walk all names in their order to save the sort.
      .orderBy(sql`name || ''`)
      .$if(most < Number.POSITIVE_INFINITY, (query) => query.limit(most))
      .execute()
  );
}

/** The tags that pointed at them within the window, each once a manifest. */
async function historyOf(
  context: RegistryContext,
  repositoryId: number,
  manifests: readonly Digest[],
  most: number,
): Promise<{ digest: Digest; tag: string }[]> {
  const since = context.now() - (await historyWindow(context, repositoryId));
  const found: { digest: Digest; tag: string }[] = [];
  for (const column of ['digest', 'previous'] as const) {
    const rows = await context.database.read
      .selectFrom('tag_history')
      .select([column, 'tag'])
      .distinct()
      .where('repository_id', '=', repositoryId)
      .where('at', '>=', since)
      .where(column, 'in', manifests)
      .orderBy('tag')
      .$if(most < Number.POSITIVE_INFINITY, (query) => query.limit(most))
      .execute();
    for (const row of rows) {
      const digest = row[column];
      if (digest !== null) found.push({ digest, tag: row.tag });
    }
  }
  return found;
}

async function young(context: RegistryContext, repositoryId: number, manifests: readonly Digest[]): Promise<Digest[]> {
  const rows = await context.database.read
    .selectFrom('manifests')
    .select('digest')
    .where('repository_id', '=', repositoryId)
    .where('digest', 'in', manifests)
    .where('protected_until', '>', context.now())
    .execute();
  return rows.map((row) => row.digest);
}
