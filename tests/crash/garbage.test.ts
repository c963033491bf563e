// `berth gc` killed at its steps, with pushes of the very digests that it was removing.
import { Database } from 'bun:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { Client } from '../support/client.ts';
import { describeBytes, digestOf, mediaTypes } from '../support/registry.ts';
import { storedDigests, walkTags } from './inspect.ts';

const GRACE_MS = 1_000;
const windows = ['--gc-grace', `${GRACE_MS}ms`, '--tag-history-window', '0s', '--upload-expiry', '1h'];
const BLOBS = 12;

let server: RunningBerth;
let client: Client;
const data = mkdtempSync(join(tmpdir(), 'berth-crash-gc-'));

beforeAll(async () => {
  server = await startBerth({ data, args: ['--workers', '2', '--gc-interval', '0s', ...windows] });
  client = new Client(server.port);
});

afterAll(async () => {
  client.close();
  await server.stop();
  rmSync(data, { recursive: true, force: true });
});

describe('a garbage collection that is killed', () => {
  const kills = [
    'blob-condemned',
    'blob-out-of-reach',
    'blob-removed',
    `blob-removed@${BLOBS / 2}`,
    `blob-removed@${BLOBS}`,
  ];
  for (const failpoint of kills) {
    test(`at ${failpoint} loses nothing of a push of the same digests, and refuses none`, async () => {
      // What an earlier test left goes first, or the kill would fall there.
      expireLease();
      expect((await gc()).code).toBe(0);
      const repository = `gc/${failpoint.replace(/[@]/, '-')}`;
      const layers = Array.from({ length: BLOBS - 1 }, () => randomBytes(2_000));
      await pushImage(repository, layers);
      await deleteImage(repository, layers);
      const before = storedDigests(data).size;
      expect(before).toBeGreaterThanOrEqual(BLOBS);
      await Bun.sleep(GRACE_MS + 100);

      const killed = await gc({ BERTH_FAILPOINT: failpoint });
      expect(killed.code).toBe(137);

      // As if the dead one's lease were over: until then a push of what it was removing waits.
      expect(expireLease()).toBe(true);
      const started = performance.now();
      await pushImage(repository, layers);
      // No push waited until another collection may begin: a lease has 20 s.
      expect(performance.now() - started).toBeLessThan(15_000);
      await pullImage(repository, layers);

      const next = await gc();
      expect([next.code, next.stderr]).toEqual([0, '']);
      await pullImage(repository, layers);
      await verifyClean(BLOBS);
      expect(storedDigests(data)).toEqual(await walkTags(client));
    }, 60_000);
  }

  test('lets the next one run once its lease is over, which then finishes the work', async () => {
    expireLease();
    const layers = [randomBytes(2_000), randomBytes(2_000)];
    await pushImage('gc/finish', layers);
    await deleteImage('gc/finish', layers);
    await Bun.sleep(GRACE_MS + 100);
    expect((await gc({ BERTH_FAILPOINT: 'blob-removed@2' })).code).toBe(137);
    const early = await gc();
    expect([early.code, early.stderr]).toEqual([1, expect.stringContaining('another garbage collection is running')]);
    expireLease();
    expect((await gc()).code).toBe(0);
    expect(storedDigests(data)).toEqual(await walkTags(client));
    await verifyClean(0);
  }, 60_000);
});

/** As one that was paused (a suspended machine, a debugger) and goes on when another has taken over. */
test('a garbage collection that sleeps past its lease removes nothing that was pushed meanwhile', async () => {
  expireLease();
  const layers = Array.from({ length: 150 }, () => randomBytes(500));
  await pushImage('gc/paused', layers);
  await deleteImage('gc/paused', layers);
  await Bun.sleep(GRACE_MS + 100);
  const sleeper = Bun.spawn(gcCommand(), {
    env: { ...process.env, NO_COLOR: '1' },
    stdout: 'ignore',
    stderr: 'ignore',
  });
  const paused = await pauseWhenRemoving(sleeper.pid);
  expect(paused).toBe(true);
  try {
    expect((await gc()).code).toBe(0);
    await pushImage('gc/paused', layers);
  } finally {
    process.kill(sleeper.pid, 'SIGCONT');
  }
  await sleeper.exited;
  await pullImage('gc/paused', layers);
  await verifyClean(layers.length);
}, 60_000);

/** Stops the process when it has removed some blobs and not all, outside of a transaction; its lease is then over. */
async function pauseWhenRemoving(pid: number): Promise<boolean> {
  const all = storedDigests(data).size;
  const kept = (await walkTags(client)).size;
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline) {
    if (storedDigests(data).size === all) continue;
    process.kill(pid, 'SIGSTOP');
    if (storedDigests(data).size === kept) break;
    if (expireLease()) return true;
    process.kill(pid, 'SIGCONT');
    await Bun.sleep(1);
  }
  process.kill(pid, 'SIGCONT');
  return false;
}

function gcCommand(): string[] {
  const root = new URL('../..', import.meta.url).pathname;
  return [join(root, 'bin/berth'), 'gc', '--data', data, '--output', 'json', ...windows];
}

function gc(env: Record<string, string> = {}) {
  return berth(gcCommand().slice(1), { env });
}

/** As if the lease of a collection that died or sleeps were over. False when another process is in the middle of a transaction. */
function expireLease(): boolean {
  const database = new Database(join(data, 'berth.db'));
  try {
    database.run('PRAGMA busy_timeout = 100');
    database.run('UPDATE leases SET until = 0');
    return true;
  } catch {
    return false;
  } finally {
    database.close();
  }
}

async function verifyClean(atLeast: number): Promise<void> {
  const { code, stdout } = await berth(['verify', '--data', data, '--output', 'json']);
  const result = JSON.parse(stdout) as { blobs: number; orphans: number; faults: unknown[] };
  expect([code, result.faults, result.orphans]).toEqual([0, [], 0]);
  expect(result.blobs).toBeGreaterThanOrEqual(atLeast);
}

function manifestOf(layers: Buffer[]) {
  const config = Buffer.from(JSON.stringify({ layers: layers.map((layer) => digestOf(layer)) }));
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: describeBytes(config, mediaTypes.ociConfig),
    layers: layers.map((layer) => describeBytes(layer, mediaTypes.ociLayer)),
  });
  return { config, body };
}

async function pushImage(repository: string, layers: Buffer[]): Promise<void> {
  const { config, body } = manifestOf(layers);
  const push = async (blob: Buffer) => {
    const digest = digestOf(blob);
    const answer = await client.request('POST', `/v2/${repository}/blobs/uploads/?digest=${digest}`, { body: blob });
    expect([digest, answer.status, answer.text()]).toEqual([digest, 201, '']);
  };
  for (let i = 0; i <= layers.length; i += 4) await Promise.all([config, ...layers].slice(i, i + 4).map(push));
  const answer = await client.request('PUT', `/v2/${repository}/manifests/v1`, {
    headers: { 'Content-Type': mediaTypes.ociManifest },
    body,
  });
  expect([answer.status, answer.text()]).toEqual([201, '']);
}

async function deleteImage(repository: string, layers: Buffer[]): Promise<void> {
  const digest = digestOf(manifestOf(layers).body);
  expect((await client.request('DELETE', `/v2/${repository}/manifests/${digest}`)).status).toBe(202);
}

async function pullImage(repository: string, layers: Buffer[]): Promise<void> {
  const { config, body } = manifestOf(layers);
  expect((await client.request('GET', `/v2/${repository}/manifests/v1`)).text()).toBe(body);
  for (const blob of [config, ...layers]) {
    const answer = await client.request('GET', `/v2/${repository}/blobs/${digestOf(blob)}`);
    expect([answer.status, answer.status === 200 ? digestOf(answer.body) : answer.text()]).toEqual([
      200,
      digestOf(blob),
    ]);
  }
}
