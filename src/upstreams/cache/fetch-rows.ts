import type { RegistryContext } from '../../registry/context.ts';

const HOLD_MS = 10_000;
const HEARTBEAT_MS = 2_000;

export interface FetchRow {
  /** Of a blob: where its bytes go; null before the first. */
  upload: string | null;
}

/** What a process holds of a key. */
export interface HeldFetch extends FetchRow {
  /** Fires when another process has taken over, or the hold could not be prolonged in time. */
  readonly lost: AbortSignal;
  /** Asks the database whether it is held still: another process may have taken over without `lost` having fired yet. */
  isMine(): Promise<boolean>;
  /** Says where the bytes go, for who follows. */
  setUpload(upload: string): Promise<void>;
  /** Ends the hold; `keep` leaves the row, so that the next one goes on with its upload. */
  release(keep: boolean): Promise<void>;
}

/**
 * Which process asks an upstream for what, in the table `cache_fetches`: one at a time for each key. One that died is passed over after
 * `HOLD_MS`, and at once when its end is known.
 */
export class FetchRows {
  readonly #registry: RegistryContext;

  constructor(registry: RegistryContext) {
    this.#registry = registry;
  }

  /** Takes a key that nobody holds; else the row of who does. */
  async claim(key: string): Promise<{ held: HeldFetch } | { other: FetchRow }> {
    const { database, now, process, newId } = this.#registry;
    const holder = `${process}:${newId()}`;
    const at = now();
    const row = { holder, until: at + HOLD_MS };
    const { taken, other } = await database.relaxedTransaction(async (tx) => {
      const taken = await tx
        .insertInto('cache_fetches')
        .values({ key, upload: null, ...row })
        .onConflict((conflict) => conflict.column('key').doUpdateSet(row).where('cache_fetches.until', '<', at))
        .returning('upload')
        .executeTakeFirst();
      if (taken !== undefined) return { taken, other: undefined };
      const other = await tx.selectFrom('cache_fetches').select('upload').where('key', '=', key).executeTakeFirst();
      return { taken, other };
    });
    // Only what is committed is renewed.
    return taken === undefined
      ? { other: other ?? { upload: null } }
      : { held: this.#held(key, holder, taken.upload, at + HOLD_MS) };
  }

  /** Whether somebody holds the key now, and where the bytes of its blob go. */
  async look(key: string): Promise<(FetchRow & { held: boolean }) | undefined> {
    const row = await this.#registry.database.read
      .selectFrom('cache_fetches')
      .select(['upload', 'until'])
      .where('key', '=', key)
      .executeTakeFirst();
    return row && { upload: row.upload, held: row.until >= this.#registry.now() };
  }

  #held(key: string, holder: string, upload: string | null, until: number): HeldFetch {
    const { database, now } = this.#registry;
    const lost = new AbortController();
    let validUntil = until;
    let renewing = false;
    const renew = async () => {
      const until = now() + HOLD_MS;
      const renewed = await database.relaxedTransaction((tx) =>
        tx
          .updateTable('cache_fetches')
          .set({ until })
          .where('key', '=', key)
          .where('holder', '=', holder)
          .executeTakeFirst(),
      );
      if (renewed.numUpdatedRows === 0n) lost.abort(new Error('another process fetches it'));
      else validUntil = until;
    };
    const heartbeat = setInterval(() => {
      if (now() > validUntil) lost.abort(new Error('the database did not answer in time'));
      if (renewing) return;
      renewing = true;
      // A database that is away for a moment is no reason to stop.
      renew()
        .catch(() => {})
        .finally(() => {
          renewing = false;
        });
    }, HEARTBEAT_MS);
    const mine = { key, holder };
    return {
      upload,
      lost: lost.signal,
      async isMine() {
        const row = await database.read
          .selectFrom('cache_fetches')
          .select('holder')
          .where('key', '=', mine.key)
          .executeTakeFirst();
        return row?.holder === mine.holder;
      },
      async setUpload(id) {
        await database.relaxedTransaction((tx) =>
          tx
            .updateTable('cache_fetches')
            .set({ upload: id })
            .where('key', '=', mine.key)
            .where('holder', '=', mine.holder)
            .execute(),
        );
      },
      async release(keep) {
        clearInterval(heartbeat);
        await database.relaxedTransaction(async (tx) => {
          if (keep) {
            await tx
              .updateTable('cache_fetches')
              // Nobody's, also for a renewal that is under way.
              .set({ until: 0, holder: '' })
              .where('key', '=', mine.key)
              .where('holder', '=', mine.holder)
              .execute();
          } else {
            await tx
              .deleteFrom('cache_fetches')
              .where('key', '=', mine.key)
              .where('holder', '=', mine.holder)
              .execute();
          }
        });
      },
    };
  }
}

/** Lets go of what a process held that is known to have ended; '' is every process. */
export async function releaseFetchesOf({ database }: RegistryContext, process: string): Promise<void> {
  const held = process === '' ? '%' : `${process}:%`;
  await database.relaxedTransaction((tx) =>
    tx.updateTable('cache_fetches').set({ until: 0 }).where('holder', 'like', held).execute(),
  );
}
