// Images of several platforms as Docker's tools make and read them: `docker manifest` and `docker buildx imagetools`.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { type Engine, newerEngine, startEngine } from '../support/engine.ts';
import { twentyLayerImage, twoPlatformImage } from '../support/images.ts';
import { hostPlatform } from '../support/oci-layout.ts';
import { mediaTypes } from '../support/registry.ts';
import { requireTools, run } from '../support/tools.ts';
import { type RegistryUnderTest, startRegistry, storedManifest } from './registry.ts';

const canRun = requireTools('indexes', ['root', 'dockerd', 'docker', 'skopeo', ...newerEngine]);
setDefaultTimeout(60_000);
const otherArchitecture = hostPlatform.architecture === 'arm64' ? 'amd64' : 'arm64';
const architectures = [hostPlatform.architecture, otherArchitecture];

describe.if(canRun)('images of several platforms', () => {
  let registry: RegistryUnderTest;
  let engine: Engine;
  let second: Engine;
  /** `HOST/multi/parts:ARCHITECTURE`: the two images of the index on their own, and their digests. */
  let parts: string[];
  let digests: string[];

  beforeAll(async () => {
    registry = await startRegistry();
    engine = await startEngine();
    second = await startEngine({ release: 'newer', containerdStore: true });
    const { source } = await twoPlatformImage();
    for (const architecture of architectures) {
      const copy = ['skopeo', '--override-arch', architecture, 'copy', '--dest-tls-verify=false'];
      const to = (repository: string) => `docker://${registry.host}/multi/${repository}:${architecture}`;
      await run([...copy, '--preserve-digests', source, to('parts')]);
      // By the engine itself: this format's manifests keep their digest in `docker manifest` only as Docker writes them.
      const name = `${registry.host}/multi/docker-parts:${architecture}`;
      await run([
        'skopeo',
        '--override-arch',
        architecture,
        'copy',
        '--dest-daemon-host',
        engine.socket,
        source,
        `docker-daemon:${name}`,
      ]);
      await engine.docker(['push', name]);
      await run([...copy, '--format', 'oci', source, to('oci-parts')]);
    }
    parts = architectures.map((architecture) => `${registry.host}/multi/parts:${architecture}`);
    digests = await digestsOf('multi/parts');
  });

  /** The digests of the two images of a repository, this platform's first. */
  async function digestsOf(repository: string): Promise<string[]> {
    const stored = await Promise.all(
      architectures.map((architecture) => storedManifest(registry, repository, architecture)),
    );
    return stored.map((manifest) => manifest.digest);
  }

  afterAll(async () => {
    await Promise.all([engine?.stop(), second?.stop()]);
    await registry?.stop();
  });

  async function runs(on: Engine, name: string): Promise<void> {
    await on.docker(['pull', name]);
    expect(await on.docker(['run', '--rm', '--network', 'none', name])).toBe((await twoPlatformImage()).prints);
  }

  // The client of 20.10 knows Docker's manifests alone, the one of 26.1 also OCI's.
  for (const [client, format] of [
    ['20.10', 'docker'],
    ['26.1', 'oci'],
  ] as const) {
    test(`docker manifest of ${client} makes a list of ${format} images, and engines pull their platform from it`, async () => {
      const on = client === '20.10' ? engine : second;
      const name = `${registry.host}/multi/list:${format}`;
      const from = parts.map((part) => part.replace('/parts:', `/${format}-parts:`));
      await on.docker(['manifest', 'create', '--insecure', name, ...from]);
      await on.docker(['manifest', 'annotate', '--variant', 'v8', name, from[1]!]);
      const pushed = await on.docker(['manifest', 'push', '--insecure', '--purge', name]);
      const stored = await storedManifest(registry, 'multi/list', format);
      expect(pushed.split('\n').at(-1)).toBe(stored.digest);
      expect(stored.mediaType).toBe(format === 'oci' ? mediaTypes.ociIndex : mediaTypes.dockerList);
      expect(stored.manifests?.map((entry) => entry.digest).sort()).toEqual(
        (await digestsOf(`multi/${format}-parts`)).sort(),
      );

      const inspected = JSON.parse(await on.docker(['manifest', 'inspect', '--insecure', name])) as typeof stored;
      expect(inspected.manifests).toEqual(stored.manifests!);
      const other = inspected.manifests?.find((entry) => entry.platform?.architecture === otherArchitecture);
      expect(other?.platform?.variant).toBe('v8');
      const verbose = await on.docker(['manifest', 'inspect', '--insecure', '--verbose', name]);
      expect(JSON.parse(verbose)).toHaveLength(2);
      await runs(engine, name);
      await runs(second, name);
    });
  }

  test('docker manifest brings the images of a list along from another repository', async () => {
    const name = `${registry.host}/elsewhere/list:1`;
    const from = parts.map((part) => part.replace('/parts:', '/docker-parts:'));
    await engine.docker(['manifest', 'create', '--insecure', name, ...from]);
    await engine.docker(['manifest', 'push', '--insecure', '--purge', name]);
    for (const digest of await digestsOf('multi/docker-parts')) {
      expect((await storedManifest(registry, 'elsewhere/list', digest)).digest).toBe(digest);
    }
    await runs(second, name);
  });

  test('docker manifest inspect of a tag that is not there says so', async () => {
    const { code, stderr } = await engine.tryDocker([
      'manifest',
      'inspect',
      '--insecure',
      `${registry.host}/multi/list:none`,
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain('no such manifest');
  });

  test('buildx imagetools creates an index from two images and inspects it', async () => {
    const name = `${registry.host}/multi/index:1`;
    await engine.docker(['buildx', 'imagetools', 'create', '--tag', name, ...parts]);
    const stored = await storedManifest(registry, 'multi/index', '1');
    expect(stored.mediaType).toBe(mediaTypes.ociIndex);
    expect(stored.manifests?.map((entry) => entry.digest).sort()).toEqual([...digests].sort());
    const shown = await engine.docker(['buildx', 'imagetools', 'inspect', name]);
    expect(shown).toContain(stored.digest);
    for (const architecture of [hostPlatform.architecture, otherArchitecture]) {
      expect(shown).toMatch(new RegExp(`Platform: +linux/${architecture}`));
    }
    await runs(engine, name);
    await runs(second, name);
  });

  test('buildx imagetools adds a platform to an index that is there', async () => {
    const name = `${registry.host}/multi/grown:1`;
    await engine.docker(['buildx', 'imagetools', 'create', '--tag', name, parts[0]!]);
    await engine.docker(['buildx', 'imagetools', 'create', '--append', '--tag', name, parts[1]!]);
    const stored = await storedManifest(registry, 'multi/grown', '1');
    expect(stored.manifests?.map((entry) => entry.digest)).toEqual(digests);
  });

  test('buildx imagetools copies an index to a new tag and to another repository with its digest', async () => {
    const source = `${registry.host}/multi/original:1`;
    const image = await twoPlatformImage();
    await run([
      'skopeo',
      'copy',
      '--all',
      '--dest-tls-verify=false',
      '--preserve-digests',
      image.source,
      `docker://${source}`,
    ]);
    const copies = ['multi/original:stable', 'copied/index:1'];
    const tags = copies.flatMap((copy) => ['--tag', `${registry.host}/${copy}`]);
    await engine.docker(['buildx', 'imagetools', 'create', ...tags, source]);
    expect((await storedManifest(registry, 'multi/original', 'stable')).digest).toBe(image.manifest.digest);
    expect((await storedManifest(registry, 'copied/index', '1')).digest).toBe(image.manifest.digest);
    await runs(second, `${registry.host}/copied/index:1`);
  });

  test('buildx imagetools inspects the raw manifest and the configuration of an image', async () => {
    const image = await twentyLayerImage();
    const name = `${registry.host}/single/twenty:1`;
    await run(['skopeo', 'copy', '--dest-tls-verify=false', '--preserve-digests', image.source, `docker://${name}`]);
    const raw = JSON.parse(await engine.docker(['buildx', 'imagetools', 'inspect', '--raw', name])) as {
      layers: { digest: string }[];
    };
    expect(raw.layers.map((layer) => layer.digest)).toEqual(image.layers.map((layer) => layer.descriptor.digest));
    const shown = await engine.docker(['buildx', 'imagetools', 'inspect', '--format', '{{json .Image}}', name]);
    const config = JSON.parse(shown) as { rootfs: { diff_ids: string[] } };
    expect(config.rootfs.diff_ids).toEqual(image.layers.map((layer) => layer.diffId));
  });
});
