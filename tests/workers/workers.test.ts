// Several processes on one port: what one has taken, any other goes on with.
import { Database } from 'bun:sqlite';
import { describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type RunningBerth, startBerth } from '../support/berth.ts';
import { Client, persist } from '../support/client.ts';
import { workersOf } from '../support/processes.ts';
import { describeBytes, digestOf, freshName, mediaTypes } from '../support/registry.ts';
import { Connection, requestBytes } from '../support/wire.ts';
import { serve } from '../support/serve.ts';

const served = serve({ args: ['--workers', '3', '--log-level', 'info'] });

/** Which worker answered: a request id begins with the worker's name. */
function workerOf(answer: { headers: Headers }): string {
  return (answer.headers.get('x-request-id') ?? '').split('-')[0] ?? '';
}

describe('three workers', () => {
  test('each serve on the one port', async () => {
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
  }, 30_000);

  test('never answer with what a tag named before the push that was just answered', async () => {
    const repository = freshName('workers');
    const pusher = new Client(served.berth.port);
    const body = await manifestOf(pusher, repository);
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
    expect(berth.output()).toContain('a worker ended; starting another');
  }, 20_000);

  test('leaves its upload to the next request at once', async () => {
    const { berth } = served;
    await threeWorkers(berth);
    const repository = freshName('workers');
    const content = randomBytes(300_000);
    const client = new Client(berth.port);
    const path = (await client.request('POST', `/v2/${repository}/blobs/uploads/`)).headers.get('location') ?? '';
    const { connection, worker } = await halfChunk(berth, path, content, 100_000);
    process.kill(await pidOf(berth, path, worker), 'SIGKILL');
    const started = performance.now();
    const status = await persist(client, 'GET', path);
    const offset = Number(status.headers.get('range')?.split('-')[1]) + 1;
    expect([status.status, offset]).toEqual([204, 100_000]);
    const rest = await client.request('PATCH', path, { body: content.subarray(offset) });
    expect([rest.status, rest.text()]).toEqual([202, '']);
    expect(performance.now() - started).toBeLessThan(3_000);
    const put = await client.request('PUT', `${path}?digest=${digestOf(content)}`);
    expect([put.status, put.text()]).toEqual([201, '']);
    connection.close();
  }, 30_000);
});
