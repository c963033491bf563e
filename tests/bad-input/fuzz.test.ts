import { expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { describeBytes, mediaTypes, Registry } from '../support/registry.ts';
import { Connection, NoAnswer } from '../support/wire.ts';
import { type Known, malformed, mutatedRequest, Random, wellFormed } from './mutation.ts';

/** BERTH_FUZZ_SEED repeats a run, BERTH_FUZZ_REQUESTS makes it longer. */
const seed = Number(process.env.BERTH_FUZZ_SEED ?? 20_260_101);
const total = Number(process.env.BERTH_FUZZ_REQUESTS ?? 22_000);
const LANES = 16;
/** The share of requests that are broken as HTTP, each on a connection of its own. */
const MALFORMED = 0.15;

interface Tally {
  statuses: Map<number, number>;
  /** Malformed requests that were answered by closing. */
  closed: number;
  /** Malformed requests whose end the server still waits for. */
  silent: number;
  faults: string[];
}

async function fill(registry: Registry): Promise<Known> {
  const known: Known = { repositories: [], tags: ['v1', 'latest'], digests: [], manifests: [], uploads: [] };
  for (const repository of ['fuzz', 'fuzz/a', 'fuzz/manifests/b']) {
    known.repositories.push(repository);
    for (const tag of known.tags) {
      const image = await registry.pushImage(repository, tag);
      const subject = describeBytes(image.body, mediaTypes.ociManifest);
      const referrer = await registry.pushImage(repository, 'signature', { subject });
      const index = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [subject] });
      await registry.putManifest(repository, 'index', index, { mediaType: mediaTypes.ociIndex });
      known.manifests.push(image.body, referrer.body, index);
      known.digests.push(image.digest, image.config, image.layer, referrer.digest);
    }
    for (let i = 0; i < 10; i++) known.uploads.push(await registry.startUpload(repository));
  }
  return known;
}

/** The processes of the server that answer requests. */
function workers(running: RunningBerth): string[] {
  const parent = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1];
    } catch {
      return undefined;
    }
  };
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && parent(pid) === String(running.pid));
}

function note(tally: Tally, status: number, allowed: readonly number[], bytes: Buffer, number: number): void {
  tally.statuses.set(status, (tally.statuses.get(status) ?? 0) + 1);
  if (status >= 500 && !allowed.includes(status)) {
    tally.faults.push(`request ${number}: ${status}: ${JSON.stringify(bytes.subarray(0, 1500).toString('latin1'))}`);
  }
}

/** Sends every `LANES`th request, beginning with `lane`, one after the other. */
async function runLane(port: number, host: string, lane: number, known: Known, tally: Tally): Promise<void> {
  let connection = await Connection.open(port);
  for (let number = lane; number < total; number += LANES) {
    // Each request has a generator of its own, so that it is the same whatever the other lanes do.
    const random = new Random(seed * 1_000_003 + number);
    const request = mutatedRequest(random, known);
    const bytes = wellFormed(host, request);
    if (random.chance(MALFORMED)) {
      await sendMalformed(port, malformed(random, bytes), number, tally);
      continue;
    }
    if (!connection.open) connection = await Connection.open(port);
    connection.send(bytes);
    try {
      const answer = await connection.answer(request.method, 20_000);
      note(tally, answer.status, [], bytes, number);
      if (answer.headers.get('connection')?.toLowerCase() === 'close') connection.close();
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      tally.faults.push(
        `request ${number}: ${error.why}: ${JSON.stringify(bytes.subarray(0, 1500).toString('latin1'))}`,
      );
      connection.close();
    }
    if (request.method === 'POST' || request.method === 'DELETE') refresh(random, known);
  }
  connection.close();
}

/** Keeps the list of uploads from filling with finished ones: an id that is gone is a case among others, not the only one. */
function refresh(random: Random, known: Known): void {
  known.uploads.sort(() => random.next() - 0.5);
}

async function sendMalformed(port: number, bytes: Buffer, number: number, tally: Tally): Promise<void> {
  const connection = await Connection.open(port);
  connection.send(bytes);
  connection.socket.end();
  try {
    const answer = await connection.answer('GET', 150);
    // 501 and 505 are what HTTP has for an encoding or a version that a server does not know.
    note(tally, answer.status, [501, 505], bytes, number);
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    if (error.why === 'closed') tally.closed++;
    else tally.silent++;
  } finally {
    connection.close();
  }
}

test(`${total} mutated requests: no 500, no worker ends, the server goes on and its data is whole (seed ${seed})`, async () => {
  const running = await startBerth({ args: ['--workers', '2'] });
  const registry = new Registry(running.port);
  try {
    const known = await fill(registry);
    const before = workers(running);
    expect(before.length).toBeGreaterThanOrEqual(2);
    const tally: Tally = { statuses: new Map(), closed: 0, silent: 0, faults: [] };
    const started = performance.now();
    await Promise.all(
      Array.from({ length: LANES }, (_, lane) => runLane(running.port, registry.host, lane, known, tally)),
    );
    const seconds = (performance.now() - started) / 1000;
    const statuses = Object.fromEntries([...tally.statuses].sort(([a], [b]) => a - b));
    console.log(
      `fuzz: seed ${seed}, ${total} requests in ${seconds.toFixed(1)} s, closed without an answer ${tally.closed}, silent ${tally.silent}`,
      statuses,
    );
    expect(tally.faults).toEqual([]);
    expect(workers(running)).toEqual(before);
    expect(running.output()).not.toMatch(/"level":"(?:error|fatal)"/);
    // A run that only ever missed would show nothing.
    expect(Object.keys(statuses).length).toBeGreaterThanOrEqual(10);
    for (const status of [200, 201, 202, 204, 400, 404, 405, 416])
      expect(tally.statuses.get(status) ?? 0).toBeGreaterThan(5);
    const image = await registry.pushImage('after/fuzz', 'v1');
    expect((await registry.get('/v2/after/fuzz/manifests/v1')).text()).toBe(image.body);
    const verified = await berth(['verify', '--data', running.data]);
    expect([verified.code, verified.stderr]).toEqual([0, expect.any(String)]);
  } finally {
    registry.close();
    await running.stop();
  }
}, 180_000);
