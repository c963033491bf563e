import { createReadStream, createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdCompress, createZstdDecompress } from 'node:zlib';
import { type Kysely, sql } from 'kysely';
import type { Database, DatabaseKind, Snapshot } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { BackupError, dumpKey } from './format.ts';
import { CONDITIONS, FIRST, LEFT_OUT } from './tables.ts';
import type { BackupTarget } from './target.ts';

/** `bytes` in base64 is how a dump has what is no text. */
export type DumpValue = string | number | null | { bytes: string };

/** The line before a table's rows. `last` is the greatest id that was ever given, where the table numbers its rows. */
export interface DumpTable {
  table: string;
  columns: string[];
  last: number | null;
}

export interface DumpedRows {
  schema: number;
  rows: number;
  blobs: Map<Digest, number>;
}

/** Writes the database of a snapshot, compressed, to a file. */
export async function writeDump(database: Database, snapshot: Snapshot, path: string): Promise<DumpedRows> {
  const result: DumpedRows = { schema: 0, rows: 0, blobs: new Map() };
  for await (const rows of snapshot.rows<{ version: number }>(
    sql<{ version: number }>`select version from schema_version`.compile(database.read),
  )) {
    result.schema = rows[0]?.version ?? 0;
  }
  const lines = dumpLines(database, snapshot, result);
  await pipeline(Readable.from(lines), createZstdCompress(), createWriteStream(path, { mode: 0o600 }));
  return result;
}

async function* dumpLines(database: Database, snapshot: Snapshot, result: DumpedRows): AsyncIterable<string> {
  const carried = snapshot.tables.filter((table) => !Object.hasOwn(LEFT_OUT, table));
  for (const table of [...FIRST, ...carried.filter((name) => !FIRST.includes(name))]) {
    const last = await lastId(database, snapshot, table);
    const condition = CONDITIONS[table];
    const where = condition === undefined ? sql`` : sql` where ${sql.raw(condition)}`;
    let columns: string[] | undefined;
    const query = sql<Record<string, unknown>>`select * from ${sql.table(table)}${where}`.compile(database.read);
    for await (const rows of snapshot.rows<Record<string, unknown>>(query)) {
      let text = '';
      for (const row of rows) {
        if (columns === undefined) {
          columns = Object.keys(row);
          text += `${JSON.stringify({ table, columns, last } satisfies DumpTable)}\n`;
        }
        text += `${JSON.stringify(columns.map((column) => dumped(row[column], `${table}.${column}`)))}\n`;
        if (table === 'blobs') noteBlob(result.blobs, row);
      }
      result.rows += rows.length;
      yield text;
    }
    if (columns === undefined) yield `${JSON.stringify({ table, columns: [], last } satisfies DumpTable)}\n`;
  }
  yield `${JSON.stringify({ end: result.rows })}\n`;
}

function noteBlob(blobs: Map<Digest, number>, row: Record<string, unknown>): void {
  const { digest, size } = row;
  if (typeof digest === 'string' && isDigest(digest) && typeof size === 'number') blobs.set(digest, size);
}

function dumped(value: unknown, column: string): DumpValue {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value;
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('base64') };
  throw new Error(`${column}: a ${typeof value} has no place in a dump`);
}

async function lastId(database: Database, snapshot: Snapshot, table: string): Promise<number | null> {
  const sequence = await sequenceOf(database.read, database.kind, table);
  if (sequence === undefined) return null;
  const query =
    database.kind === 'sqlite'
      ? sql<{ last: number }>`select seq as last from sqlite_sequence where name = ${sql.lit(table)}`
      : sql<{ last: number }>`select case when is_called then last_value else 0 end as last from ${sql.raw(sequence)}`;
  for await (const [row] of snapshot.rows<{ last: number }>(query.compile(database.read))) {
    if (row !== undefined) return row.last;
  }
  return 0;
}

/** What gives a table's ids; undefined when nothing does. */
export async function sequenceOf(read: Kysely<Schema>, kind: DatabaseKind, table: string): Promise<string | undefined> {
  const query =
    kind === 'sqlite'
      ? sql<{
          name: string;
        }>`select name from sqlite_schema where type = 'table' and name = ${table} and sql like '%autoincrement%'`
      : sql<{ name: string | null }>`select pg_get_serial_sequence(quote_ident(tablename), 'id') as name
          from pg_tables join information_schema.columns on table_name = tablename and table_schema = schemaname
          where schemaname = current_schema() and tablename = ${table} and column_name = 'id'`;
  const { rows } = await query.execute(read);
  return rows[0]?.name ?? undefined;
}

export type DumpLine = DumpTable | { end: number } | DumpValue[];

/** The lines of a dump. @throws BackupError when it is not there, damaged or cut off */
export async function* readDump(target: BackupTarget, id: string): AsyncIterable<DumpLine> {
  const key = dumpKey(id);
  const bytes = await target.read(key);
  if (bytes === undefined) throw new BackupError(`${target.name}: ${key} is not there: backup ${id} is damaged`);
  let ended = false;
  const source = Readable.from(bytes);
  const plain = createZstdDecompress();
  source.on('error', (error) => plain.destroy(error));
  source.pipe(plain);
  try {
    for await (const text of linesOf(plain)) {
      const line = JSON.parse(text) as DumpLine;
      ended = 'end' in line;
      yield line;
    }
  } catch (error) {
    if (error instanceof BackupError) throw error;
    if (
      error instanceof SyntaxError ||
      (error instanceof Error && 'code' in error && /^(ZSTD|Z)_/.test(String(error.code)))
    ) {
      throw new BackupError(`${target.name}: ${key} is damaged: ${error.message}`);
    }
    throw error;
  } finally {
    source.destroy();
    plain.destroy();
  }
  if (!ended) throw new BackupError(`${target.name}: ${key} is damaged: its end is missing`);
}

async function* linesOf(stream: AsyncIterable<Buffer>): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of stream) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

/** The blobs that a backup names, with their sizes. */
export async function blobsOfDump(target: BackupTarget, id: string): Promise<Map<Digest, number>> {
  const blobs = new Map<Digest, number>();
  let columns: string[] = [];
  for await (const line of readDump(target, id)) {
    if (Array.isArray(line)) {
      noteBlob(blobs, Object.fromEntries(columns.map((column, i) => [column, line[i]])));
    } else {
      if (!('table' in line) || line.table !== 'blobs') break;
      columns = line.columns;
    }
  }
  return blobs;
}

/** The sha256 of a file in hex, and its size. */
export async function fileFacts(path: string): Promise<{ sha256: string; size: number }> {
  const hasher = new Bun.CryptoHasher('sha256');
  let size = 0;
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hasher.update(piece);
    size += piece.length;
  }
  return { sha256: hasher.digest('hex'), size };
}
