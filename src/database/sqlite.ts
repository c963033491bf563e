import { Database as BunSqlite, type SQLQueryBindings, type Statement } from 'bun:sqlite';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  type Compilable,
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type Transaction,
} from 'kysely';
import {
  type Database,
  DatabaseFullError,
  DatabaseUnavailableError,
  type PreparedRead,
  type Snapshot,
  type TransactionKind,
} from './database.ts';
import { DiskReserve } from './disk-reserve.ts';
import { Mutex } from './mutex.ts';
import type { Schema } from './schema.ts';
import { SqliteFile } from './sqlite-file.ts';

/** How long a writer waits for the other transactions, of this process and of others, before it gives up. */
const WRITE_WAIT_MS = 15_000;
/** A database up to this size is read whole when it is checked; a larger one would make the start long. */
const CHECKED_BYTES = 64 * 1024 * 1024;
/** Rows of a snapshot that are handed out together. */
const BATCH = 200;

/**
 * SQLite in WAL mode: one connection that writes and one that reads, in each process.
 *
 * A writer begins with BEGIN IMMEDIATE, so that it holds the write lock or has changed nothing; when another process
 * holds it, the wait is on the event loop and not inside SQLite, so that reads go on.
 */
export class SqliteDatabase implements Database {
  readonly kind = 'sqlite';
  readonly read: Kysely<Schema>;
  readonly #path: string;
  readonly #writer: BunSqlite;
  readonly #reader: BunSqlite;
  readonly #write: Kysely<Schema>;
  readonly #version: Statement<{ data_version: number }, []>;
  readonly #mutex = new Mutex();
  readonly #reserve: DiskReserve;
  readonly #file: SqliteFile;
  #durable = true;

  /**
   * @param options.existing a file that is not there is an error, and not a new, empty database
   * @throws DatabaseUnavailableError when the file can't be opened or written, DatabaseFullError
   */
  constructor(path: string, options: { existing?: boolean } = {}) {
    this.#path = path;
    this.#reserve = new DiskReserve(join(dirname(path), 'full-disk-reserve'));
    const create = options.existing !== true;
    if (!create && !existsSync(path)) {
      throw new DatabaseUnavailableError(
        `${path} is not there: put it back, or bring back a backup with berth restore`,
      );
    }
    this.#writer = this.#onFullDisk(() => opened(path, create));
    this.#reader = opened(path);
    this.#file = new SqliteFile(path);
    this.#writer.run('PRAGMA busy_timeout = 0');
    this.read = new Kysely({ dialect: dialect(this.#reader) });
    this.#write = new Kysely({ dialect: dialect(this.#writer) });
    this.#version = this.#reader.prepare('PRAGMA data_version');
  }

  transaction<T>(work: (tx: Transaction<Schema>) => Promise<T>, kind: TransactionKind = 'other'): Promise<T> {
    return this.#transact(work, true, kind);
  }

  relaxedTransaction<T>(work: (tx: Transaction<Schema>) => Promise<T>, kind: TransactionKind = 'other'): Promise<T> {
    return this.#transact(work, false, kind);
  }

  requireRoom(): void {
    if (this.#reserve.isWhole()) return;
    throw new DatabaseFullError('no space left: what there is, is kept for deleting and for garbage collection');
  }

  async check(): Promise<void> {
    this.#file.requireInPlace();
  }

  /** Keeps room for deletions on a full disk, where there is room to keep. */
  makeReserve(): void {
    this.#reserve.make();
  }

  /** Reads a small database whole; of a large one, what is used tells. @throws DatabaseUnavailableError when it is damaged */
  requireWhole(): void {
    if (statSync(this.#path).size > CHECKED_BYTES) return;
    try {
      const found = this.#reader.query<{ quick_check: string }, []>('PRAGMA quick_check(1)').get()?.quick_check;
      if (found !== 'ok') throw new DatabaseUnavailableError(DAMAGED, { cause: new Error(found) });
    } catch (error) {
      throw sqliteError(error);
    }
  }

  prepare<Row>(query: Compilable<Row>): PreparedRead<Row> {
    const { sql } = query.compile();
    // At the first call: whoever opens data of another version finds out about that first.
    let statement: Statement<Row, SQLQueryBindings[]> | undefined;
    return (...values) => {
      try {
        statement ??= this.#reader.prepare<Row, SQLQueryBindings[]>(sql);
        return statement.get(...values) ?? undefined;
      } catch (error) {
        throw sqliteError(error);
      }
    };
  }

  version(): number {
    return this.#version.get()?.data_version ?? 0;
  }

  async snapshot<T>(work: (snapshot: Snapshot) => Promise<T>): Promise<T> {
    const connection = opened(this.#path);
    try {
      connection.run('BEGIN');
      const names = connection.query<{ name: string }, []>(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name",
      );
      const tables = names.all().map(({ name }) => name);
      return await work({ tables, rows: (query) => batches(connection, query.sql) });
    } catch (error) {
      throw sqliteError(error);
    } finally {
      connection.close();
    }
  }

  async close(): Promise<void> {
    await this.#mutex.run(async () => {
      this.#reader.close();
      this.#writer.close();
    });
  }

  async #transact<T>(
    work: (tx: Transaction<Schema>) => Promise<T>,
    durable: boolean,
    kind: TransactionKind,
  ): Promise<T> {
    const deadline = performance.now() + WRITE_WAIT_MS;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(work, durable, deadline);
      } catch (error) {
        if (!(error instanceof DatabaseFullError)) throw error;
        if (attempt === 1 && (await this.#reuseLog())) continue;
        if (kind === 'growth' || !this.#reserve.spend()) throw error;
      }
    }
  }

  /** Lets the log begin anew in the room that it has, as it would by itself after 4 MB. False when it can't now. */
  #reuseLog(): Promise<boolean> {
    return this.#mutex.run(async () => {
      try {
        return this.#writer.query<{ busy: number }, []>('PRAGMA wal_checkpoint(RESTART)').get()?.busy === 0;
      } catch {
        // Its pages have no room in the file.
        return false;
      }
    });
  }

  #attempt<T>(work: (tx: Transaction<Schema>) => Promise<T>, durable: boolean, deadline: number): Promise<T> {
    return this.#mutex.run(async () => {
      await this.#begin(durable, deadline);
      let result: T;
      try {
        this.#file.requireInPlace();
        // Kysely's own `transaction()` would begin a second one; the handle has the same queries.
        result = await work(this.#write as Transaction<Schema>);
        this.#writer.run('COMMIT');
      } catch (error) {
        if (this.#writer.inTransaction) this.#writer.run('ROLLBACK');
        throw sqliteError(error);
      }
      if (durable) this.#file.requireInPlace();
      return result;
    });
  }

  async #begin(durable: boolean, deadline: number): Promise<void> {
    if (durable !== this.#durable) {
      this.#writer.run(`PRAGMA synchronous = ${durable ? 'FULL' : 'NORMAL'}`);
      this.#durable = durable;
    }
    for (let wait = 0.2; ; wait = Math.min(wait * 1.5, 5)) {
      try {
        this.#writer.run('BEGIN IMMEDIATE');
        return;
      } catch (error) {
        if (!isBusy(error)) throw sqliteError(error);
        if (performance.now() > deadline) {
          throw new DatabaseUnavailableError(`the database was locked for ${WRITE_WAIT_MS / 1000} s`, { cause: error });
        }
        await Bun.sleep(wait * (0.5 + Math.random()));
      }
    }
  }

  /** Opening needs room too: the log's index. */
  #onFullDisk<T>(work: () => T): T {
    for (;;) {
      try {
        return work();
      } catch (error) {
        if (!(error instanceof DatabaseFullError) || !this.#reserve.spend()) throw error;
      }
    }
  }
}

async function* batches<Row>(connection: BunSqlite, text: string): AsyncIterable<Row[]> {
  const statement = connection.prepare<Row, []>(text);
  try {
    let batch: Row[] = [];
    for (const row of statement.iterate()) {
      batch.push(row);
      if (batch.length < BATCH) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  } catch (error) {
    throw sqliteError(error);
  } finally {
    statement.finalize();
  }
}

/** @throws DatabaseUnavailableError, DatabaseFullError */
function opened(path: string, create = false): BunSqlite {
  let connection: BunSqlite | undefined;
  try {
    connection = new BunSqlite(path, { create, readwrite: true });
    // First of all: another process may hold the file while the next pragmas change it.
    connection.run('PRAGMA busy_timeout = 10000');
    connection.run('PRAGMA journal_mode = WAL');
    connection.run('PRAGMA synchronous = FULL');
    connection.run('PRAGMA foreign_keys = ON');
    connection.run('PRAGMA cache_size = -16384');
    // The first reading makes the log, or recovers what it holds.
    connection.run('SELECT 1 FROM sqlite_schema LIMIT 1');
    return connection;
  } catch (error) {
    connection?.close();
    throw sqliteError(error);
  }
}

function dialect(connection: BunSqlite) {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new BunSqliteDriver(connection),
    createIntrospector: (db: Kysely<unknown>) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/** Kysely's driver over one synchronous connection. Transactions are begun by `SqliteDatabase`. */
class BunSqliteDriver implements Driver {
  readonly #connection: DatabaseConnection;

  constructor(connection: BunSqlite) {
    this.#connection = new BunSqliteConnection(connection);
  }

  async init(): Promise<void> {}
  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection;
  }
  async beginTransaction(): Promise<void> {
    throw new Error('use Database.transaction');
  }
  async commitTransaction(): Promise<void> {}
  async rollbackTransaction(): Promise<void> {}
  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}
}

class BunSqliteConnection implements DatabaseConnection {
  readonly #connection: BunSqlite;

  constructor(connection: BunSqlite) {
    this.#connection = connection;
  }

  async executeQuery<R>(compiled: CompiledQuery): Promise<QueryResult<R>> {
    try {
      const statement = this.#connection.query<R, SQLQueryBindings[]>(compiled.sql);
      const values = compiled.parameters as SQLQueryBindings[];
      if (statement.columnNames.length > 0) return { rows: statement.all(...values) };
      const { changes, lastInsertRowid } = statement.run(...values);
      return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
    } catch (error) {
      throw sqliteError(error);
    }
  }

  /** Nothing of Berth's streams rows. */
  streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('streaming is not supported');
  }
}

function isBusy(error: unknown): boolean {
  return sqliteCode(error).startsWith('SQLITE_BUSY') || sqliteCode(error).startsWith('SQLITE_LOCKED');
}

function sqliteCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

const UNAVAILABLE = /^SQLITE_(BUSY|LOCKED|IOERR|READONLY|CANTOPEN|PERM|AUTH)/;
/** The second: the index of the log could not be made longer. */
const FULL = /^SQLITE_(FULL|IOERR_SHMSIZE)/;
const DAMAGED =
  'the database file is damaged: stop berth serve, keep a copy of the file, and bring back a backup with berth restore';

function sqliteError(error: unknown): unknown {
  const code = sqliteCode(error);
  if (FULL.test(code)) return new DatabaseFullError('no space left for the database', { cause: error });
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) return new DatabaseUnavailableError(DAMAGED, { cause: error });
  if (UNAVAILABLE.test(code)) {
    return new DatabaseUnavailableError(`the database does not answer (${code})`, { cause: error });
  }
  return error;
}
