import { describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { describeBytes, digestOf, errorsOf, mediaTypes, Registry } from '../support/registry.ts';
import type { Answer } from '../support/wire.ts';
import { canMount, type Disk, smallDisk } from './disks.ts';

const repository = 'full/disk';
const MEGABYTE = 1024 * 1024;

/** What was answered 201: path → bytes. */
type Acknowledged = Map<string, Buffer>;

async function withFullDisk(
  work: (disk: Disk, running: RunningBerth, registry: Registry) => Promise<void>,
): Promise<void> {
  const disk = await smallDisk(24);
  try {
    const running = await startBerth({ data: `${disk.path}/data`, args: ['--gc-interval', '0s'] });
    const registry = new Registry(running.port);
    try {
      await work(disk, running, registry);
    } finally {
      registry.close();
      await running.stop();
    }
  } finally {
    await disk.unmount();
  }
}

async function expectAll(registry: Registry, acknowledged: Acknowledged): Promise<void> {
  expect(acknowledged.size).toBeGreaterThan(0);
  for (const [path, bytes] of acknowledged) {
    const answer = await registry.get(path);
    expect([path, answer.status, answer.body.equals(bytes)]).toEqual([path, 200, true]);
  }
}

async function verify(running: RunningBerth): Promise<void> {
  const verified = await berth(['verify', '--data', running.data]);
  expect([verified.code, verified.stdout + verified.stderr]).toEqual([0, expect.any(String)]);
}

async function expectRefusal(answer: Answer, running: RunningBerth): Promise<void> {
  expect([503, 507]).toContain(answer.status);
  expect(errorsOf(answer)[0]?.message).toMatch(/space|full/);
  const id = answer.headers.get('x-request-id') ?? 'none';
  expect(answer.text()).toContain(id);
  for (let i = 0; i < 100 && !running.output().includes(id); i++) await Bun.sleep(20);
  expect(running.output()).toContain(id);
}

/** Pushes blobs of a megabyte until one is refused; returns the refusal. */
async function fillByPushing(registry: Registry, acknowledged: Acknowledged): Promise<Answer> {
  for (let i = 0; i < 60; i++) {
    const bytes = randomBytes(MEGABYTE);
    const digest = digestOf(bytes);
    const opened = await registry.request('POST', `/v2/${repository}/blobs/uploads/`);
    if (opened.status !== 202) return opened;
    const location = opened.headers.get('location') ?? '';
    const put = await registry.request('PUT', `${location}?digest=${digest}`, { body: bytes });
    if (put.status !== 201) return put;
    acknowledged.set(`/v2/${repository}/blobs/${digest}`, bytes);
  }
  throw new Error('60 MB went onto a disk of 24');
}

describe.if(canMount('a full disk'))('a full disk', () => {
  test('refuses the blob that does not fit, keeps and serves all it acknowledged, and takes pushes again once freed', async () => {
    await withFullDisk(async (disk, running, registry) => {
      const acknowledged: Acknowledged = new Map();
      const image = await registry.pushImage(repository, 'v1');
      acknowledged.set(`/v2/${repository}/manifests/v1`, Buffer.from(image.body));
      // Somebody else's file, which an operator can move away.
      disk.fill(4 * MEGABYTE);
      await expectRefusal(await fillByPushing(registry, acknowledged), running);
      disk.fill();
      await expectAll(registry, acknowledged);
      disk.free();
      for (const path of [...acknowledged.keys()].slice(1, 6)) {
        expect((await registry.delete(path)).status).toBe(202);
        acknowledged.delete(path);
      }
      // What the refused uploads had got is not counted against the disk for ever: a cancelled one is gone at once.
      await berth(['gc', '--data', running.data, '--gc-grace', '0s', '--upload-expiry', '0s']);
      const bytes = randomBytes(MEGABYTE);
      const digest = await registry.pushBlob(repository, bytes);
      acknowledged.set(`/v2/${repository}/blobs/${digest}`, bytes);
      await expectAll(registry, acknowledged);
      await verify(running);
    });
  }, 120_000);

  test('refuses a manifest and a tag, changes nothing, and both go through once freed', async () => {
    await withFullDisk(async (disk, running, registry) => {
      const acknowledged: Acknowledged = new Map();
      const first = await registry.pushImage(repository, 'v1');
      acknowledged.set(`/v2/${repository}/manifests/v1`, Buffer.from(first.body));
      const config = describeBytes('{}', mediaTypes.ociEmpty);
      await registry.pushBlob(repository, '{}');
      const big = (i: number) =>
        JSON.stringify({
          schemaVersion: 2,
          mediaType: mediaTypes.ociManifest,
          config,
          layers: [],
          annotations: { i: String(i), padding: 'x'.repeat(MEGABYTE) },
        });
      disk.fill();
      let refused: Answer | undefined;
      let number = 0;
      for (; number < 40 && refused === undefined; number++) {
        const answer = await registry.putManifest(repository, 'v1', big(number));
        if (answer.status === 201) {
          acknowledged.set(`/v2/${repository}/manifests/v1`, Buffer.from(big(number)));
        } else refused = answer;
      }
      if (refused === undefined) throw new Error('40 manifests of a megabyte went onto a full disk');
      await expectRefusal(refused, running);
      await expectAll(registry, acknowledged);
      disk.free();
      const again = big(number);
      expect((await registry.putManifest(repository, 'v1', again)).status).toBe(201);
      acknowledged.set(`/v2/${repository}/manifests/v1`, Buffer.from(again));
      await expectAll(registry, acknowledged);
      await verify(running);
    });
  }, 120_000);

  test('in the middle of a chunk leaves an upload that goes on once freed', async () => {
    await withFullDisk(async (disk, running, registry) => {
      const bytes = randomBytes(6 * MEGABYTE);
      const location = await registry.startUpload(repository);
      await registry.request('PATCH', location, { body: bytes.subarray(0, MEGABYTE) });
      disk.fill();
      await expectRefusal(await registry.request('PATCH', location, { body: bytes.subarray(MEGABYTE) }), running);
      disk.free();
      const status = await registry.get(location);
      expect(status.status).toBe(204);
      const from = Number(/^0-(\d+)$/.exec(status.headers.get('range') ?? '')?.[1]) + 1;
      expect(from).toBeGreaterThanOrEqual(MEGABYTE);
      const digest = digestOf(bytes);
      const rest = await registry.request('PUT', `${location}?digest=${digest}`, { body: bytes.subarray(from) });
      expect(rest.status).toBe(201);
      await expectAll(registry, new Map([[`/v2/${repository}/blobs/${digest}`, bytes]]));
      await verify(running);
    });
  }, 120_000);

  test('is survived by a restart: serve comes up to serve what is there, or says why not', async () => {
    const disk = await smallDisk(24);
    try {
      const data = `${disk.path}/data`;
      const first = await startBerth({ data });
      const registry = new Registry(first.port);
      const image = await registry.pushImage(repository, 'v1');
      registry.close();
      await first.kill();
      disk.fill();
      const second = await startBerth({ data, port: first.port }).catch((error: unknown) => String(error));
      if (typeof second === 'string') expect(second).toMatch(/space|full/);
      else await second.kill();
      disk.free();
      const third = await startBerth({ data, port: first.port });
      const after = new Registry(third.port);
      await expectAll(after, new Map([[`/v2/${repository}/manifests/v1`, Buffer.from(image.body)]]));
      after.close();
      await third.stop();
    } finally {
      await disk.unmount();
    }
  }, 120_000);
});
