import { sql } from 'kysely';
import type { Database } from '../database/database.ts';
import type { Digest } from '../oci/digest.ts';

/** A stored time is left as it is for so long: what is pulled all the time is written seldom. */
const EXACT_TO_MS = 5 * 60_000;
/** Manifests that are noted between two flushes; what comes beyond is not. About 150 bytes each. */
const MOST_NOTES = 100_000;
const BATCH = 200;

interface Note {
  repositoryId: number;
  digest: Digest;
  at: number;
}

/**
 * When manifests were last pulled. A pull is noted in memory and waits for nothing; `flush` writes it down. What is noted when the
 * process is killed is lost.
 */
export class PullTimes {
  #notes = new Map<string, number>();
  #flushing: Promise<void> = Promise.resolve();

  /** @param at ms since 1970 */
  note(repositoryId: number, digest: Digest, at: number): void {
    if (this.#notes.size < MOST_NOTES) this.#notes.set(`${repositoryId} ${digest}`, at);
  }

  /** Writes down what was noted until now. When that fails it is noted still. @throws DatabaseUnavailableError, DatabaseFullError */
  flush(database: Database): Promise<void> {
    const flushed = this.#flushing.then(() => this.#flush(database));
    this.#flushing = flushed.catch(() => {});
    return flushed;
  }

  async #flush(database: Database): Promise<void> {
    const notes = this.#notes;
    this.#notes = new Map();
    // In one order, so that processes that write the same rows wait for each other and do not deadlock.
    const keys = [...notes.keys()].sort();
    for (let i = 0; i < keys.length; i += BATCH) {
      const batch = keys.slice(i, i + BATCH).map((key) => noteOf(key, notes));
      try {
        await write(database, batch);
      } catch (error) {
        for (const key of keys.slice(i)) if (!this.#notes.has(key)) this.#notes.set(key, notes.get(key) ?? 0);
        throw error;
      }
    }
  }
}

function noteOf(key: string, notes: ReadonlyMap<string, number>): Note {
  const space = key.indexOf(' ');
  return { repositoryId: Number(key.slice(0, space)), digest: key.slice(space + 1) as Digest, at: notes.get(key) ?? 0 };
}

async function write(database: Database, notes: readonly Note[]): Promise<void> {
  const rows = notes.map(
    ({ repositoryId, digest, at }) =>
      sql`(cast(${repositoryId} as bigint), cast(${digest} as text), cast(${at} as bigint))`,
  );
  const noted = sql`(values ${sql.join(rows)}) as noted`;
  const isOlder = sql`m.repository_id = noted.column1 and m.digest = noted.column2
    and (m.pulled_at is null or m.pulled_at < noted.column3 - ${sql.lit(EXACT_TO_MS)})`;
  // Looked at first without a transaction: most of the time there is nothing to write. The cross join is SQLite's word for this order.
  const older = await sql`select 1 from ${noted} cross join manifests m where ${isOlder} limit 1`.execute(
    database.read,
  );
  if (older.rows.length === 0) return;
  await database.relaxedTransaction((tx) =>
    sql`update manifests as m set pulled_at = noted.column3 from ${noted} where ${isOlder}`.execute(tx),
  );
}
