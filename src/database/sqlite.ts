import { Database as BunSqlite, type SQLQueryBindings, type Statement } from 'bun:sqlite';
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
} from './database.ts';
import { Mutex } from './mutex.ts';
import type { Schema } from './schema.ts';

/** How long a writer waits for the other processes' transactions before it gives up. */
const WRITE_WAIT_MS = 15_000;
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
  #durable = true;

  /** @throws DatabaseUnavailableError when the file can't be opened or written */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#writer = open(path);
      this.#reader = open(path);
    } catch (error) {
      throw sqliteError(error);
    }
    this.#writer.run('PRAGMA busy_timeout = 0');
    this.read = new Kysely({ dialect: dialect(this.#reader) });
    this.#write = new Kysely({ dialect: dialect(this.#writer) });
    this.#version = this.#reader.prepare('PRAGMA data_version');
  }

  transaction<T>(work: (tx: Transaction<Schema>) => Promise<T>): Promise<T> {
    return this.#transact(work, true);
  }

  relaxedTransaction<T>(work: (tx: Transaction<Schema>) => Promise<T>): Promise<T> {
    return this.#transact(work, false);
  }

  prepare<Row>(query: Compilable<Row>): PreparedRead<Row> {
    const statement = this.#reader.prepare<Row, SQLQueryBindings[]>(query.compile().sql);
    return (...values) => {
      try {
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

  #transact<T>(work: (tx: Transaction<Schema>) => Promise<T>, durable: boolean): Promise<T> {
    return this.#mutex.run(async () => {
      await this.#begin(durable);
      try {
        // Kysely's own `transaction()` would begin a second one; the handle has the same queries.
        const result = await work(this.#write as Transaction<Schema>);
        this.#writer.run('COMMIT');
        return result;
      } catch (error) {
        if (this.#writer.inTransaction) this.#writer.run('ROLLBACK');
        throw sqliteError(error);
      }
    });
  }

  async #begin(durable: boolean): Promise<void> {
    if (durable !== this.#durable) {
      this.#writer.run(`PRAGMA synchronous = ${durable ? 'FULL' : 'NORMAL'}`);
      this.#durable = durable;
    }
    const deadline = performance.now() + WRITE_WAIT_MS;
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

/** @throws DatabaseUnavailableError */
function opened(path: string): BunSqlite {
  try {
    return open(path);
  } catch (error) {
    throw sqliteError(error);
  }
}

function open(path: string): BunSqlite {
  const connection = new BunSqlite(path, { create: true, readwrite: true });
  // First of all: another process may hold the file while the next pragmas change it.
  connection.run('PRAGMA busy_timeout = 10000');
  connection.run('PRAGMA journal_mode = WAL');
  connection.run('PRAGMA synchronous = FULL');
  connection.run('PRAGMA foreign_keys = ON');
  connection.run('PRAGMA cache_size = -16384');
  return connection;
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

  // biome-ignore lint/correctness/useYield: the interface asks for a generator; nothing of Berth's streams rows
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('streaming is not supported');
  }
}

function isBusy(error: unknown): boolean {
  return sqliteCode(error).startsWith('SQLITE_BUSY') || sqliteCode(error).startsWith('SQLITE_LOCKED');
}

function sqliteCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

const UNAVAILABLE = /^SQLITE_(BUSY|LOCKED|IOERR|READONLY|CANTOPEN|CORRUPT|NOTADB|PERM|AUTH)/;

function sqliteError(error: unknown): unknown {
  const code = sqliteCode(error);
  if (code.startsWith('SQLITE_FULL')) return new DatabaseFullError('no space left for the database', { cause: error });
  if (UNAVAILABLE.test(code)) {
    return new DatabaseUnavailableError(`the database does not answer (${code})`, { cause: error });
  }
  return error;
}
