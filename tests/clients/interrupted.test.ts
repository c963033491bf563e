// Pushes and pulls that are cut in the middle: the client killed, the connection reset, the server killed. Nothing
// half-made may be seen, and the same command again (or the client's own next try) must succeed.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBerth } from '../support/berth.ts';
import { type Containerd, type Engine, startContainerd, startEngine } from '../support/engine.ts';
import { debianImage, type TestImage } from '../support/images.ts';
import { Registry } from '../support/registry.ts';
import { requireTools, run } from '../support/tools.ts';
import { requestBytes } from '../support/wire.ts';
import { type ByteProxy, startByteProxy } from './byte-proxy.ts';
import { hashOfBlob, type RegistryUnderTest, startRegistry, statusOf, storedManifest } from './registry.ts';

const canRun = requireTools('interrupted', ['root', 'dockerd', 'docker', 'containerd', 'ctr', 'skopeo', 'debootstrap']);
// Making the Debian image, once, takes half a minute.
setDefaultTimeout(240_000);
const MiB = 2 ** 20;

describe.if(canRun)('an interrupted transfer', () => {
  let registry: RegistryUnderTest;
  let proxy: ByteProxy;
  let engine: Engine;
  let empty: Engine;
  let containerd: Containerd;
  let image: TestImage;
  let layer: string;
  let work: string;

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'berth-interrupted-'));
    image = await debianImage();
    layer = image.layers[0]!.descriptor.digest;
    registry = await startRegistry();
    engine = await startEngine();
    empty = await startEngine();
    containerd = await startContainerd();
    await run(['skopeo', 'copy', '--dest-daemon-host', engine.socket, image.source, 'docker-daemon:loaded:1']);
    await run([
      'skopeo',
      'copy',
      '--dest-tls-verify=false',
      '--preserve-digests',
      image.source,
      `docker://${registry.host}/there/debian:1`,
    ]);
  });

  afterAll(async () => {
    await Promise.all([engine?.stop(), empty?.stop(), containerd?.stop()]);
    rmSync(work, { recursive: true, force: true });
    await registry?.stop();
  });

  beforeEach(async () => {
    proxy = await startByteProxy(registry);
  });

  afterEach(() => proxy.stop());

  /** Starts a client that is to be killed, and kills it once this many bytes have passed the proxy. */
  async function killAfter(
    bytes: number,
    direction: 'up' | 'down',
    command: string[],
    env: Record<string, string> = {},
  ): Promise<void> {
    const reached = proxy.holdAfter(direction, bytes);
    const client = Bun.spawn(command, {
      env: { ...process.env, ...env },
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'ignore',
    });
    try {
      await reached;
    } finally {
      client.kill('SIGKILL');
      await client.exited;
      proxy.letGo();
    }
  }

  const skopeoPush = (name: string) => [
    'skopeo',
    'copy',
    '--dest-tls-verify=false',
    '--preserve-digests',
    image.source,
    `docker://${proxy.host}/${name}`,
  ];

  test('a docker push whose client is killed leaves no tag, and the next push succeeds', async () => {
    const name = `${proxy.host}/killed/docker:1`;
    await engine.docker(['tag', 'loaded:1', name]);
    await killAfter(16 * MiB, 'up', ['docker', 'push', name], engine.env);
    expect(await statusOf(registry, 'killed/docker/manifests/1')).toBe(404);
    const pushed = await engine.docker(['push', name]);
    const stored = await storedManifest(registry, 'killed/docker', '1');
    expect(pushed).toContain(stored.digest);
    const sent = stored.layers![0]!;
    expect(await hashOfBlob(registry, 'killed/docker', sent.digest)).toEqual({
      digest: sent.digest,
      size: sent.size,
    });
  });

  test('a skopeo copy that is killed leaves no blob, and the next one succeeds', async () => {
    await killAfter(16 * MiB, 'up', skopeoPush('killed/skopeo:1'));
    expect(await statusOf(registry, `killed/skopeo/blobs/${layer}`)).toBe(404);
    await run(skopeoPush('killed/skopeo:1'));
    expect((await storedManifest(registry, 'killed/skopeo', '1')).digest).toBe(image.manifest.digest);
    expect((await hashOfBlob(registry, 'killed/skopeo', layer)).digest).toBe(layer);
  });

  test('docker push tries again by itself when its connection is reset, and succeeds', async () => {
    const name = `${proxy.host}/reset/docker:1`;
    await engine.docker(['tag', 'loaded:1', name]);
    const cut = proxy.cutAfter('up', 16 * MiB);
    const pushed = await engine.docker(['push', name]);
    await cut;
    const stored = await storedManifest(registry, 'reset/docker', '1');
    expect(pushed).toContain(stored.digest);
    expect((await hashOfBlob(registry, 'reset/docker', stored.layers![0]!.digest)).digest).toBe(
      stored.layers![0]!.digest,
    );
  });

  test('docker pull goes on with a range request when its connection is reset', async () => {
    const name = `${proxy.host}/there/debian:1`;
    const cut = proxy.cutAfter('down', 30 * MiB);
    await empty.docker(['pull', name]);
    await cut;
    expect(proxy.requests.filter((head) => /^Range: bytes=[1-9]\d*-/im.test(head)).length).toBeGreaterThan(0);
    expect(proxy.passed.down).toBeLessThan(1.5 * image.layers[0]!.descriptor.size);
    expect(await empty.docker(['run', '--rm', '--network', 'none', name])).toBe(image.prints);
  });

  test('a ctr pull that is killed goes on where it was with a range request', async () => {
    const name = `${proxy.host}/there/debian:1`;
    const pull = ['images', 'pull', '--plain-http', name];
    await killAfter(30 * MiB, 'down', ['ctr', '--address', containerd.address, '--namespace', 'test', ...pull]);
    await containerd.ctr(pull);
    expect(proxy.requests.filter((head) => /^Range: bytes=[1-9]\d*-/im.test(head)).length).toBeGreaterThan(0);
    expect(await containerd.ctr(['run', '--rm', name, 'resumed'])).toBe(image.prints);
  });

  test('an upload whose connection breaks is continued where its status says', async () => {
    // OCI Distribution 1.1 "Pushing a blob in chunks": after a failure, GET the upload's location for what is there.
    const api = new Registry(registry.port);
    const bytes = readFileSync(join(image.path, 'blobs', layer.replace(':', '/')));
    const location = await api.startUpload('broken/upload');
    const sent = 20 * MiB;
    await new Promise<void>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: registry.port });
      socket.on('error', reject);
      const head = requestBytes(registry.host, 'PATCH', location, {
        headers: {
          'Content-Type': 'application/octet-stream',
          'Content-Length': String(bytes.length),
          'Content-Range': `0-${bytes.length - 1}`,
        },
      });
      socket.write(head);
      socket.write(bytes.subarray(0, sent), () => setTimeout(() => resolve(void socket.resetAndDestroy()), 500));
    });
    let next = location;
    let from = -1;
    // The server may still be writing what came before the connection broke.
    for (let tries = 0; from < 0 && tries < 100; tries++) {
      const status = await api.get(next);
      expect(status.status).toBe(204);
      next = status.headers.get('location') ?? next;
      const range = /^0-(\d+)$/.exec(status.headers.get('range') ?? '');
      if (range !== null && Number(range[1]) > 0) from = Number(range[1]) + 1;
      else await Bun.sleep(50);
    }
    expect(from).toBeGreaterThan(0);
    expect(from).toBeLessThanOrEqual(sent);
    const rest = await api.request('PATCH', next, {
      headers: { 'Content-Type': 'application/octet-stream', 'Content-Range': `${from}-${bytes.length - 1}` },
      body: bytes.subarray(from),
    });
    expect(rest.status).toBe(202);
    const done = await api.request('PUT', `${rest.headers.get('location')}?digest=${layer}`);
    expect(done.status).toBe(201);
    api.close();
    expect(await hashOfBlob(registry, 'broken/upload', layer)).toEqual({ digest: layer, size: bytes.length });
  });

  test('two clients that push the same layer to the same repository at once both succeed', async () => {
    const other = await startByteProxy(registry);
    // One that has not seen the layer in a registry: else it asks to mount it and sends nothing.
    const fresh = await startContainerd();
    try {
      const name = `${other.host}/race/debian:ctr`;
      await fresh.load(image.path, image.manifest.digest, name);
      // Each is stopped in the middle of the layer until the other is there too.
      const both = Promise.all([proxy.holdAfter('up', 16 * MiB), other.holdAfter('up', 16 * MiB)]);
      const pushes = [run(skopeoPush('race/debian:skopeo')), fresh.ctr(['images', 'push', '--plain-http', name])];
      await Promise.race([both, Promise.all(pushes)]);
      proxy.letGo();
      other.letGo();
      await Promise.all(pushes);
      for (const tag of ['skopeo', 'ctr']) {
        expect((await storedManifest(registry, 'race/debian', tag)).digest).toBe(image.manifest.digest);
      }
      expect((await hashOfBlob(registry, 'race/debian', layer)).digest).toBe(layer);
    } finally {
      await Promise.all([other.stop(), fresh.stop()]);
    }
  });

  test('eight clients push the same image to eight repositories at once', async () => {
    const names = Array.from({ length: 8 }, (_, number) => `crowd/r${number}`);
    await Promise.all(names.map((name) => run(skopeoPush(`${name}:1`))));
    for (const name of names) {
      expect((await storedManifest(registry, name, '1')).digest).toBe(image.manifest.digest);
      expect(await statusOf(registry, `${name}/blobs/${layer}`)).toBe(200);
    }
  });

  test.if(process.env.BERTH_TEST_TARGET === undefined)(
    'a docker push goes on by itself after the server was killed with kill -9 in the middle and started again',
    async () => {
      const data = join(work, 'killed-server');
      const server = await startBerth({ data });
      const before = await startByteProxy(server);
      const name = `${before.host}/survivor:1`;
      let restarted: Awaited<ReturnType<typeof startBerth>> | undefined;
      try {
        await engine.docker(['tag', 'loaded:1', name]);
        const reached = before.holdAfter('up', 16 * MiB);
        const push = engine.docker(['push', name]);
        await Promise.race([reached, push]);
        await server.kill();
        before.letGo();
        restarted = await startBerth({ data, port: server.port });
        const pushed = await push;
        const stored = await storedManifest({ ...registry, url: restarted.url }, 'survivor', '1');
        expect(pushed).toContain(stored.digest);
      } finally {
        await before.stop();
        await restarted?.stop();
      }
    },
  );
});
