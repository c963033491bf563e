import { Database as BunSqlite } from 'bun:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import { testFolder } from '../storage/contract.ts';
import { DatabaseFullError, DatabaseUnavailableError } from './database.ts';
import { migrate } from './migrate.ts';
import { SqliteDatabase } from './sqlite.ts';

describe('the SQLite database', () => {
  let folder: string;
  let path: string;
  let database: SqliteDatabase;
  beforeAll(async () => {
    folder = testFolder('sqlite');
    path = join(folder, 'berth.db');
    database = new SqliteDatabase(path);
    await migrate(database);
  });
  afterAll(async () => {
    await database?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const pragma = (text: string) =>
    database.transaction(async (tx) => {
      await sql.raw(`pragma ${text}`).execute(tx);
    });
  const lease = (name: string, holder = '') => ({ name, holder, until: 0, fence: 0 });
  const count = async () => (await database.read.selectFrom('leases').select('name').execute()).length;

  test('is in WAL mode and checks foreign keys', async () => {
    const raw = new BunSqlite(path, { readonly: true });
    expect(raw.query('pragma journal_mode').get()).toEqual({ journal_mode: 'wal' });
    raw.close();
    const { rows } = await database.transaction((tx) => sql`pragma foreign_keys`.execute(tx));
    expect(rows).toEqual([{ foreign_keys: 1 }]);
  });

  test('that is full says so, keeps what it had, and works again when there is room', async () => {
    await database.transaction((tx) => tx.insertInto('leases').values(lease('kept')).execute());
    const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(database.read);
    await pragma(`max_page_count = ${rows[0]?.page_count}`);
    const fill = () =>
      database.transaction(async (tx) => {
        await tx
          .insertInto('leases')
          .values(lease('large', 'x'.repeat(2_000_000)))
          .execute();
      });
    await expect(fill()).rejects.toBeInstanceOf(DatabaseFullError);
    expect(await count()).toBe(1);
    await pragma('max_page_count = 1000000');
    await fill();
    expect(await count()).toBe(2);
  });

  test('that may not be written is unavailable, and can be read', async () => {
    const readOnly = new SqliteDatabase(path);
    try {
      await readOnly.transaction((tx) => sql`pragma query_only = 1`.execute(tx));
      const write = readOnly.transaction((tx) => tx.deleteFrom('leases').execute());
      await expect(write).rejects.toBeInstanceOf(DatabaseUnavailableError);
      expect((await readOnly.read.selectFrom('leases').select('name').execute()).length).toBe(2);
    } finally {
      await readOnly.close();
    }
  });

  test('in whose place is a folder, or what is no database, is unavailable', () => {
    const other = join(folder, 'other.db');
    writeFileSync(other, 'x'.repeat(5_000));
    for (const place of [folder, other]) expect(() => new SqliteDatabase(place)).toThrow(DatabaseUnavailableError);
  });

  test('waits for another process’s transaction without stopping this one', async () => {
    const raw = new BunSqlite(path);
    raw.run('begin immediate');
    raw.run("update leases set fence = 5 where name = 'kept'");
    const write = database.transaction((tx) =>
      tx
        .updateTable('leases')
        .set((set) => ({ fence: set('fence', '+', 1) }))
        .where('name', '=', 'kept')
        .execute(),
    );
    let turns = 0;
    const until = performance.now() + 200;
    while (performance.now() < until) {
      await Bun.sleep(1);
      expect(await count()).toBe(2);
      turns++;
    }
    expect(turns).toBeGreaterThan(20);
    raw.run('commit');
    raw.close();
    await write;
    const row = await database.read.selectFrom('leases').select('fence').where('name', '=', 'kept').executeTakeFirst();
    expect(row?.fence).toBe(6);
  });

  test('runs transactions in the order in which they came', async () => {
    const order: number[] = [];
    const one = (i: number) =>
      database.transaction(async (tx) => {
        await tx.selectFrom('leases').selectAll().execute();
        order.push(i);
      });
    await Promise.all(Array.from({ length: 30 }, (_, i) => one(i)));
    expect(order).toEqual(Array.from({ length: 30 }, (_, i) => i));
  });
});
