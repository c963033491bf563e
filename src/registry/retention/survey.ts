import { sql } from 'kysely';
import { type Digest, isDigest } from '../../oci/digest.ts';
import type { Tag } from '../../oci/names.ts';
import type { RegistryContext } from '../context.ts';
import { isImmutable, type Repository } from '../repositories.ts';
import { type Decision, Judge, type TagFacts } from './decide.ts';
import type { RetentionPolicy } from './policy.ts';

/** Tags that are read at a time: some ms on SQLite, which works in this process; then others have their turn. */
const PIECE = { sqlite: 500, postgres: 2_500 } as const;
/** Decisions without a turn for others: many patterns take their time. */
const MOST_MS = 5;

/**
 * Decides about every tag of a repository, those that were set last first. Changes nothing. What is pushed meanwhile may not be among
 * them.
 */
export async function survey(
  context: RegistryContext,
  repository: Repository,
  policy: RetentionPolicy,
  visit: (tag: TagFacts, decision: Decision) => void,
): Promise<void> {
  const judge = new Judge(policy, context.now());
  const inUse = await context.digestsInUse();
  for (let last: TagRow | undefined; ; ) {
    const rows = await page(context, repository.id, last);
    let rested = performance.now();
    for (const tag of await factsOf(context, repository, rows, inUse)) {
      visit(tag, judge.decide(tag));
      if (performance.now() - rested < MOST_MS) continue;
      await turn();
      rested = performance.now();
    }
    last = rows.at(-1);
    if (rows.length < PIECE[context.database.kind] || last === undefined) return;
    await turn();
  }
}

interface TagRow {
  name: Tag;
  digest: Digest;
  updated_at: number;
}

/** A walk of an index from where the last one ended. */
async function page(context: RegistryContext, repositoryId: number, last: TagRow | undefined): Promise<TagRow[]> {
  return context.database.read
    .selectFrom('tags')
    .select(['name', 'digest', 'updated_at'])
    .where('repository_id', '=', repositoryId)
    .$if(last !== undefined, (query) =>
      query.where(sql<boolean>`(updated_at, name) < (${last?.updated_at ?? 0}, ${last?.name ?? ''})`),
    )
    .orderBy('updated_at', 'desc')
    .orderBy('name', 'desc')
    .limit(PIECE[context.database.kind])
    .execute();
}

async function factsOf(
  context: RegistryContext,
  repository: Repository,
  rows: readonly TagRow[],
  inUse: ReadonlySet<Digest>,
): Promise<TagFacts[]> {
  if (rows.length === 0) return [];
  const digests = [...new Set(rows.map((row) => row.digest))];
  const within = await imagesWithin(context, repository.id, digests);
  const around = inUse.size === 0 ? new Map<Digest, Digest[]>() : await indexesAround(context, repository.id, digests);
  const companions = new Map<Tag, Digest>();
  for (const { name } of rows) {
    const of = companionOf(name);
    if (of !== undefined) companions.set(name, of);
  }
  const pullTimes = await pulledAt(context, repository.id, [...new Set([...digests, ...companions.values()])]);
  return rows.map((row) => {
    const entries = within.get(row.digest) ?? [];
    const family = [row.digest, ...entries.map((entry) => entry.digest), ...(around.get(row.digest) ?? [])];
    const pulls = [pullTimes.get(row.digest) ?? null, ...entries.map((entry) => entry.pulledAt)].filter(
      (time) => time !== null,
    );
    const of = companions.get(row.name);
    return {
      name: row.name,
      digest: row.digest,
      pushedAt: row.updated_at,
      pulledAt: pulls.length === 0 ? null : Math.max(...pulls),
      immutable: isImmutable(repository, row.name),
      inUse: family.some((digest) => inUse.has(digest)),
      companion: of === undefined ? undefined : { of, there: pullTimes.has(of) },
    };
  });
}

/** cosign's signatures, attestations and SBOMs, and the specification's fallback for referrers ("Referrers Tag Schema"). */
function companionOf(tag: Tag): Digest | undefined {
  const match = /^(sha256|sha512)-([0-9a-f]+)(?:\.[a-z0-9.]+)?$/.exec(tag);
  const digest = match === null ? '' : `${match[1]}:${match[2]}`;
  return isDigest(digest) ? digest : undefined;
}

async function imagesWithin(
  context: RegistryContext,
  repositoryId: number,
  indexes: readonly Digest[],
): Promise<Map<Digest, { digest: Digest; pulledAt: number | null }[]>> {
  const rows = await context.database.read
    .selectFrom('manifest_references as r')
    .innerJoin('manifests as m', (join) =>
      join.onRef('m.repository_id', '=', 'r.repository_id').onRef('m.digest', '=', 'r.target'),
    )
    .select(['r.manifest', 'm.digest', 'm.pulled_at'])
    .where('r.repository_id', '=', repositoryId)
    .where('r.manifest', 'in', indexes)
    .where('r.kind', '=', 'manifest')
    .execute();
  const found = new Map<Digest, { digest: Digest; pulledAt: number | null }[]>();
  for (const { manifest, digest, pulled_at } of rows) {
    found.set(manifest, [...(found.get(manifest) ?? []), { digest, pulledAt: pulled_at }]);
  }
  return found;
}

async function indexesAround(
  context: RegistryContext,
  repositoryId: number,
  images: readonly Digest[],
): Promise<Map<Digest, Digest[]>> {
  const rows = await context.database.read
    .selectFrom('manifest_references')
    .select(['manifest', 'target'])
    .where('repository_id', '=', repositoryId)
    .where('target', 'in', images)
    .where('kind', '=', 'manifest')
    .execute();
  const found = new Map<Digest, Digest[]>();
  for (const { manifest, target } of rows) found.set(target, [...(found.get(target) ?? []), manifest]);
  return found;
}

/** Of those that are there. */
async function pulledAt(
  context: RegistryContext,
  repositoryId: number,
  digests: readonly Digest[],
): Promise<Map<Digest, number | null>> {
  const rows = await context.database.read
    .selectFrom('manifests')
    .select(['digest', 'pulled_at'])
    .where('repository_id', '=', repositoryId)
    .where('digest', 'in', digests)
    .execute();
  return new Map(rows.map((row) => [row.digest, row.pulled_at]));
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
