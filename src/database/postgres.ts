import {
  type Compilable,
  Kysely,
  PostgresDialect,
  type PostgresPool,
  type PostgresPoolClient,
  sql,
  type Transaction,
} from 'kysely';
import pg from 'pg';
import {
  type Database,
  DatabaseFullError,
  DatabaseUnavailableError,
  type PreparedRead,
  type Snapshot,
} from './database.ts';
import type { Schema } from './schema.ts';

const INT8 = 20;
/** deadlock_detected, serialization_failure: the work is run again. */
const RETRY = new Set(['40P01', '40001']);
const RETRIES = 8;
/** Rows of a snapshot that are fetched together. */
const BATCH = 200;
/** A read of the pull path, on a server that takes queries and does not answer: waited for so long. */
const READ_WITHIN_MS = 10_000;
/** As long for any other query, also one that waits for somebody's lock. */
const QUERY_WITHIN_MS = 30_000;

/** PostgreSQL 13 or newer, through a pool. Transactions are READ COMMITTED; what needs more takes row locks. */
export class PostgresDatabase implements Database {
  readonly kind = 'postgres';
  readonly read: Kysely<Schema>;
  readonly #pool: pg.Pool;
  #prepared = 0;

  /**
   * @param url `postgres://user:password@host:port/database`
   * @param options.patient waits for a query as long as it takes, as a migration may
   */
  constructor(
    url: string,
    options: { connections?: number; onError?: (error: Error) => void; patient?: boolean } = {},
  ) {
    const types = new pg.TypeOverrides();
    // Every bigint of the schema is a time in ms, a size or an id: all below 2^53.
    types.setTypeParser(INT8, Number);
    this.#pool = new pg.Pool({
      connectionString: url,
      max: options.connections ?? 10,
      connectionTimeoutMillis: 10_000,
      // Whoever waits as long as it takes hears of a machine that is gone.
      keepAlive: true,
      keepAliveInitialDelayMillis: 30_000,
      ...(options.patient ? {} : { query_timeout: QUERY_WITHIN_MS }),
      types,
    });
    const onError = options.onError ?? (() => {});
    this.#pool.on('error', onError);
    // Also one that is in use: the query under way fails with the same error, and that is the one to answer for.
    this.#pool.on('connect', (client) => client.on('error', onError));
    this.read = new Kysely({ dialect: new PostgresDialect({ pool: explaining(this.#pool) }) });
  }

  transaction<T>(work: (tx: Transaction<Schema>) => Promise<T>): Promise<T> {
    return this.#transact(work);
  }

  relaxedTransaction<T>(work: (tx: Transaction<Schema>) => Promise<T>): Promise<T> {
    return this.#transact(async (tx) => {
      await sql`set local synchronous_commit = off`.execute(tx);
      return work(tx);
    });
  }

  prepare<Row>(query: Compilable<Row>): PreparedRead<Row> {
    const { sql: text } = query.compile();
    const name = `berth_${this.#prepared++}`;
    return async (...values) => {
      try {
        const query = { name, text, values, query_timeout: READ_WITHIN_MS };
        const { rows } = await this.#pool.query(query);
        return rows[0] as Row | undefined;
      } catch (error) {
        throw postgresError(error);
      }
    };
  }

  version(): undefined {
    return undefined;
  }

  async snapshot<T>(work: (snapshot: Snapshot) => Promise<T>): Promise<T> {
    const client = await explained(this.#pool.connect());
    let broken = true;
    try {
      const found = await explained(
        client.query<{ name: string }>(
          'select tablename as name from pg_tables where schemaname = current_schema() order by tablename collate "C"',
        ),
      );
      const tables = found.rows.map(({ name }) => name);
      await explained(client.query('begin isolation level repeatable read read only'));
      // Before the first query, which fixes the moment: a migration waits until this is over.
      const names = tables.map((name) => client.escapeIdentifier(name)).join(', ');
      if (names !== '') await explained(client.query(`lock table ${names} in access share mode`));
      await explained(client.query('select 1'));
      const result = await work({ tables, rows: (query) => batches(client, query.sql) });
      await explained(client.query('commit'));
      broken = false;
      return result;
    } finally {
      client.release(broken);
    }
  }

  /** The server looks after its own disk. */
  requireRoom(): void {}

  async check(): Promise<void> {}

  async close(): Promise<void> {
    await this.read.destroy();
    // Kysely ends the pool only if it has used it.
    if (!this.#pool.ended) await this.#pool.end();
  }

  async #transact<T>(work: (tx: Transaction<Schema>) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.read.transaction().setIsolationLevel('read committed').execute(work);
      } catch (error) {
        if (attempt >= RETRIES || !RETRY.has(postgresCode(error))) throw postgresError(error);
        await Bun.sleep(Math.random() * 10 * attempt);
      }
    }
  }
}

async function* batches<Row>(client: pg.PoolClient, text: string): AsyncIterable<Row[]> {
  await explained(client.query(`declare snapshot_rows no scroll cursor for ${text}`));
  let failed = false;
  try {
    for (;;) {
      const { rows } = await explained(
        client.query(`fetch ${BATCH} from snapshot_rows`).catch((error: unknown) => {
          failed = true;
          throw error;
        }),
      );
      if (rows.length > 0) yield rows as Row[];
      if (rows.length < BATCH) break;
    }
  } finally {
    // Also when its reader has enough; a transaction that failed has closed it.
    if (!failed) await explained(client.query('close snapshot_rows'));
  }
}

/** The pool as Kysely sees it, with errors in Berth's terms. */
function explaining(pool: pg.Pool): PostgresPool {
  return {
    end: () => pool.end(),
    async connect() {
      const client = await explained(pool.connect());
      let broken: unknown;
      const query = async (text: never, values: never) => {
        // A roll-back would wait for the answer that did not come.
        if (broken !== undefined) throw broken;
        try {
          return await explained(client.query(text, values));
        } catch (error) {
          if (error instanceof DatabaseUnavailableError && !(error.cause instanceof pg.DatabaseError)) broken = error;
          throw error;
        }
      };
      return { query, release: () => client.release(broken !== undefined) } as unknown as PostgresPoolClient;
    },
  };
}

async function explained<T>(result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    throw postgresError(error);
  }
}

function postgresCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** Class 08 connection, 53 resources, 57 operator intervention, 58 system error; the rest are Node's socket errors. */
const UNAVAILABLE = /^(08|53|57|58|25006|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|ENOENT)/;

function postgresError(error: unknown): unknown {
  const code = postgresCode(error);
  if (code === '53100') return new DatabaseFullError('no space left for the database', { cause: error });
  const text = error instanceof Error ? error.message : '';
  if (
    UNAVAILABLE.test(code) ||
    /timeout exceeded when trying to connect|Connection terminated|is not queryable|Query read timeout/.test(text)
  ) {
    return new DatabaseUnavailableError(`the database does not answer (${code || text})`, { cause: error });
  }
  return error;
}
