// What is in the database, to tell whether a request has changed it, and to put back what it was.
import type { Database } from 'bun:sqlite';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Town } from './people.ts';

type Row = Record<string, unknown>;

/** What every request may write: the log of it, limits, leases, what others are told of it. */
const ALWAYS = new Set([
  'events',
  'webhook_deliveries',
  'webhook_attempts',
  'audit_log',
  'login_failures',
  'known_addresses',
  'leases',
]);
/** When something was last used. */
const TOUCHED: Record<string, readonly string[]> = {
  access_tokens: ['last_used_at', 'last_used_from'],
  manifests: ['pulled_at'],
  sessions: ['updated_at', 'expires_at'],
  users: [],
  webhooks: ['lease_holder', 'lease_until', 'failing_since', 'failures', 'retry_at'],
  mirrors: [
    'lease_holder',
    'lease_until',
    'next_at',
    'served',
    'started_at',
    'finished_at',
    'succeeded_at',
    'outcome',
    'report',
    'failures',
  ],
};

export class Snapshot {
  readonly #texts = new Map<string, string>();

  private constructor(
    readonly town: Town,
    readonly tables: ReadonlyMap<string, Row[]>,
    /** Uploads under way, with their sizes. */
    readonly files: string,
  ) {}

  static take(town: Town): Snapshot {
    const tables = town.sql((database) =>
      database.transaction(() => {
        const rows = (table: string) => database.query(`select * from ${table}`).all() as Row[];
        return new Map(tableNames(database).map((table) => [table, rows(table)]));
      })(),
    );
    const folder = join(town.berth.data, 'uploads');
    const files = readdirSync(folder).map((name) => `${name} ${statSync(join(folder, name)).size}`);
    return new Snapshot(town, tables, files.sort().join('\n'));
  }

  /** What differs from an earlier one: tables, or `files`. */
  since(earlier: Snapshot): string[] {
    const changed = [...this.tables.keys()].filter((table) => this.#text(table) !== earlier.#text(table));
    return this.files === earlier.files ? changed : [...changed, 'files'];
  }

  /** Puts back the tables that have changed; files stay as they are. */
  restore(): void {
    const changed = Snapshot.take(this.town).since(this);
    this.town.sql((database) => {
      database.run('pragma foreign_keys = off');
      database
        .transaction(() => {
          for (const table of changed) {
            if (this.tables.has(table)) replace(database, table, this.tables.get(table) ?? []);
          }
        })
        .immediate();
    });
  }

  #text(table: string): string {
    const known = this.#texts.get(table);
    if (known !== undefined) return known;
    const made = text(table, this.tables.get(table) ?? []);
    this.#texts.set(table, made);
    return made;
  }
}

function replace(database: Database, table: string, rows: readonly Row[]): void {
  database.run(`delete from ${table}`);
  for (const row of rows) {
    const columns = Object.keys(row);
    const insert = `insert into ${table} (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})`;
    database.query(insert).run(...(Object.values(row) as string[]));
  }
}

function tableNames(database: Database): string[] {
  const rows = database.query("select name from sqlite_master where type = 'table'").all() as { name: string }[];
  return rows
    .map((row) => row.name)
    .filter((name) => !/^(sqlite|kysely)_/.test(name) && !ALWAYS.has(name) && name !== 'migrations');
}

function text(table: string, rows: readonly Row[]): string {
  const ignored = TOUCHED[table] ?? [];
  return rows
    .map((row) =>
      JSON.stringify(row, (key, value: unknown) =>
        ignored.includes(key) ? undefined : value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
      ),
    )
    .sort()
    .join('\n');
}
