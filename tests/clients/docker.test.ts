// Docker Engine and CLI: Debian's engine (20.10, its own image store) pushes, and a second, empty engine (26.1,
// images in containerd's store, so other code on the wire) pulls and runs; then the other way round.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Engine, newerEngine, startEngine } from '../support/engine.ts';
import { busyboxImage, debianImage, type TestImage, twentyLayerImage } from '../support/images.ts';
import { requireTools, run } from '../support/tools.ts';
import { type RegistryUnderTest, startRegistry, statusOf, storedManifest } from './registry.ts';

const canRun = requireTools('docker', ['root', 'dockerd', 'docker', 'skopeo', 'debootstrap', ...newerEngine]);
// Making the Debian image, once, takes half a minute.
setDefaultTimeout(240_000);

describe.if(canRun)('Docker Engine', () => {
  let registry: RegistryUnderTest;
  let engine: Engine;
  let second: Engine;
  let work: string;

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'berth-docker-'));
    registry = await startRegistry();
    engine = await startEngine();
    second = await startEngine({ release: 'newer', containerdStore: true });
  });

  afterAll(async () => {
    await Promise.all([engine?.stop(), second?.stop()]);
    rmSync(work, { recursive: true, force: true });
    await registry?.stop();
  });

  /** Puts a test image into the first engine, as `docker build` would have. */
  async function load(image: TestImage, name: string): Promise<void> {
    await run(['skopeo', 'copy', '--dest-daemon-host', engine.socket, image.source, `docker-daemon:${name}`]);
  }

  async function repoDigests(on: Engine, name: string): Promise<string[]> {
    return JSON.parse(await on.docker(['image', 'inspect', '--format', '{{json .RepoDigests}}', name])) as string[];
  }

  /** Pushes from one engine, pulls on the other, runs it there and compares what each of the three calls its digest. */
  async function pushPullRun(image: TestImage, repository: string, tag: string): Promise<void> {
    const name = `${registry.host}/${repository}`;
    await load(image, `${name}:${tag}`);
    const pushed = await engine.docker(['push', `${name}:${tag}`]);
    const stored = await storedManifest(registry, repository, tag);
    expect(pushed).toContain(`digest: ${stored.digest}`);
    expect(stored.layers).toHaveLength(image.layers.length);
    expect(await repoDigests(engine, `${name}:${tag}`)).toEqual([`${name}@${stored.digest}`]);

    expect(await second.docker(['image', 'ls', '--quiet', name])).toBe('');
    expect(await second.docker(['pull', `${name}:${tag}`])).toContain(stored.digest);
    expect(await second.docker(['run', '--rm', '--network', 'none', `${name}:${tag}`])).toBe(image.prints);
    expect(await repoDigests(second, `${name}:${tag}`)).toEqual([`${name}@${stored.digest}`]);
  }

  test('a busybox image is pushed, pulled on a second, empty engine and run there', async () => {
    await pushPullRun(await busyboxImage(), 'team/busybox', '1.0');
  });

  test('a Debian image of more than 100 MB is pushed, pulled on a second, empty engine and run there', async () => {
    await pushPullRun(await debianImage(), 'team/debian', 'bookworm');
    const size = await engine.docker([
      'image',
      'inspect',
      '--format',
      '{{.Size}}',
      `${registry.host}/team/debian:bookworm`,
    ]);
    expect(Number(size)).toBeGreaterThan(100_000_000);
  });

  test('an image of twenty layers is pushed, pulled on a second, empty engine and run there', async () => {
    await pushPullRun(await twentyLayerImage(), 'team/deep/twenty', 'latest');
  });

  test('a name without a namespace is pushed to localhost, without a tag, and pulled by digest', async () => {
    const name = `localhost:${registry.port}/ubuntu`;
    await load(await busyboxImage(), `${name}:latest`);
    await engine.docker(['push', name]);
    const { digest } = await storedManifest(registry, 'ubuntu', 'latest');
    await second.docker(['pull', `${name}@${digest}`]);
    expect(await second.docker(['run', '--rm', '--network', 'none', `${name}@${digest}`])).toBe(
      (await busyboxImage()).prints,
    );
  });

  test('an image that docker build made is pushed, and a new build of it sends only the layer that changed', async () => {
    const name = `${registry.host}/team/built`;
    await load(await busyboxImage(), 'base:1');
    const build = async (version: string) => {
      const dockerfile = `FROM base:1\nRUN echo ${version} > /version\nCMD ["cat", "/version"]\n`;
      writeFileSync(join(work, 'Dockerfile'), dockerfile);
      await engine.docker(['build', '--network', 'none', '--tag', `${name}:${version}`, work], {
        env: { DOCKER_BUILDKIT: '0' },
      });
      return await engine.docker(['push', `${name}:${version}`]);
    };
    await build('one');
    const again = await build('two');
    expect(again.match(/Layer already exists/g)).toHaveLength(1);
    expect(again.match(/: Pushed/g)).toHaveLength(1);
    for (const version of ['one', 'two']) {
      expect(await second.docker(['run', '--rm', '--network', 'none', `${name}:${version}`])).toBe(version);
    }
    const [one, two] = await Promise.all([
      storedManifest(registry, 'team/built', 'one'),
      storedManifest(registry, 'team/built', 'two'),
    ]);
    expect(one.layers?.[0]?.digest).toBe(two.layers?.[0]?.digest ?? '');
    expect(one.digest).not.toBe(two.digest);
  });

  test('a layer that another repository has is mounted and not sent again', async () => {
    const name = `${registry.host}/other/twenty`;
    await load(await twentyLayerImage(), `${registry.host}/first/twenty:1`);
    await engine.docker(['push', `${registry.host}/first/twenty:1`]);
    await engine.docker(['tag', `${registry.host}/first/twenty:1`, `${name}:1`]);
    const pushed = await engine.docker(['push', `${name}:1`]);
    expect(pushed.match(/: Mounted from (?:first|team\/deep)\/twenty/g)).toHaveLength(20);
    const [first, other] = await Promise.all([
      storedManifest(registry, 'first/twenty', '1'),
      storedManifest(registry, 'other/twenty', '1'),
    ]);
    expect(other.digest).toBe(first.digest);
  });

  test('pushing a tag again moves it, and a pull of the tag brings the new image', async () => {
    const name = `${registry.host}/team/moving:latest`;
    await load(await busyboxImage(), name);
    await engine.docker(['push', name]);
    await second.docker(['pull', name]);
    const before = await storedManifest(registry, 'team/moving', 'latest');
    await load(await twentyLayerImage(), name);
    await engine.docker(['push', name]);
    const after = await storedManifest(registry, 'team/moving', 'latest');
    expect(after.digest).not.toBe(before.digest);
    expect(await second.docker(['pull', name])).toContain('Downloaded newer image');
    expect(await second.docker(['run', '--rm', '--network', 'none', name])).toBe((await twentyLayerImage()).prints);
    expect(await statusOf(registry, `team/moving/manifests/${before.digest}`)).toBe(200);
  });

  test('all tags of a repository are pushed and pulled at once', async () => {
    const name = `${registry.host}/team/many`;
    const tags = ['1.0', '1.1', '2.0-rc.1'];
    await load(await busyboxImage(), `${name}:1.0`);
    for (const tag of tags) await engine.docker(['tag', `${name}:1.0`, `${name}:${tag}`]);
    await engine.docker(['push', '--all-tags', name]);
    await second.docker(['pull', '--all-tags', name]);
    const found = await second.docker(['image', 'ls', '--format', '{{.Tag}}', name]);
    expect(found.split('\n').sort()).toEqual(tags);
  });

  test('an engine that keeps images in containerd pushes what the other one pulls and runs', async () => {
    const name = `${registry.host}/team/from-containerd:1`;
    const source = `${registry.host}/seed/twenty:1`;
    const image = await twentyLayerImage();
    await run(['skopeo', 'copy', '--dest-tls-verify=false', '--preserve-digests', image.source, `docker://${source}`]);
    await second.docker(['pull', source]);
    await second.docker(['tag', source, name]);
    await second.docker(['push', name]);
    // The store keeps the bytes that it pulled, so the manifest is the one that was pushed first.
    expect((await storedManifest(registry, 'team/from-containerd', '1')).digest).toBe(image.manifest.digest);
    await engine.docker(['pull', name]);
    expect(await engine.docker(['run', '--rm', '--network', 'none', name])).toBe(image.prints);
  });

  test('pulling a tag or repository that is not there says that the manifest is unknown', async () => {
    await load(await busyboxImage(), `${registry.host}/team/known:1`);
    await engine.docker(['push', `${registry.host}/team/known:1`]);
    for (const name of ['team/known:2', 'team/unknown:1']) {
      const { code, stderr } = await second.tryDocker(['pull', `${registry.host}/${name}`]);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/not found|manifest unknown/);
    }
  });
});
