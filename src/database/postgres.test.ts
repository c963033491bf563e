import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { sql } from 'kysely';
import { type RunningPostgres, requirePostgres, startPostgres } from '../../tests/support/postgres.ts';
import { DatabaseFullError, DatabaseUnavailableError } from './database.ts';
import { migrate } from './migrate.ts';
import { PostgresDatabase } from './postgres.ts';

describe.skipIf(!requirePostgres('the PostgreSQL database'))('the PostgreSQL database', () => {
  let server: RunningPostgres;
  let database: PostgresDatabase;
  let lost = 0;
  beforeAll(async () => {
    server = await startPostgres({ settings: ['fsync = off', 'deadlock_timeout = 50ms'] });
    database = new PostgresDatabase(await server.newDatabase(), { connections: 4, onError: () => lost++ });
    await migrate(database);
  }, 120_000);
  afterAll(async () => {
    await database?.close().catch(() => {});
    await server?.stop();
  });
  const raise = (code: string) =>
    database.transaction((tx) =>
      sql.raw(`do $$ begin raise exception 'x' using errcode = '${code}'; end $$`).execute(tx),
    );

  test('a transaction that others deadlock with is run again, and all succeed', async () => {
    await database.transaction((tx) =>
      tx
        .insertInto('leases')
        .values(['a', 'b'].map((name) => ({ name, holder: '', until: 0, fence: 0 })))
        .execute(),
    );
    let runs = 0;
    const both = (names: string[]) =>
      database.transaction(async (tx) => {
        runs++;
        for (const name of names) {
          await tx
            .updateTable('leases')
            .set((set) => ({ fence: set('fence', '+', 1) }))
            .where('name', '=', name)
            .execute();
          await Bun.sleep(20);
        }
      });
    await Promise.all([both(['a', 'b']), both(['b', 'a'])]);
    expect(runs).toBeGreaterThan(2);
    const rows = await database.read.selectFrom('leases').select('fence').execute();
    expect(rows).toEqual([{ fence: 2 }, { fence: 2 }]);
  });

  test('a full disk is a full database', async () => {
    await expect(raise('53100')).rejects.toBeInstanceOf(DatabaseFullError);
  });

  test.each(['53300', '57P03', '08006', '58030'])('%s is an unavailable database', async (code) => {
    await expect(raise(code)).rejects.toBeInstanceOf(DatabaseUnavailableError);
  });

  test('a standby, which may not be written, is unavailable', async () => {
    const write = database.transaction(async (tx) => {
      await sql`set transaction read only`.execute(tx);
      await tx.deleteFrom('leases').execute();
    });
    await expect(write).rejects.toBeInstanceOf(DatabaseUnavailableError);
  });

  test('a mistake of ours is not an unavailable database', async () => {
    const error = await raise('22012').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(DatabaseUnavailableError);
  });

  test('a connection that the server ends fails one request, and the next one has another', async () => {
    const ended = database.transaction(async (tx) => {
      await sql`select pg_terminate_backend(pg_backend_pid())`.execute(tx);
    });
    await expect(ended).rejects.toBeInstanceOf(DatabaseUnavailableError);
    expect((await database.read.selectFrom('leases').selectAll().execute()).length).toBe(2);
    // Idle ones too: the pool hears of them by itself.
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`.execute(
      database.read,
    );
    await Bun.sleep(100);
    await database.transaction((tx) => tx.updateTable('leases').set({ until: 1 }).execute());
    expect(lost).toBeGreaterThan(0);
  });

  // Last: there is no server after it.
  test('a server that is gone is unavailable to reads, prepared reads and transactions, soon', async () => {
    const read = database.prepare(database.read.selectFrom('leases').select('name').where('name', '=', ''));
    expect(await read('a')).toEqual({ name: 'a' });
    await server.stop();
    await Bun.sleep(50);
    const started = performance.now();
    for (const ask of [
      () => database.read.selectFrom('leases').selectAll().execute(),
      () => read('a'),
      () => database.transaction((tx) => tx.deleteFrom('leases').execute()),
      () => database.relaxedTransaction((tx) => tx.deleteFrom('leases').execute()),
      () => migrate(database),
    ]) {
      await expect((async () => ask())()).rejects.toBeInstanceOf(DatabaseUnavailableError);
    }
    expect(performance.now() - started).toBeLessThan(5_000);
  }, 60_000);
});
