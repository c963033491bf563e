import { type Kysely, sql, type Transaction } from 'kysely';
import type { Database } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';
import { type DumpLine, type DumpTable, type DumpValue, sequenceOf } from './dump.ts';
import { BackupError } from './format.ts';
import { UnfinishedRestoreError } from './restore-marker.ts';
import { LEFT_OUT } from './tables.ts';

/** Both databases take as many values in one statement, and more. */
const MOST_VALUES = 30_000;
const MOST_ROWS = 200;
/** Of text and bytes in one statement. */
const MOST_SIZE = 4 << 20;

/** The row of `leases` that says that a database holds a restore that is not over. */
const MARK = 'restore';

type AnyTables = Kysely<Record<string, Record<string, unknown>>>;

/** Which backup's restore is not over in this database; undefined when none is. */
export async function unfinishedRestore(database: Database): Promise<string | undefined> {
  const row = await database.read.selectFrom('leases').select('holder').where('name', '=', MARK).executeTakeFirst();
  return row?.holder;
}

/** @throws UnfinishedRestoreError */
export async function refuseUnfinishedLoad(database: Database): Promise<void> {
  const backup = await unfinishedRestore(database);
  if (backup === undefined) return;
  throw new UnfinishedRestoreError(
    `the database holds a restore of backup ${backup} that did not end; run the same berth restore again, or give another database`,
  );
}

export async function forgetUnfinished(database: Database): Promise<void> {
  await database.transaction((tx) => tx.deleteFrom('leases').where('name', '=', MARK).execute());
}

/**
 * Fills the tables of a database that has the dump's schema and no content, in one transaction: all of it or nothing. What the database
 * does by itself when rows come (triggers) was done when they came first; references are checked when all rows are there.
 *
 * @param lines called again when the transaction is run again
 * @returns the rows loaded
 * @throws BackupError
 */
export async function loadDump(
  database: Database,
  lines: () => AsyncIterable<DumpLine>,
  backup: string,
): Promise<number> {
  let loaded = 0;
  await database.transaction(async (tx) => {
    loaded = 0;
    const tables = await tablesOf(database, tx);
    const restoreRules = await liftRules(database, tx, tables);
    // A migration may have made rows: the dump has them, as they were.
    for (const table of tables)
      if (!Object.hasOwn(LEFT_OUT, table)) await sql`delete from ${sql.table(table)}`.execute(tx);
    let table: DumpTable | undefined;
    let batch: DumpValue[][] = [];
    let size = 0;
    const flush = async () => {
      if (table !== undefined && batch.length > 0) await insert(database, tx, table, batch);
      loaded += batch.length;
      batch = [];
      size = 0;
    };
    for await (const line of lines()) {
      if (Array.isArray(line)) {
        if (table === undefined) throw new BackupError(`backup ${backup} is damaged: a row before its table`);
        batch.push(line);
        size += sizeOf(line);
        if (batch.length >= MOST_ROWS || (batch.length + 1) * line.length > MOST_VALUES || size > MOST_SIZE)
          await flush();
        continue;
      }
      await flush();
      if ('end' in line) {
        if (line.end !== loaded)
          throw new BackupError(`backup ${backup} is damaged: ${loaded} rows instead of ${line.end}`);
        continue;
      }
      table = line;
      if (!tables.includes(table.table)) {
        throw new BackupError(`backup ${backup} has a table ${table.table} that its schema does not know`);
      }
      if (table.last !== null) await setLastId(database, tx, table.table, table.last);
    }
    await restoreRules();
    await tx.insertInto('leases').values({ name: MARK, holder: backup, until: 0, fence: 1 }).execute();
  });
  return loaded;
}

async function insert(
  database: Database,
  tx: Transaction<Schema>,
  { table, columns }: DumpTable,
  rows: readonly DumpValue[][],
): Promise<void> {
  const values = rows.map((row) =>
    Object.fromEntries(columns.map((column, i) => [column, loadable(database, row[i])])),
  );
  await (tx as unknown as AnyTables).insertInto(table).values(values).execute();
}

/** PostgreSQL has no NUL in its texts; SQLite may. */
function loadable(database: Database, value: DumpValue | undefined): unknown {
  if (typeof value === 'string') return database.kind === 'postgres' ? value.replaceAll('\0', '\uFFFD') : value;
  if (typeof value === 'object' && value !== null) return Buffer.from(value.bytes, 'base64');
  return value ?? null;
}

function sizeOf(row: readonly DumpValue[]): number {
  return row.reduce<number>((sum, value) => {
    if (typeof value === 'string') return sum + value.length;
    return sum + (typeof value === 'object' && value !== null ? value.bytes.length : 8);
  }, 0);
}

async function tablesOf(database: Database, tx: Transaction<Schema>): Promise<string[]> {
  const query =
    database.kind === 'sqlite'
      ? sql<{
          name: string;
        }>`select name from sqlite_schema where type = 'table' and name not like 'sqlite~_%' escape '~'`
      : sql<{ name: string }>`select tablename as name from pg_tables where schemaname = current_schema()`;
  return (await query.execute(tx)).rows.map(({ name }) => name);
}

/** An id that was given once is not given again, also when its row has gone. */
async function setLastId(database: Database, tx: Transaction<Schema>, table: string, last: number): Promise<void> {
  const sequence = await sequenceOf(tx, database.kind, table);
  if (sequence === undefined) return;
  if (database.kind === 'sqlite') {
    await sql`delete from sqlite_sequence where name = ${table}`.execute(tx);
    await sql`insert into sqlite_sequence (name, seq) values (${table}, ${last})`.execute(tx);
  } else if (last > 0) await sql`select setval(${sequence}::regclass, ${last})`.execute(tx);
}

/** Lifts triggers and references for this transaction; what comes back puts them in force again. @throws when a row has no referent */
async function liftRules(
  database: Database,
  tx: Transaction<Schema>,
  tables: readonly string[],
): Promise<() => Promise<void>> {
  if (database.kind === 'sqlite') {
    // Until the transaction ends, which checks them.
    await sql`pragma defer_foreign_keys = on`.execute(tx);
    const { rows } = await sql<{
      name: string;
      sql: string;
    }>`select name, sql from sqlite_schema where type = 'trigger'`.execute(tx);
    for (const { name } of rows) await sql`drop trigger ${sql.id(name)}`.execute(tx);
    return async () => {
      for (const trigger of rows) await sql.raw(trigger.sql).execute(tx);
    };
  }
  for (const table of tables) await sql`alter table ${sql.table(table)} disable trigger user`.execute(tx);
  const { rows } = await sql<{ table: string; name: string }>`
    select c.relname as table, k.conname as name from pg_constraint k join pg_class c on c.oid = k.conrelid
    join pg_namespace n on n.oid = c.relnamespace
    where k.contype = 'f' and not k.condeferrable and n.nspname = current_schema()`.execute(tx);
  for (const { table, name } of rows) {
    await sql`alter table ${sql.table(table)} alter constraint ${sql.id(name)} deferrable initially deferred`.execute(
      tx,
    );
  }
  return async () => {
    await sql`set constraints all immediate`.execute(tx);
    for (const { table, name } of rows) {
      await sql`alter table ${sql.table(table)} alter constraint ${sql.id(name)} not deferrable`.execute(tx);
    }
    for (const table of tables) await sql`alter table ${sql.table(table)} enable trigger user`.execute(tx);
  };
}

/** What is in a database that should have no content, for the person who gave it; undefined when it has none. */
export async function contentOf(database: Database): Promise<string | undefined> {
  for (const table of ['repositories', 'users', 'namespaces', 'blobs', 'audit_log', 'instance_keys'] as const) {
    const row = await sql<{ n: number }>`select count(*) as n from ${sql.table(table)}`
      .execute(database.read)
      .catch(() => undefined);
    const count = Number(row?.rows[0]?.n ?? 0);
    if (count > 0) return `${count} row(s) in ${table}`;
  }
  return undefined;
}
