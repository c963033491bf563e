// Several processes on one port: what one has taken, any other goes on with.
import { describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { type RunningBerth, startBerth } from '../support/berth.ts';
import { Client, persist } from '../support/client.ts';
import { eventually, holderOf, isAlive, started, workersOf } from '../support/processes.ts';
import { describeBytes, digestOf, freshName, mediaTypes } from '../support/registry.ts';
import { serve } from '../support/serve.ts';
import { Connection } from '../support/wire.ts';

const served = serve({ args: ['--workers', '3', '--log-level', 'warn'] });

/** Which worker answered: a request id begins with the worker's name. */
function workerOf(answer: { headers: Headers }): string {
  return (answer.headers.get('x-request-id') ?? '').split('-')[0] ?? '';
}

describe('three workers', () => {
  test('each serve on the one port', async () => {
    await started(served.berth);
    const client = new Client(served.berth.port);
    const seen = new Set<string>();
    for (let i = 0; i < 200 && seen.size < 3; i++) seen.add(workerOf(await client.requestOnNew('GET', '/v2/')));
    expect(seen.size).toBe(3);
    expect(workersOf(served.berth.pid)).toHaveLength(3);
  });

  test('go on with an upload that another one began', async () => {
    const client = new Client(served.berth.port);
    const workers = new Set<string>();
    for (let round = 0; round < 10; round++) {
      const repository = freshName('workers');
      const content = randomBytes(200_000);
      const digest = digestOf(content);
      const started = await client.requestOnNew('POST', `/v2/${repository}/blobs/uploads/`);
      expect(started.status).toBe(202);
      const path = started.headers.get('location') ?? '';
      for (let at = 0; at < 180_000; at += 20_000) {
        const patched = await client.requestOnNew('PATCH', path, {
          headers: { 'Content-Range': `${at}-${at + 19_999}` },
          body: content.subarray(at, at + 20_000),
        });
        expect([patched.status, patched.headers.get('range')]).toEqual([202, `0-${at + 19_999}`]);
        workers.add(workerOf(patched));
        const status = await client.requestOnNew('GET', path);
        expect([status.status, status.headers.get('range')]).toEqual([204, `0-${at + 19_999}`]);
      }
      const put = await client.requestOnNew('PUT', `${path}?digest=${digest}`, { body: content.subarray(180_000) });
      expect([put.status, put.text()]).toEqual([201, '']);
      const read = await client.requestOnNew('GET', `/v2/${repository}/blobs/${digest}`);
      expect(digestOf(read.body)).toBe(digest);
    }
    expect(workers.size).toBe(3);
  }, 60_000);

  test('never answer with what a tag named before the push that was just answered', async () => {
    const repository = freshName('workers');
    const pusher = new Client(served.berth.port);
    const body = await pushManifestBlobs(pusher, repository);
    const readers = Array.from({ length: 6 }, () => new Client(served.berth.port));
    const seen = new Set<string>();
    for (let i = 0; i < 150; i++) {
      const manifest = JSON.stringify({ ...body, annotations: { round: String(i) } });
      const digest = digestOf(manifest);
      const put = await pusher.request('PUT', `/v2/${repository}/manifests/moving`, {
        headers: { 'Content-Type': mediaTypes.ociManifest },
        body: manifest,
      });
      expect(put.status).toBe(201);
      const path = `/v2/${repository}/manifests/moving`;
      const answers = await Promise.all([
        ...readers.map((reader) => reader.request('GET', path)),
        ...readers.map((reader) => reader.requestOnNew('HEAD', path)),
      ]);
      for (const answer of answers) {
        expect([i, answer.headers.get('docker-content-digest')]).toEqual([i, digest]);
        seen.add(workerOf(answer));
      }
    }
    for (const reader of readers) reader.close();
    pusher.close();
    expect(seen.size).toBe(3);
  }, 60_000);

  test('count as one in /metrics', async () => {
    const client = new Client(served.berth.port);
    const counted = async () => {
      const text = (await client.requestOnNew('GET', '/metrics')).text();
      const line = /^berth_http_requests_total\{route="\/v2\/",method="GET",status="200"\} (\d+)$/m.exec(text);
      return Number(line?.[1] ?? 0);
    };
    const before = await counted();
    const seen = new Set<string>();
    for (let i = 0; i < 60; i++) seen.add(workerOf(await client.requestOnNew('GET', '/v2/')));
    expect(seen.size).toBeGreaterThan(1);
    expect(await counted()).toBe(before + 60);
  });
});

describe('a worker that is killed', () => {
  test('is replaced, and requests go on', async () => {
    const { berth } = served;
    const client = new Client(berth.port);
    const before = workersOf(berth.pid);
    const victim = before[0] ?? 0;
    process.kill(victim, 'SIGKILL');
    for (let i = 0; i < 30; i++) expect((await persist(client, 'GET', '/v2/')).status).toBe(200);
    const deadline = Date.now() + 10_000;
    while (workersOf(berth.pid).length < 3 && Date.now() < deadline) await Bun.sleep(50);
    const after = workersOf(berth.pid);
    expect(after).toHaveLength(3);
    expect(after).not.toContain(victim);
    await eventually('a log line', 20_000, () => berth.output().includes('a worker ended; starting another'));
  }, 60_000);

  test('leaves its upload to the next request at once', async () => {
    const { berth } = served;
    await allWorkers(berth);
    const client = new Client(berth.port);
    const upload = await halfUpload(client, berth.port);
    const victim = holderOf(upload.id, workersOf(berth.pid)) ?? 0;
    process.kill(victim, 'SIGKILL');
    const begun = performance.now();
    await goOn(client, upload);
    expect(performance.now() - begun).toBeLessThan(6_000);
    upload.connection.close();
  }, 60_000);

  test('that is one of two leaves no moment without an answer to who asks again', async () => {
    const { berth } = served;
    await allWorkers(berth);
    const client = new Client(berth.port);
    for (const victim of workersOf(berth.pid).slice(0, 2)) process.kill(victim, 'SIGKILL');
    const answers = await Promise.all(Array.from({ length: 20 }, () => persist(client, 'GET', '/v2/', 5_000)));
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 200));
    await allWorkers(berth);
  }, 60_000);
});

describe('a supervisor that is killed', () => {
  test('takes its workers along, and a restart serves at once and goes on with the uploads', async () => {
    const first = await startBerth({ args: ['--workers', '3'] });
    await started(first);
    const workers = workersOf(first.pid);
    expect(workers).toHaveLength(3);
    const client = new Client(first.port);
    const upload = await halfUpload(client, first.port);
    client.close();
    process.kill(first.pid, 'SIGKILL');
    await eventually('its workers have ended', 30_000, () => !workers.some(isAlive));
    const second = await startBerth({ data: first.data, port: first.port, args: ['--workers', '3'] });
    try {
      const after = new Client(second.port);
      const begun = performance.now();
      await goOn(after, upload);
      expect(performance.now() - begun).toBeLessThan(6_000);
      after.close();
    } finally {
      upload.connection.close();
      await second.stop();
      await first.stop();
    }
  }, 60_000);
});

interface HalfUpload {
  repository: string;
  path: string;
  id: string;
  content: Buffer;
  /** Bytes that have arrived, of a request that says it brings more. */
  arrived: number;
  connection: Connection;
}

/** An upload in the middle of a chunk: its worker waits for the rest. */
async function halfUpload(client: Client, port: number): Promise<HalfUpload> {
  const repository = freshName('workers');
  const content = randomBytes(300_000);
  const arrived = 100_000;
  const path = (await client.request('POST', `/v2/${repository}/blobs/uploads/`)).headers.get('location') ?? '';
  const connection = await Connection.open(port);
  connection.send(`PATCH ${path} HTTP/1.1\r\nHost: berth\r\nContent-Length: ${content.length}\r\n\r\n`);
  connection.send(content.subarray(0, arrived));
  await eventually('half of the chunk has arrived', 20_000, async () => {
    const status = await client.request('GET', path);
    return status.headers.get('range') === `0-${arrived - 1}`;
  });
  return { repository, path, id: path.split('/').at(-1) ?? '', content, arrived, connection };
}

async function goOn(client: Client, upload: HalfUpload): Promise<void> {
  const { path, content, arrived, repository } = upload;
  const digest = digestOf(content);
  const status = await persist(client, 'GET', path);
  expect([status.status, status.headers.get('range')]).toEqual([204, `0-${arrived - 1}`]);
  const rest = await client.request('PATCH', path, { body: content.subarray(arrived) });
  expect([rest.status, rest.text()]).toEqual([202, '']);
  const put = await client.request('PUT', `${path}?digest=${digest}`);
  expect([put.status, put.text()]).toEqual([201, '']);
  const read = await client.request('GET', `/v2/${repository}/blobs/${digest}`);
  expect(digestOf(read.body)).toBe(digest);
}

function allWorkers(berth: RunningBerth): Promise<void> {
  return eventually('three workers', 30_000, () => workersOf(berth.pid).length === 3);
}

async function pushManifestBlobs(client: Client, repository: string) {
  const config = randomBytes(100);
  const pushed = await client.request('POST', `/v2/${repository}/blobs/uploads/?digest=${digestOf(config)}`, {
    body: config,
  });
  expect(pushed.status).toBe(201);
  const descriptor = describeBytes(config, mediaTypes.ociConfig);
  return { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: descriptor, layers: [] };
}
