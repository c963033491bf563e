import type { Digest } from '../../oci/digest.ts';
import type { RepositoryName } from '../../oci/names.ts';
import type { RegistryContext } from '../context.ts';
import { dropContent } from '../namespace-content.ts';
import { blobsAreHeld } from './hold.ts';
import type { GarbageRun } from './run.ts';

const PAGE = 1_000;
const BATCH = 50;
/** Blobs whose bytes go between two rests: a push of one of them waits that long. */
const REMOVALS = 25;

/**
 * Takes blobs out of a repository that no manifest there names and that are not protected.
 *
 * @param dead manifests that a dry run counts as gone
 * @param freed counts, for a dry run, from how many repositories a blob would go
 */
export async function unlinkBlobs(
  run: GarbageRun,
  repository: { id: number; name: RepositoryName },
  dead: ReadonlySet<Digest>,
  freed: Map<Digest, number>,
): Promise<number> {
  const { database } = run.context;
  let count = 0;
  for (let last = '' as Digest | undefined; last !== undefined; ) {
    const now = run.context.now();
    const rows: { digest: Digest; protected_until: number }[] = await database.read
      .selectFrom('repository_blobs')
      .select(['digest', 'protected_until'])
      .where('repository_id', '=', repository.id)
      .where('digest', '>', last)
      .orderBy('digest')
      .limit(PAGE)
      .execute();
    last = rows.length < PAGE ? undefined : rows.at(-1)?.digest;
    const unprotected = rows.filter((row) => row.protected_until <= now).map((row) => row.digest);
    const unnamed = await unnamedBlobs(run, repository.id, unprotected, run.dryRun ? dead : new Set());
    for (const digest of unnamed) {
      freed.set(digest, (freed.get(digest) ?? 0) + 1);
      run.item({
        kind: 'link',
        repository: repository.name,
        digest,
        why: 'no manifest of the repository names it, grace window over',
      });
    }
    if (run.dryRun) {
      count += unnamed.length;
      continue;
    }
    for (let i = 0; i < unnamed.length; i += BATCH) {
      count += await unlinkBatch(run, repository.id, unnamed.slice(i, i + BATCH));
      run.progress('links', count);
      await run.breathe();
    }
  }
  return count;
}

async function unlinkBatch(run: GarbageRun, repositoryId: number, digests: Digest[]): Promise<number> {
  const { database } = run.context;
  return database.relaxedTransaction(async (tx) => {
    if (database.kind === 'postgres') {
      // The next statement then sees the references of every manifest that touched these rows.
      await tx
        .selectFrom('repository_blobs')
        .select('digest')
        .where('repository_id', '=', repositoryId)
        .where('digest', 'in', digests)
        .forUpdate()
        .execute();
    }
    const gone = await tx
      .deleteFrom('repository_blobs')
      .where('repository_id', '=', repositoryId)
      .where('digest', 'in', digests)
      .where('protected_until', '<=', run.context.now())
      .where((where) =>
        where.not(
          where.exists(
            where
              .selectFrom('manifest_references as r')
              .select('r.target')
              .whereRef('r.repository_id', '=', 'repository_blobs.repository_id')
              .whereRef('r.target', '=', 'repository_blobs.digest'),
          ),
        ),
      )
      .returning('digest')
      .execute();
    await dropContent(
      run.context,
      tx,
      repositoryId,
      gone.map((row) => row.digest),
    );
    return gone.length;
  });
}

async function unnamedBlobs(
  run: GarbageRun,
  repositoryId: number,
  digests: Digest[],
  dead: ReadonlySet<Digest>,
): Promise<Digest[]> {
  if (digests.length === 0) return [];
  const named = await run.context.database.read
    .selectFrom('manifest_references')
    .select(['target', 'manifest'])
    .where('repository_id', '=', repositoryId)
    .where('target', 'in', digests)
    .execute();
  const kept = new Set(named.filter((row) => !dead.has(row.manifest)).map((row) => row.target));
  return digests.filter((digest) => !kept.has(digest));
}

/**
 * Marks blobs that no repository has as `deleting`: from here on a push of the same bytes waits. Durable, and with it all
 * that was removed before: bytes must not go while a power cut could bring back a row that promises them. Marks none while a
 * backup holds the blobs.
 */
export async function condemnBlobs(run: GarbageRun): Promise<void> {
  const { database } = run.context;
  for (let last = '' as Digest | undefined; last !== undefined; ) {
    const now = run.context.now();
    const rows: { digest: Digest }[] = await database.read
      .selectFrom('blobs')
      .select('digest')
      .where('digest', '>', last)
      .where('protected_until', '<=', now)
      .where((where) =>
        where.not(
          where.exists(
            where.selectFrom('repository_blobs as l').select('l.digest').whereRef('l.digest', '=', 'blobs.digest'),
          ),
        ),
      )
      .orderBy('digest')
      .limit(BATCH)
      .execute();
    last = rows.length < BATCH ? undefined : rows.at(-1)?.digest;
    if (rows.length === 0) break;
    const digests = rows.map((row) => row.digest);
    const held = await database.transaction(async (tx) => {
      if (await blobsAreHeld(run.context, tx)) return true;
      if (database.kind === 'postgres') {
        await tx.selectFrom('blobs').select('digest').where('digest', 'in', digests).forUpdate().execute();
      }
      await tx
        .updateTable('blobs')
        .set({ state: 'deleting' })
        .where('digest', 'in', digests)
        .where('protected_until', '<=', now)
        .where((where) =>
          where.not(
            where.exists(
              where.selectFrom('repository_blobs as l').select('l.digest').whereRef('l.digest', '=', 'blobs.digest'),
            ),
          ),
        )
        .execute();
      return false;
    });
    if (held) return;
    run.context.onStep('blob-condemned');
    await run.breathe();
  }
}

/** Removes the bytes of a blob if its row is still `deleting`; returns whether they are gone. Throws when the lease is lost. */
async function removeBytes(run: GarbageRun, digest: Digest): Promise<boolean> {
  await run.keepLease();
  if ((await stateOf(run.context, digest)) !== 'deleting') return false;
  let gone = true;
  await run.context.store.remove(digest, async () => {
    gone = await mayGo(run.context, digest);
    return gone;
  });
  return gone;
}

/**
 * Asked once more when the bytes are out of reach: another collector may have taken over while this process stood still, have finished,
 * and the same bytes may have been pushed again since. Bytes that no row names any more are those of a removal that is over.
 */
async function mayGo(context: RegistryContext, digest: Digest): Promise<boolean> {
  const state = await stateOf(context, digest);
  return state === undefined || state === 'deleting';
}

async function stateOf(context: RegistryContext, digest: Digest) {
  const row = await context.database.read
    .selectFrom('blobs')
    .select('state')
    .where('digest', '=', digest)
    .executeTakeFirst();
  return row?.state;
}

/** Ends what collectors that died had out of reach. Needs no lease: whoever else asks about the same bytes gets the same answer. */
export async function finishRemovals(context: RegistryContext): Promise<void> {
  await context.store.finishRemovals((digest) => mayGo(context, digest));
}

/** Removes the bytes of every `deleting` blob, then its row; also those that a crashed collection left. `only` one of them when given. */
export async function removeCondemned(run: GarbageRun, only?: Digest): Promise<{ blobs: number; bytes: number }> {
  const { database } = run.context;
  let condemned = database.read.selectFrom('blobs').select(['digest', 'size']).where('state', '=', 'deleting');
  if (only !== undefined) condemned = condemned.where('digest', '=', only);
  const rows = await condemned.execute();
  let blobs = 0;
  let bytes = 0;
  for (let i = 0; i < rows.length; i += REMOVALS) {
    const removed: Digest[] = [];
    try {
      for (const { digest, size } of rows.slice(i, i + REMOVALS)) {
        if (!(await removeBytes(run, digest))) continue;
        run.item({ kind: 'blob', digest, size, why: 'no repository has it' });
        run.context.onStep('blob-removed');
        removed.push(digest);
        bytes += size;
      }
    } finally {
      await forget(run, removed);
    }
    blobs += removed.length;
    run.progress('blobs', blobs, rows.length);
    await run.breathe();
  }
  return { blobs, bytes };
}

/** The rows of bytes that are gone. Until then a push of the same bytes waits. */
async function forget(run: GarbageRun, digests: readonly Digest[]): Promise<void> {
  if (digests.length === 0) return;
  await run.context.database.relaxedTransaction((tx) =>
    tx.deleteFrom('blobs').where('digest', 'in', digests).where('state', '=', 'deleting').execute(),
  );
}

/** What `condemnBlobs` and `removeCondemned` would remove after this dry run's links. */
export async function wouldFreeBlobs(
  run: GarbageRun,
  freed: ReadonlyMap<Digest, number>,
): Promise<{ blobs: number; bytes: number }> {
  const { database } = run.context;
  let blobs = 0;
  let bytes = 0;
  for (let last = '' as Digest | undefined; last !== undefined; ) {
    const rows: { digest: Digest; size: number; links: number | string }[] = await database.read
      .selectFrom('blobs as b')
      .leftJoin('repository_blobs as l', 'l.digest', 'b.digest')
      .select((select) => ['b.digest', 'b.size', select.fn.count<number>('l.digest').as('links')])
      .where('b.digest', '>', last)
      .where('b.protected_until', '<=', run.context.now())
      .groupBy(['b.digest', 'b.size'])
      .orderBy('b.digest')
      .limit(PAGE)
      .execute();
    last = rows.length < PAGE ? undefined : rows.at(-1)?.digest;
    for (const { digest, size, links } of rows) {
      if (Number(links) > (freed.get(digest) ?? 0)) continue;
      run.item({ kind: 'blob', digest, size, why: 'no repository would have it' });
      blobs++;
      bytes += size;
    }
  }
  return { blobs, bytes };
}

/** Removes bytes that no row names and that are older than the grace window. */
export async function removeOrphans(run: GarbageRun): Promise<{ blobs: number; bytes: number }> {
  const { database, store, policy } = run.context;
  let blobs = 0;
  let bytes = 0;
  for await (const { digest, size, modifiedAt } of store.list()) {
    await run.keepLease();
    if (modifiedAt > run.context.now() - policy.graceMs) continue;
    if ((await stateOf(run.context, digest)) !== undefined) continue;
    run.item({ kind: 'orphan', digest, size, why: 'bytes in the store that no row names' });
    if (run.dryRun) {
      blobs++;
      bytes += size;
      continue;
    }
    // The row comes first, so that a push of the same bytes waits instead of losing them.
    const condemned = await database.transaction((tx) =>
      tx
        .insertInto('blobs')
        .values({ digest, size, state: 'deleting', protected_until: 0 })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst(),
    );
    if ((condemned.numInsertedOrUpdatedRows ?? 0n) === 0n || !(await removeBytes(run, digest))) continue;
    await forget(run, [digest]);
    blobs++;
    bytes += size;
    await run.breathe();
  }
  return { blobs, bytes };
}
