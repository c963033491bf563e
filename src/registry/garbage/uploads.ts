import type { GarbageRun } from './run.ts';

/** Removes uploads that nobody continued, and upload bytes that no row names. Returns how many. */
export async function expireUploads(run: GarbageRun): Promise<number> {
  const { database, store, policy } = run.context;
  const now = run.context.now();
  const cutoff = now - policy.uploadExpiryMs;
  const expired = await database.read
    .selectFrom('uploads')
    .select(['id', 'touched_at'])
    .where('touched_at', '<', cutoff)
    .where((where) => where.or([where('holder', 'is', null), where('holder_until', '<', now)]))
    .execute();
  let count = 0;
  for (const { id, touched_at } of expired) {
    run.item({ kind: 'upload', upload: id, why: `no byte since ${new Date(touched_at).toISOString()}` });
    if (!run.dryRun) {
      const deleted = await database.relaxedTransaction((tx) =>
        tx
          .deleteFrom('uploads')
          .where('id', '=', id)
          .where('touched_at', '<', cutoff)
          .where((where) => where.or([where('holder', 'is', null), where('holder_until', '<', now)]))
          .executeTakeFirst(),
      );
      if (deleted.numDeletedRows === 0n) continue;
      await store.discardUpload(id);
      await run.breathe();
    }
    count++;
  }
  if (!run.dryRun) await forgetFetches(run.context);
  return count + (await removeOrphanUploads(run, cutoff));
}

/** Of transfers from upstreams that nobody took up again: without its upload there is nothing to go on from. */
async function forgetFetches({ database, now }: GarbageRun['context']): Promise<void> {
  await database.relaxedTransaction((tx) =>
    tx
      .deleteFrom('cache_fetches')
      .where('until', '<', now())
      .where((where) =>
        where.or([
          where('upload', 'is', null),
          where.not(
            where.exists((select) =>
              select.selectFrom('uploads').select('uploads.id').whereRef('uploads.id', '=', 'cache_fetches.upload'),
            ),
          ),
        ]),
      )
      .execute(),
  );
}

async function removeOrphanUploads(run: GarbageRun, cutoff: number): Promise<number> {
  const { database, store } = run.context;
  let count = 0;
  for await (const { id, modifiedAt } of store.listUploads()) {
    if (modifiedAt >= cutoff) continue;
    const row = await database.read.selectFrom('uploads').select('id').where('id', '=', id).executeTakeFirst();
    if (row !== undefined) continue;
    run.item({ kind: 'upload', upload: id, why: 'bytes of an upload that is over' });
    if (!run.dryRun) await store.discardUpload(id);
    count++;
  }
  return count;
}
