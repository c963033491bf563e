import { beforeAll, describe, expect, test } from 'bun:test';
import { resolve } from 'node:path';
import { sql } from 'kysely';
import { type Database, DatabaseUnavailableError } from './database.ts';
import { migrate } from './migrate.ts';
import { type DatabasePlace, onEachDatabase } from './test-databases.ts';

onEachDatabase('the database', (newPlace, kind) => {
  let place: DatabasePlace;
  let database: Database;
  let other: Database;
  beforeAll(async () => {
    place = await newPlace();
    database = place.open();
    other = place.open();
    await migrate(database);
  });
  const insert = (name: string, fence = 0) => ({ name, holder: '', until: 0, fence });
  const add = (to: Database, name: string) =>
    to.transaction((tx) => tx.insertInto('leases').values(insert(name)).execute());
  const names = async (from: Database, like: string) =>
    (await from.read.selectFrom('leases').select('name').where('name', 'like', like).orderBy('name').execute()).map(
      (row) => row.name,
    );

  describe('a transaction', () => {
    test('returns what its work returns, and others see it then', async () => {
      expect(await database.transaction(async () => 'answer')).toBe('answer');
      await add(database, 'a-1');
      expect(await names(other, 'a-%')).toEqual(['a-1']);
      await add(other, 'a-2');
      expect(await names(database, 'a-%')).toEqual(['a-1', 'a-2']);
    });

    test.each(['transaction', 'relaxedTransaction'] as const)(
      '(%s) that throws leaves nothing, and its error is the one thrown',
      async (method) => {
        const thrown = new Error('no');
        const work = database[method](async (tx) => {
          await tx
            .insertInto('leases')
            .values(insert(`b-${method}`))
            .execute();
          throw thrown;
        });
        expect(await work.catch((error: unknown) => error)).toBe(thrown);
        expect(await names(other, 'b-%')).toEqual([]);
        await database[method]((tx) =>
          tx
            .insertInto('leases')
            .values(insert(`b2-${method}`))
            .execute(),
        );
        expect(await names(other, 'b2-%')).toContain(`b2-${method}`);
      },
    );

    test('whose statement fails leaves nothing, and the next one works', async () => {
      const work = database.transaction(async (tx) => {
        await tx.insertInto('leases').values(insert('c-1')).execute();
        await tx.insertInto('leases').values(insert('c-1')).execute();
      });
      await expect(work).rejects.toThrow(/unique/i);
      await add(database, 'c-2');
      expect(await names(other, 'c-%')).toEqual(['c-2']);
    });

    test('is not seen before it is committed', async () => {
      await database.transaction(async (tx) => {
        await tx.insertInto('leases').values(insert('d-1')).execute();
        expect(await names(other, 'd-%')).toEqual([]);
        expect(await names(database, 'd-%')).toEqual([]);
      });
      expect(await names(other, 'd-%')).toEqual(['d-1']);
    });

    test('that adds to what it read loses no other’s, by many at once', async () => {
      await database.transaction((tx) => tx.insertInto('leases').values(insert('counter')).execute());
      const increment = (each: Database) =>
        each.transaction((tx) =>
          tx
            .updateTable('leases')
            .set((set) => ({ fence: set('fence', '+', 1) }))
            .where('name', '=', 'counter')
            .execute(),
        );
      await Promise.all(Array.from({ length: 60 }, (_, i) => increment(i % 2 === 0 ? database : other)));
      const { fence } = await database.read
        .selectFrom('leases')
        .select('fence')
        .where('name', '=', 'counter')
        .executeTakeFirstOrThrow();
      expect(fence).toBe(60);
    });

    test('is one of many by several processes, none of which fails because others write', async () => {
      const code = `import { ${kind === 'sqlite' ? 'SqliteDatabase' : 'PostgresDatabase'} as Driver } from "./${kind === 'sqlite' ? 'sqlite' : 'postgres'}.ts";
        const database = new Driver(process.argv[1]);
        const mine = process.argv[2];
        for (let i = 0; i < 40; i++) {
          const method = i % 2 === 0 ? 'transaction' : 'relaxedTransaction';
          await database[method](async (tx) => {
            await tx.insertInto('leases').values({ name: 'e-' + mine + '-' + i, holder: '', until: 0, fence: 0 }).execute();
            await tx.selectFrom('leases').selectAll().execute();
          });
          await database.read.selectFrom('leases').select('name').limit(1).execute();
        }
        await database.close();`;
      const children = [1, 2, 3, 4].map((number) =>
        Bun.spawn([process.execPath, '-e', code, place.address, String(number)], {
          cwd: resolve(import.meta.dir),
          stdout: 'ignore',
          stderr: 'pipe',
        }),
      );
      for (const child of children) {
        expect([await child.exited, await new Response(child.stderr).text()]).toEqual([0, '']);
      }
      expect(await names(database, 'e-%')).toHaveLength(160);
    }, 60_000);
  });

  describe('a prepared read', () => {
    test('gives the first row for its values, or undefined, and the present one each time', async () => {
      const read = database.prepare(
        database.read.selectFrom('leases').select(['name', 'fence']).where('name', '=', '').where('fence', '>=', 0),
      );
      expect(await read('f-1', 0)).toBeUndefined();
      await add(other, 'f-1');
      expect(await read('f-1', 0)).toEqual({ name: 'f-1', fence: 0 });
      expect(await read('f-1', 1)).toBeUndefined();
      await other.transaction((tx) => tx.updateTable('leases').set({ fence: 7 }).where('name', '=', 'f-1').execute());
      expect(await read('f-1', 0)).toEqual({ name: 'f-1', fence: 7 });
    });

    test('gives bytes as they were written, and null as null', async () => {
      const content = Uint8Array.from({ length: 300 }, (_, i) => i % 256);
      await database.transaction(async (tx) => {
        await sql`insert into repositories (name, created_at) values ('bytes', 0)`.execute(tx);
        const { id } = await tx.selectFrom('repositories').select('id').executeTakeFirstOrThrow();
        await sql`insert into manifests (repository_id, digest, media_type, size, pushed_at, pushed_by, protected_until, content)
          values (${id}, 'sha256:1', 't', 300, 0, '', 0, ${content})`.execute(tx);
      });
      const query = database.read.selectFrom('manifests').select(['content', 'subject', 'size']);
      const prepared = await database.prepare(query)();
      for (const row of [prepared, await query.executeTakeFirst()]) {
        expect(Buffer.compare(row?.content ?? Buffer.alloc(0), content)).toBe(0);
        expect(row).toMatchObject({ subject: null, size: 300 });
      }
    });
  });

  describe('the version', () => {
    test.if(kind === 'postgres')('is none on PostgreSQL, so that nothing is cached', () => {
      expect(database.version()).toBeUndefined();
    });

    test.if(kind === 'sqlite')('changes with every commit of any connection, and with nothing else', async () => {
      const first = database.version();
      expect(database.version()).toBe(first);
      await names(database, '%');
      expect(database.version()).toBe(first);
      for (const writer of [database, other]) {
        const before = database.version();
        await add(writer, `g-${writer === database ? 'own' : 'other'}`);
        expect(database.version()).not.toBe(before);
        const after = database.version();
        await writer.relaxedTransaction((tx) => tx.deleteFrom('leases').where('name', 'like', 'g-%').execute());
        expect(database.version()).not.toBe(after);
      }
      const before = database.version();
      await database
        .transaction((tx) =>
          tx
            .deleteFrom('leases')
            .execute()
            .then(() => Promise.reject(new Error('no'))),
        )
        .catch(() => {});
      expect(database.version()).toBe(before);
    });
  });

  test('a durable transaction waits for the disk, a relaxed one does not, in any order', async () => {
    const setting = (method: 'transaction' | 'relaxedTransaction') =>
      database[method](async (tx) => {
        const { rows } = await sql<
          Record<string, unknown>
        >`${sql.raw(kind === 'sqlite' ? 'pragma synchronous' : 'show synchronous_commit')}`.execute(tx);
        return Object.values(rows[0] ?? {})[0];
      });
    // SQLite: 2 is FULL, 1 is NORMAL.
    const [durable, relaxed] = kind === 'sqlite' ? [2, 1] : ['on', 'off'];
    for (const method of [
      'relaxedTransaction',
      'transaction',
      'transaction',
      'relaxedTransaction',
      'transaction',
    ] as const) {
      expect(await setting(method)).toBe(method === 'transaction' ? (durable as never) : (relaxed as never));
    }
  });

  test('closed, refuses what comes after, also when it was never used before', async () => {
    for (const used of [true, false]) {
      const closed = place.open();
      if (used) await closed.read.selectFrom('leases').selectAll().execute();
      await closed.close();
      await expect(closed.transaction(async () => 1)).rejects.toThrow();
      await expect((async () => closed.read.selectFrom('leases').selectAll().execute())()).rejects.toThrow();
    }
  });

  test('what cannot be reached is unavailable, and says so', async () => {
    if (kind === 'sqlite') {
      const { SqliteDatabase } = await import('./sqlite.ts');
      expect(() => new SqliteDatabase('/no/such/folder/berth.db')).toThrow(DatabaseUnavailableError);
      return;
    }
    const { PostgresDatabase } = await import('./postgres.ts');
    const nowhere = new PostgresDatabase('postgres://berth@127.0.0.1:9/none');
    await expect(nowhere.transaction(async () => 1)).rejects.toBeInstanceOf(DatabaseUnavailableError);
    await expect(nowhere.read.selectFrom('leases').selectAll().execute()).rejects.toBeInstanceOf(
      DatabaseUnavailableError,
    );
    await nowhere.close();
  });
});
