// Garbage collections that an administrator begins: each in a process of its own.
import { Database } from 'bun:sqlite';
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type GarbageRunDetails, garbageRun, garbageRunDetails, garbageRunPage } from '../../src/api/administration.ts';
import { Caller } from '../access/caller.ts';
import { setUp } from '../access/people.ts';
import { type RunningBerth, berth as runBerth, startBerth } from '../support/berth.ts';
import { eventually, workersOf } from '../support/processes.ts';
import { digestOf, Registry } from '../support/registry.ts';

const COLLECTIONS = '/api/v1/instance/garbage-collections';
/** What nothing names is garbage a second after its push. */
const WINDOWS = ['--gc-grace', '1s', '--tag-history-window', '0s', '--upload-expiry', '1s'];

let berth: RunningBerth;
let caller: Caller;
let registry: Registry;
let as: string;
beforeAll(async () => {
  berth = await startBerth({ args: ['--workers', '2', '--gc-interval', '0s', ...WINDOWS] });
  caller = new Caller(berth);
  registry = new Registry(berth.port);
  as = await setUp(caller);
}, 60_000);
afterAll(async () => {
  caller?.close();
  registry?.close();
  await berth?.stop();
}, 60_000);

const begin = async (dryRun: boolean) =>
  garbageRun.parse((await caller.expect(202, 'POST', COLLECTIONS, { as, json: { dryRun } })).json());

const read = async (id: string) =>
  garbageRunDetails.parse((await caller.expect(200, 'GET', `${COLLECTIONS}/${id}`, { as })).json());

async function ended(id: string): Promise<GarbageRunDetails> {
  let run = await read(id);
  await eventually('the collection has ended', 20_000, async () => {
    run = await read(id);
    return run.state !== 'running';
  });
  return run;
}

/** The processes that collect for a server. */
function collectorsOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((other) => {
      try {
        const stat = readFileSync(`/proc/${other}/stat`, 'utf8');
        const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
        return (
          parent === pid && / gc --output /.test(readFileSync(`/proc/${other}/cmdline`, 'utf8').replaceAll('\0', ' '))
        );
      } catch {
        return false;
      }
    });
}

const outOfReach = (data: string) => readdirSync(join(data, 'removing'));

test('a dry run says what would go; then it goes, in a process that is none of those that serve', async () => {
  const kept = await registry.pushImage('kept', 'v1');
  const digest = await registry.pushBlob('garbage', Buffer.from('1 0'));
  await Bun.sleep(1_100);
  const workers = workersOf(berth.pid);
  const dry = await ended((await begin(true)).id);
  expect(dry).toMatchObject({
    state: 'done',
    dryRun: true,
    startedBy: 'chief',
    result: { links: 1, blobs: 1, bytes: 3 },
  });
  expect(dry.items).toContainEqual({
    kind: 'link',
    repository: 'garbage',
    digest,
    size: null,
    why: expect.any(String),
  });
  expect((await registry.get(`/v2/garbage/blobs/${digest}`)).status).toBe(200);
  await Bun.sleep(1_100);

  const { id } = await begin(false);
  const seen = new Set<number>();
  let run = await read(id);
  await eventually('the collection has ended', 20_000, async () => {
    for (const pid of collectorsOf(berth.pid)) seen.add(pid);
    run = await read(id);
    return run.state !== 'running';
  });
  expect(run).toMatchObject({ state: 'done', error: null, result: { links: 1, blobs: 1, bytes: 3 }, items: [] });
  expect([...seen].filter((pid) => pid !== berth.pid && !workers.includes(pid))).toHaveLength(1);
  expect(workersOf(berth.pid)).toEqual(workers);
  expect((await registry.get(`/v2/garbage/blobs/${digest}`)).status).toBe(404);
  expect(digestOf((await registry.get('/v2/kept/manifests/v1')).body)).toBe(kept.digest);
  await eventually('the metrics have it', 20_000, async () =>
    /^berth_gc_runs 1$/m.test((await registry.get('/metrics')).text()),
  );
}, 60_000);

test('one that is killed in the middle has failed at once, says so, and does not stand in the way of the next', async () => {
  const doomed = await startBerth({
    args: ['--workers', '1', '--gc-interval', '0s', ...WINDOWS],
    env: { BERTH_FAILPOINT: 'blob-condemned' },
  });
  const asker = new Caller(doomed);
  const pusher = new Registry(doomed.port);
  try {
    const chief = await setUp(asker);
    const digest = await pusher.pushBlob('garbage', Buffer.from('doomed'));
    await Bun.sleep(1_100);
    const ask = () => asker.send('POST', COLLECTIONS, { as: chief, json: { dryRun: false } });
    const first = garbageRun.parse((await ask()).json());
    const second = await ask();
    expect([second.status, second.json()]).toMatchObject([409, { code: 'REFUSED' }]);
    const look = async (id: string) =>
      garbageRunDetails.parse((await asker.expect(200, 'GET', `${COLLECTIONS}/${id}`, { as: chief })).json());
    await eventually('it has failed', 30_000, async () => (await look(first.id)).state !== 'running');
    expect(await look(first.id)).toMatchObject({
      state: 'failed',
      error: 'the process ended before it was done',
      result: null,
      finishedAt: expect.any(String),
    });
    // What it had begun is finished by the next, once the lease of the dead one is over.
    const database = new Database(join(doomed.data, 'berth.db'));
    database.run("update leases set until = 0 where name = 'gc'");
    database.close();
    const third = garbageRun.parse((await ask()).json());
    await eventually('another one is done', 30_000, async () => (await look(third.id)).state !== 'running');
    expect(await look(third.id)).toMatchObject({ state: 'done', result: { blobs: 1, bytes: 6 } });
    expect((await pusher.get(`/v2/garbage/blobs/${digest}`)).status).toBe(404);
  } finally {
    asker.close();
    pusher.close();
    await doomed.stop();
  }
}, 60_000);

test('what one had out of reach when it was killed is removed at once, without another', async () => {
  const doomed = await startBerth({
    args: ['--workers', '1', '--gc-interval', '2s', ...WINDOWS],
    env: { BERTH_FAILPOINT: 'blob-out-of-reach' },
  });
  const pusher = new Registry(doomed.port);
  try {
    await pusher.pushBlob('garbage', Buffer.from('out of reach'));
    await eventually('a collection was killed', 20_000, () => doomed.output().includes('garbage collection failed'));
    await eventually('its removal is over', 15_000, () => outOfReach(doomed.data).length === 0);
  } finally {
    pusher.close();
    await doomed.stop();
  }
}, 60_000);

test('what one had out of reach, and was pushed again, is back when the server starts', async () => {
  const first = await startBerth({ args: ['--workers', '1', '--gc-interval', '0s'] });
  const pusher = new Registry(first.port);
  const { layer: digest } = await pusher.pushImage('app', 'v1');
  pusher.close();
  await first.kill();
  const hex = digest.slice('sha256:'.length);
  const stored = join(first.data, 'blobs/sha256', hex.slice(0, 2), hex);
  renameSync(stored, join(first.data, 'removing', `sha256-${hex}.left`));
  const second = await startBerth({ data: first.data, args: ['--workers', '2', '--gc-interval', '0s'] });
  const puller = new Registry(second.port);
  try {
    const answer = await puller.get(`/v2/app/blobs/${digest}`);
    expect([answer.status, digestOf(answer.body)]).toEqual([200, digest]);
    expect(outOfReach(second.data)).toEqual([]);
  } finally {
    puller.close();
    await second.stop();
    rmSync(first.data, { recursive: true, force: true });
  }
}, 60_000);

test('one that somebody runs by hand is in the list, with its end', async () => {
  const { code } = await runBerth(['gc', '--data', berth.data, ...WINDOWS]);
  expect(code).toBe(0);
  const { runs } = garbageRunPage.parse((await caller.expect(200, 'GET', COLLECTIONS, { as })).json());
  expect(runs[0]).toMatchObject({ startedBy: 'command line', dryRun: false, state: 'done' });
});

test('one by the schedule is in the list', async () => {
  const data = berth.data;
  const other = await startBerth({ args: ['--workers', '1', '--gc-interval', '1s', ...WINDOWS] });
  const others = new Caller(other);
  try {
    expect(other.data).not.toBe(data);
    const chief = await setUp(others);
    await eventually('a collection by the schedule', 20_000, async () => {
      const answer = await others.expect(200, 'GET', COLLECTIONS, { as: chief });
      const { runs } = garbageRunPage.parse(answer.json());
      return runs.some(({ startedBy, state }) => startedBy === 'schedule' && state === 'done');
    });
  } finally {
    others.close();
    await other.stop();
  }
}, 60_000);
