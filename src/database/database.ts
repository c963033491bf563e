import type { Compilable, CompiledQuery, Kysely, Transaction } from 'kysely';
import type { Schema } from './schema.ts';

export type DatabaseKind = 'sqlite' | 'postgres';

/** What the domain folders get: one typed query text that runs on SQLite and on PostgreSQL. */
export interface Database {
  readonly kind: DatabaseKind;

  /** For reads. Each query sees what was committed before it began, by any process. */
  readonly read: Kysely<Schema>;

  /**
   * Runs `work` in a write transaction. On return what it wrote is durable: a power cut loses nothing. On SQLite
   * there is one writer at a time over all processes, so `work` awaits nothing but its own queries. `work` may run
   * more than once (PostgreSQL deadlock, SQLite on a full disk), so it changes nothing outside the transaction.
   */
  transaction<T>(work: (tx: Transaction<Schema>) => Promise<T>, kind?: TransactionKind): Promise<T>;

  /**
   * The same, without waiting for the disk: a crash of the process loses nothing, a power cut may lose the last
   * moments. For what nobody was told is durable: upload sessions, protection times, leases.
   */
  relaxedTransaction<T>(work: (tx: Transaction<Schema>) => Promise<T>, kind?: TransactionKind): Promise<T>;

  /**
   * Asked before something large is taken in.
   *
   * @throws DatabaseFullError while the disk has no more room than what is kept for deleting (`disk-reserve.ts`)
   */
  requireRoom(): void;

  /** Whether it answers, and what is written would be found again. @throws DatabaseUnavailableError that says why not */
  check(): Promise<void>;

  /** A query of the pull path, compiled once; call the result with the values in the query's order. */
  prepare<Row>(query: Compilable<Row>): PreparedRead<Row>;

  /**
   * A number that differs when any process has committed since it was last read; undefined when the database has no
   * cheap one, and then nothing that may change can be cached.
   */
  version(): number | undefined;

  /**
   * Runs `work` on the database as it is at one moment, however long `work` takes and whatever others commit meanwhile. Holds no
   * write lock; the schema stays as it is until then.
   */
  snapshot<T>(work: (snapshot: Snapshot) => Promise<T>): Promise<T>;

  close(): Promise<void>;
}

/** `growth` is what a full disk is to refuse: it gets nothing of the room that is kept for everything else. */
export type TransactionKind = 'growth' | 'other';

/** The database of one moment. */
export interface Snapshot {
  /** The names of all tables, sorted. */
  readonly tables: readonly string[];
  /** The rows of a query without parameters, some at a time: no table is read into memory. One query at a time. */
  rows<Row>(query: CompiledQuery<Row>): AsyncIterable<Row[]>;
}

/** The first row, or undefined. */
export type PreparedRead<Row> = (...values: (string | number)[]) => Row | undefined | Promise<Row | undefined>;

/** The database has no space left. Nothing committed is affected. */
export class DatabaseFullError extends Error {
  override readonly name = 'DatabaseFullError';
}

/** The database does not answer, or can't be written. Says nothing about what is in it. */
export class DatabaseUnavailableError extends Error {
  override readonly name = 'DatabaseUnavailableError';
}

/** The data was written by a newer Berth. */
export class NewerSchemaError extends Error {
  override readonly name = 'NewerSchemaError';
}
