// Pushes with `kill -9`: at each named step of a push and at random moments, of one worker and of the whole server, in one data
// directory. After each kill everything acknowledged since the last one is asked back.
import { afterAll, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RegistryStep } from '../../src/registry/context.ts';
import type { StoreStep } from '../../src/storage/filesystem/filesystem-blob-store.ts';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { Client } from '../support/client.ts';
import { freePort } from '../support/ports.ts';
import { eventually, started, workersOf } from '../support/processes.ts';
import { Random, seedOf } from '../support/random.ts';
import { storedDigests, walkTags } from './inspect.ts';
import { Ledger } from './ledger.ts';
import { Pusher, SharedLayers } from './pusher.ts';

const ROUNDS = Number(process.env.BERTH_CRASH_ROUNDS ?? 100);
const PUSHERS = 4;
const GRACE_MS = 2_000;
/** A collection takes changes of tags for recent that long, whatever the window (`registry/garbage/graph.ts`). */
const CLOCK_SKEW_MS = 10_000;

type CollectionStep = 'blob-condemned' | 'blob-out-of-reach' | 'blob-removed';

/** Every step of a push, and how often it comes in an image push: where in a round the kill falls is drawn from that. */
const STEPS: Record<Exclude<RegistryStep | StoreStep, CollectionStep>, number> = {
  'upload-started': 12,
  'upload-appended': 8,
  'blob-claimed': 12,
  'upload-synced': 12,
  'upload-renamed': 12,
  'directory-synced': 12,
  'blob-committed': 12,
  'blob-linked': 12,
  'manifest-written': 5,
  'manifest-committed': 5,
};

const data = mkdtempSync(join(tmpdir(), 'berth-crash-'));
afterAll(() => rmSync(data, { recursive: true, force: true }));

test(
  `nothing acknowledged is lost over ${ROUNDS} rounds of pushes and kill -9`,
  async () => {
    const random = new Random(seedOf('crash'));
    const ledger = new Ledger();
    const shared = new SharedLayers();
    const pushers = Array.from({ length: PUSHERS }, (_, i) => new Pusher(`p${i}`, ledger, random.fork(), shared));
    const port = await freePort();
    const steps = Object.keys(STEPS) as (keyof typeof STEPS)[];
    const count = { rounds: 0, starts: 0, workerKills: 0, serverKills: 0, atStep: {} as Record<string, number> };
    let checks = 0;
    let verified = { blobs: 0, manifests: 0 };

    const start = async (failpoint?: string) => {
      count.starts++;
      const args = ['--workers', '2', '--gc-interval', '0s', '--gc-grace', `${GRACE_MS}ms`, '--log-level', 'warn'];
      args.push('--tag-history-window', '0s', '--upload-expiry', '1h');
      const berth = await startBerth({
        data,
        port,
        args,
        env: failpoint === undefined ? {} : { BERTH_FAILPOINT: failpoint },
      });
      await started(berth);
      return berth;
    };

    /** One round: pushes until a process is killed; after it everything new is asked back from what is left. */
    const round = async (server: RunningBerth, step: keyof typeof STEPS | undefined, all: boolean) => {
      count.rounds++;
      let stopped = false;
      let died = false;
      const clients = pushers.map(() => new Client(port));
      const pushing = Promise.all(
        pushers.map((pusher, i) => pusher.pushUntil(clients[i] ?? new Client(port), () => stopped)),
      );
      const killing = (async () => {
        if (step === undefined) {
          await Bun.sleep(random.int(5, 150));
        } else {
          const before = deaths(server);
          const deadline = Date.now() + 3_000;
          while (deaths(server) === before && Date.now() < deadline) await Bun.sleep(2);
          died = deaths(server) > before;
          if (died) count.atStep[step] = (count.atStep[step] ?? 0) + 1;
        }
        if (!all && !died) {
          await eventually('a worker that can be killed', 30_000, () => workersOf(server.pid).length > 0);
          process.kill(random.pick(workersOf(server.pid)), 'SIGKILL');
        }
        if (all) await server.kill();
        stopped = true;
      })();
      await Promise.all([pushing, killing]).finally(() => {
        stopped = true;
      });
      for (const client of clients) client.close();
      if (all) count.serverKills++;
      else count.workerKills++;
    };

    let armed: keyof typeof STEPS | undefined;
    const next = () => {
      // Each step in turn, and every third start none: there the kills come at random moments.
      armed = count.starts % 3 === 2 ? undefined : steps[(count.starts - Math.floor(count.starts / 3)) % steps.length];
      return start(armed === undefined ? undefined : `${armed}@${random.int(1, STEPS[armed])}`);
    };
    let server = await next();
    try {
      while (count.rounds < ROUNDS) {
        // A worker that dies soon after its start is replaced only after a pause, so an armed server serves two rounds.
        const rounds = Math.min(armed === undefined ? 10 : 2, ROUNDS - count.rounds);
        for (let i = 1; i <= rounds; i++) {
          const all = i === rounds;
          await round(server, armed, all);
          if (all) server = await next();
          const client = new Client(port);
          await ledger.checkNew(client);
          if (all) await ledger.resumeUploads(client);
          client.close();
        }
        if (++checks % 10 === 0) verified = await verify();
      }
      await server.kill();
      server = await start();
      const client = new Client(port);
      await ledger.resumeUploads(client);
      await ledger.checkAll(client);
      verified = await verify();

      const acknowledged = ledger.size;
      const report = {
        ...count,
        acknowledged,
        checked: ledger.checked,
        verified,
        lost: sum(pushers.map((p) => p.lost)),
      };
      console.error(`crash: ${JSON.stringify(report)}`);
      // An empty store, or a server that nobody pushed to, must not pass.
      expect(count.workerKills + count.serverKills).toBe(ROUNDS);
      expect(acknowledged.blobs).toBeGreaterThan(ROUNDS * 3);
      expect(acknowledged.manifests).toBeGreaterThan(ROUNDS);
      expect(ledger.checked.blobs).toBeGreaterThan(acknowledged.blobs);
      expect(ledger.checked.manifests).toBeGreaterThan(acknowledged.manifests);
      expect(ledger.checked.tags).toBeGreaterThan(ROUNDS);
      expect(ledger.checked.resumed).toBeGreaterThan(ROUNDS / 20);
      expect(verified.blobs).toBeGreaterThan(ROUNDS * 2);
      if (ROUNDS >= 100) for (const step of steps) expect([step, count.atStep[step] ?? 0]).not.toEqual([step, 0]);
      expect(ledger.uploads.size).toBe(0);

      await collectsAllThatIsNotNamed(client);
      client.close();
    } catch (error) {
      console.error(
        `crash: in round ${count.rounds}, armed ${armed}, the server last said:\n${server.output().slice(-4_000)}`,
      );
      throw error;
    } finally {
      await server.kill();
    }
  },
  ROUNDS * 3_000 + 120_000,
);

/** With its windows over, everything that no tag reaches goes, and nothing else. */
async function collectsAllThatIsNotNamed(client: Client): Promise<void> {
  const named = await walkTags(client);
  expect(named.size).toBeGreaterThan(Math.min(ROUNDS, 50));
  await Bun.sleep(GRACE_MS + CLOCK_SKEW_MS + 500);
  const gc = await berth(['gc', '--data', data, '--output', 'json', ...WINDOWS]);
  expect([gc.code, gc.stderr]).toEqual([0, '']);
  const stored = storedDigests(data);
  expect([...stored].filter((digest) => !named.has(digest))).toEqual([]);
  expect([...named].filter((digest) => !stored.has(digest))).toEqual([]);
  expect(readdirSync(join(data, 'uploads'))).toEqual([]);
  await verify();
}

const WINDOWS = ['--gc-grace', '1s', '--tag-history-window', '0s', '--upload-expiry', '0s'];

async function verify(): Promise<{ blobs: number; manifests: number }> {
  const { code, stdout, stderr } = await berth(['verify', '--data', data, '--output', 'json']);
  const result = JSON.parse(stdout) as { blobs: number; manifests: number; faults: unknown[] };
  expect([result.faults, code, stderr]).toEqual([[], 0, '']);
  return result;
}

function deaths(server: RunningBerth): number {
  return server.output().split('a worker ended; starting another').length - 1;
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
