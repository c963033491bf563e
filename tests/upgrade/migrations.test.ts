// Migrations of real data: killed at each step, begun by several at once, refused when the data is newer.

import { Database as BunSqlite } from 'bun:sqlite';
import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { SCHEMA_VERSION } from '../../src/database/migrate.ts';
import { berth, startBerth } from '../support/berth.ts';
import { freePort } from '../support/ports.ts';
import { type RunningPostgres, requirePostgres, startPostgres } from '../support/postgres.ts';
import { FIRST, repositoryOf } from './content.ts';
import { bringToPostgres, unpack } from './fixture.ts';

const work = mkdtempSync(join(tmpdir(), 'berth-migrations-'));
let postgres: RunningPostgres | undefined;
let places = 0;
afterAll(async () => {
  await postgres?.stop();
  rmSync(work, { recursive: true, force: true });
});

interface Place {
  data: string;
  flags: string[];
  schema: () => Promise<number>;
  setSchema: (version: number) => Promise<void>;
}

/** SQLite as it was; PostgreSQL brought back to a schema of then by its tables, which a restore would migrate on. */
async function sqlitePlace(schema: number): Promise<Place> {
  const data = join(work, `place-${places++}`);
  await unpack(schema, data);
  const use = <T>(work: (database: BunSqlite) => T): T => {
    const database = new BunSqlite(join(data, 'berth.db'));
    try {
      return work(database);
    } finally {
      database.close();
    }
  };
  return {
    data,
    flags: ['--data', data],
    schema: async () =>
      use(
        (database) => database.query<{ version: number }, []>('select version from schema_version').get()?.version ?? 0,
      ),
    setSchema: async (version) =>
      use((database) => void database.run(`update schema_version set version = ${version}`)),
  };
}

async function postgresPlace(): Promise<Place> {
  postgres ??= await startPostgres({ settings: ['fsync = off'] });
  const data = join(work, `place-${places++}`);
  const url = await postgres.newDatabase();
  const query = async (text: string) => {
    const client = new pg.Client(url);
    await client.connect();
    try {
      return (await client.query<{ version: number }>(text)).rows[0]?.version ?? 0;
    } finally {
      await client.end();
    }
  };
  return {
    data,
    flags: ['--data', data, '--database', url],
    schema: () => query('select version from schema_version').catch(() => 0),
    setSchema: async (version) => void (await query(`update schema_version set version = ${version}`)),
  };
}

const serve = async (flags: string[], env: Record<string, string> = {}) =>
  berth(['serve', '--port', String(await freePort()), '--host', '127.0.0.1', '--workers', '1', ...flags], { env });

describe.each(['sqlite', 'postgres'] as const)('a migration on %s', (kind) => {
  const there = kind === 'sqlite' || requirePostgres('migrations on PostgreSQL');
  // All pending ones: from the first schema, or from nothing.
  const steps = SCHEMA_VERSION - (kind === 'sqlite' ? 1 : 0);

  test.skipIf(!there)(
    'killed after any of its files leaves what was there, and the next start does all of it',
    async () => {
      const place = kind === 'sqlite' ? await sqlitePlace(1) : await postgresPlace();
      const before = await place.schema();
      const moments = [...Array.from({ length: steps }, (_, i) => `migrated@${i + 1}`), 'schema-written'];
      for (const moment of moments) {
        const killed = await serve(place.flags, { BERTH_FAILPOINT: moment });
        expect({ moment, code: killed.code }).toEqual({ moment, code: 1 });
        expect({ moment, schema: await place.schema() }).toEqual({ moment, schema: before });
      }
      const server = await startBerth({ data: place.data, args: ['--workers', '1', ...place.flags.slice(2)] });
      try {
        expect(await place.schema()).toBe(SCHEMA_VERSION);
        if (kind === 'sqlite') {
          const pulled = await fetch(`${server.url}/v2/${repositoryOf(1)}/manifests/${FIRST.digest}`);
          expect(await pulled.text()).toBe(FIRST.manifest);
        }
      } finally {
        await server.stop();
      }
      expect((await berth(['verify', ...place.flags])).stdout).toStartWith('all is well');
    },
  );

  test.skipIf(!there)('of a newer Berth is refused by every command, and left as it is', async () => {
    const place = kind === 'sqlite' ? await sqlitePlace(4) : await postgresPlace();
    if (kind === 'postgres') await bringToPostgres(4, join(work, 'newer'), place.data, place.flags[3] ?? '');
    await place.setSchema(SCHEMA_VERSION + 1);
    const target = join(work, `newer-${kind}`);
    for (const command of [
      ['serve', '--workers', '1'],
      ['gc'],
      ['verify'],
      ['why', FIRST.digest],
      ['backup', target],
    ]) {
      const [name = '', ...rest] = command;
      const refused = await berth([name, ...rest, ...place.flags]);
      expect({ command, code: refused.code }).toEqual({ command, code: 1 });
      expect(refused.stderr).toContain(`schema ${SCHEMA_VERSION + 1}; this one knows ${SCHEMA_VERSION}`);
    }
    expect(await place.schema()).toBe(SCHEMA_VERSION + 1);
  });

  // On SQLite a data directory has one server; src/database/migrate.test.ts has processes that come together there.
  test.skipIf(!there || kind === 'sqlite')(
    'begun by several servers at once is done once, and all of them serve',
    async () => {
      const first = await postgresPlace();
      const servers = await Promise.all(
        [1, 2, 3].map((i) =>
          startBerth({
            data: join(work, `starter-${i}`),
            args: ['--workers', '1', ...first.flags.slice(2)],
            readyWithin: 60_000,
          }),
        ),
      );
      try {
        expect(await first.schema()).toBe(SCHEMA_VERSION);
        for (const server of servers) expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
      } finally {
        await Promise.all(servers.map((server) => server.stop()));
      }
    },
  );
});
