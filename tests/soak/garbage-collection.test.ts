// Eight clients and a garbage collection that runs all the time, with windows of seconds.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { storedDigests } from '../crash/inspect.ts';
import { berth, startBerth } from '../support/berth.ts';
import { Client } from '../support/client.ts';
import { type RunningPostgres, requirePostgres, startPostgres } from '../support/postgres.ts';
import { started } from '../support/processes.ts';
import { Random, seedOf } from '../support/random.ts';
import { newWorld, SoakClient } from './soak-client.ts';

const SECONDS = Number(process.env.BERTH_SOAK_SECONDS ?? 30);
const CLIENTS = 8;
const GRACE_MS = 2_000;
const WINDOWS = ['--gc-grace', `${GRACE_MS}ms`, '--tag-history-window', '2s', '--upload-expiry', '5s'];
/** A collection takes changes of tags for recent that long, whatever the window (`registry/garbage/graph.ts`). */
const CLOCK_SKEW_MS = 10_000;

interface Collected {
  runs: number;
  manifests: number;
  links: number;
  blobs: number;
}

async function soak(database: string | undefined): Promise<void> {
  const random = new Random(seedOf('soak'));
  const data = mkdtempSync(join(tmpdir(), 'berth-soak-'));
  const where = ['--data', data, ...(database === undefined ? [] : ['--database', database])];
  const server = await startBerth({
    data,
    args: [...where.slice(2), '--workers', '2', '--gc-interval', '0s', '--log-level', 'warn', ...WINDOWS],
  });
  const collected: Collected = { runs: 0, manifests: 0, links: 0, blobs: 0 };
  const collect = async () => {
    const { code, stdout, stderr } = await berth(['gc', ...where, '--output', 'json', ...WINDOWS]);
    if (code !== 0) throw new Error(`gc: exit code ${code}: ${stderr}`);
    const result = JSON.parse(stdout) as Collected;
    collected.runs++;
    for (const key of ['manifests', 'links', 'blobs'] as const) collected[key] += result[key];
  };
  const verify = async () => {
    const { code, stdout, stderr } = await berth(['verify', ...where, '--output', 'json']);
    const result = JSON.parse(stdout) as { blobs: number; manifests: number; faults: unknown[] };
    expect([code, result.faults, stderr]).toEqual([0, [], '']);
    return result;
  };
  try {
    await started(server);
    const world = newWorld(GRACE_MS, CLIENTS);
    const connections = Array.from({ length: CLIENTS }, () => new Client(server.port));
    const clients = connections.map((client, i) => new SoakClient(client, random.fork(), world, i));
    let stopped = false;
    /** What there has not been enough of yet. */
    const lacking = () => {
      const { pushes, mounts, pulls } = world.counts;
      const { runs, manifests, blobs } = collected;
      const least = {
        pushes: [pushes, SECONDS * 2],
        mounts: [mounts, SECONDS / 2],
        pulls: [pulls, SECONDS],
        collections: [runs, SECONDS / 20],
        manifests: [manifests, SECONDS / 2],
        blobs: [blobs, SECONDS / 2],
      } as const;
      return Object.entries(least).filter(([, [count, more]]) => !(count > more));
    };
    const over = (async () => {
      await Bun.sleep(SECONDS * 1_000);
      // A busy machine takes longer for it.
      for (let waited = 0; waited < SECONDS * 3 && lacking().length > 0; waited++) await Bun.sleep(1_000);
      stopped = true;
    })();
    const collecting = async () => {
      while (!stopped) await collect();
    };
    await Promise.all([over, collecting(), ...clients.map((client) => client.runUntil(() => stopped))]).finally(() => {
      stopped = true;
    });

    const left = [...world.images];
    for (const [i, image] of left.entries()) await clients[i % CLIENTS]?.pull(image);
    const verified = await verify();
    console.error(`soak: ${JSON.stringify({ ...world.counts, left: left.length, collected, verified })}`);
    expect(left.length).toBeGreaterThan(CLIENTS);
    expect(verified.manifests).toBeGreaterThanOrEqual(left.length);
    expect(lacking()).toEqual([]);

    for (const client of clients) await client.deleteAll();
    await Bun.sleep(GRACE_MS + CLOCK_SKEW_MS + 1_000);
    await collect();
    expect([...storedDigests(data)]).toEqual([]);
    expect(readdirSync(join(data, 'uploads'))).toEqual([]);
    expect(await verify()).toMatchObject({ blobs: 0, manifests: 0, references: 0, tags: 0, orphans: 0 });
    for (const connection of connections) connection.close();
  } catch (error) {
    console.error(`soak: the server last said:\n${server.output().slice(-3_000)}`);
    throw error;
  } finally {
    await server.stop();
    rmSync(data, { recursive: true, force: true });
  }
}

const LIMIT_MS = SECONDS * 6_000 + 120_000;

describe('no push that was answered 201 loses a byte while garbage is collected beside it', () => {
  test('on SQLite', () => soak(undefined), LIMIT_MS);

  describe.skipIf(!requirePostgres('soak on PostgreSQL'))('on PostgreSQL', () => {
    let cluster: RunningPostgres | undefined;
    beforeAll(async () => {
      cluster = await startPostgres();
    }, 120_000);
    afterAll(() => cluster?.stop());
    test('too', async () => soak(await cluster?.newDatabase()), LIMIT_MS);
  });
});
