// Backups of a server that works: pushes, tags that move and go, garbage collections. Each is brought back and looked at.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { type RunningPostgres, requirePostgres, startPostgres } from '../support/postgres.ts';
import { type Acknowledged, ADMINISTRATOR, Pusher, ran, serveWithAccounts, Traffic, workFolder } from './place.ts';

const BACKUPS = 2;
const REPOSITORIES = ['alice/one', 'alice/two'];
/** Nothing is kept but what is named: a collection always has something to do. */
const GARBAGE = ['--gc-grace', '1s', '--tag-history-window', '0s'];

let postgres: RunningPostgres | undefined;
afterAll(() => postgres?.stop());

for (const kind of ['sqlite', 'postgres'] as const) {
  describe.skipIf(kind === 'postgres' && !requirePostgres('backups of PostgreSQL'))(`a server on ${kind}`, () => {
    const work = workFolder();
    const data = join(work.path, 'data');
    const target = join(work.path, 'backups');
    let database: string[] = [];
    let server: RunningBerth;
    const made: { id: string; acknowledged: Acknowledged; copied: number; count: number }[] = [];

    beforeAll(async () => {
      if (kind === 'postgres') {
        postgres ??= await startPostgres({ settings: ['fsync = off'] });
        database = ['--database', await postgres.newDatabase()];
      }
      server = await serveWithAccounts(data, [...GARBAGE, '--gc-interval', '0s'], database);
      const traffic = new Traffic(new Pusher(server.url), REPOSITORIES);
      const collections: number[] = [];
      let collecting = true;
      const collector = (async () => {
        while (collecting) {
          const { code, stdout } = await berth(['gc', '--data', data, '--output', 'json', ...GARBAGE, ...database]);
          if (code === 0) collections.push((JSON.parse(stdout) as { blobs: number }).blobs);
        }
      })();
      await Bun.sleep(1_500);
      for (let i = 0; i < BACKUPS; i++) {
        const acknowledged = traffic.acknowledged();
        const manifest = JSON.parse(await ran(['backup', target, '--data', data, '--output', 'json', ...database])) as {
          id: string;
          faults: unknown[];
          blobs: { count: number; copied: number };
        };
        expect(manifest.faults).toEqual([]);
        made.push({ id: manifest.id, acknowledged, ...manifest.blobs });
      }
      await traffic.stop();
      collecting = false;
      await collector;
      expect(traffic.failures).toEqual([]);
      // Or nothing was shown.
      expect(traffic.pushes).toBeGreaterThan(10);
      expect(collections.reduce((sum, blobs) => sum + blobs, 0)).toBeGreaterThan(0);
    }, 170_000);
    afterAll(async () => {
      await server?.stop();
      work.remove();
    });

    test('has each backup whole, and the later ones copied only what was new', async () => {
      expect(await ran(['backup', 'verify', target])).toStartWith('all is well');
      expect(made).toHaveLength(BACKUPS);
      expect(made[0]?.copied).toBe(made[0]?.count ?? -1);
      for (const { copied, count } of made.slice(1)) expect(copied).toBeLessThan(count);
    });

    test('copies nothing when nothing is new', async () => {
      // Both of the same moment but for garbage collection, which adds nothing.
      await ran(['backup', target, '--data', data, ...database]);
      const again = JSON.parse(await ran(['backup', target, '--data', data, '--output', 'json', ...database])) as {
        blobs: { copied: number };
      };
      expect(again.blobs.copied).toBe(0);
    });

    test('comes back from each backup: whole, with all that was acknowledged before it began, and its people', async () => {
      for (const [i, { id, acknowledged }] of made.entries()) {
        const restored = join(work.path, `restored-${i}`);
        // Once to where it was, and once from the one database to the other.
        const same = kind === 'sqlite' || (i === 0 && postgres !== undefined);
        const to = kind === 'postgres' && same ? ['--database', (await postgres?.newDatabase()) ?? ''] : [];
        expect(await ran(['restore', target, '--backup', id, '--data', restored, ...to])).toContain('all is well');
        expect(await ran(['verify', '--data', restored, ...to])).toStartWith('all is well');
        const copy = await startBerth({ data: restored, args: ['--anonymous', 'none', '--workers', '1', ...to] });
        try {
          const reader = new Pusher(copy.url);
          for (const [name, digest] of acknowledged) {
            const [repository = '', tag = ''] = name.split(':');
            expect({ name, digest: await reader.pull(repository, tag) }).toEqual({ name, digest });
          }
          const { name, password } = ADMINISTRATOR;
          const home = { BERTH_CONFIG_HOME: join(work.path, `home-${i}`), BERTH_SERVER: copy.url, BERTH_TOKEN: '' };
          const login = await berth(['login', '-u', name, '--password-stdin'], { env: home, stdin: password });
          expect(login.code).toBe(0);
          // Ids go on after those that were given.
          await reader.push('alice/after', 'latest', 'after the restore');
        } finally {
          await copy.stop();
        }
      }
      expect(made.at(-1)?.acknowledged.size).toBeGreaterThan(0);
    }, 170_000);

    test.skipIf(kind === 'postgres')('moves to PostgreSQL by a backup', async () => {
      if (!requirePostgres('moving to PostgreSQL')) return;
      postgres ??= await startPostgres({ settings: ['fsync = off'] });
      const to = ['--database', await postgres.newDatabase()];
      const restored = join(work.path, 'moved');
      expect(await ran(['restore', target, '--data', restored, ...to])).toContain('all is well');
      const moved = await startBerth({ data: restored, args: ['--anonymous', 'none', '--workers', '1', ...to] });
      try {
        const pusher = new Pusher(moved.url);
        for (const [name, digest] of made.at(-1)?.acknowledged ?? []) {
          const [repository = '', tag = ''] = name.split(':');
          expect({ name, digest: await pusher.pull(repository, tag) }).toEqual({ name, digest });
        }
        await pusher.push('alice/after', 'latest', 'after the move');
      } finally {
        await moved.stop();
      }
    });
  });
}
