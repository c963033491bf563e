// Images of several platforms as Docker's tools make and read them: `docker manifest` and `docker buildx imagetools`.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { type Engine, newerEngine, startEngine } from '../support/engine.ts';
import { twentyLayerImage, twoPlatformImage } from '../support/images.ts';
import { hostPlatform } from '../support/oci-layout.ts';
import { mediaTypes } from '../support/registry.ts';
import { requireTools, run } from '../support/tools.ts';
import { type RegistryUnderTest, startRegistry, storedManifest } from './registry.ts';

const canRun = requireTools('indexes', ['root', 'dockerd', 'docker', 'skopeo', ...newerEngine]);
// Making the Debian image, once, takes half a minute.
setDefaultTimeout(240_000);
const otherArchitecture = hostPlatform.architecture === 'arm64' ? 'amd64' : 'arm64';

describe.if(canRun)('images of several platforms', () => {
  let registry: RegistryUnderTest;
  let engine: Engine;
  let second: Engine;
  /** `HOST/multi/parts:ARCHITECTURE`: the two images of the index on their own, and their digests. */
  let parts: string[];
  let digests: string[];

  beforeAll(async () => {
    [registry, engine, second] = await Promise.all([
      startRegistry(),
      startEngine(),
      startEngine({ release: 'newer', containerdStore: true }),
    ]);
    const image = await twoPlatformImage();
    const architectures = [hostPlatform.architecture, otherArchitecture];
    parts = architectures.map((architecture) => `${registry.host}/multi/parts:${architecture}`);
    for (const [at, architecture] of architectures.entries()) {
      const copy = ['skopeo', '--override-arch', architecture, 'copy', '--dest-tls-verify=false', '--preserve-digests'];
      await run([...copy, image.source, `docker://${parts[at]}`]);
    }
    const stored = await Promise.all(
      architectures.map((architecture) => storedManifest(registry, 'multi/parts', architecture)),
    );
    digests = stored.map((manifest) => manifest.digest);
  });

  afterAll(async () => {
    await Promise.all([engine?.stop(), second?.stop()]);
    await registry?.stop();
  });

  async function runs(on: Engine, name: string): Promise<void> {
    await on.docker(['pull', name]);
    expect(await on.docker(['run', '--rm', '--network', 'none', name])).toBe((await twoPlatformImage()).prints);
  }

  test('docker manifest creates, annotates, pushes and inspects a list, and engines pull their platform from it', async () => {
    const name = `${registry.host}/multi/list:1`;
    await engine.docker(['manifest', 'create', '--insecure', name, ...parts]);
    await engine.docker(['manifest', 'annotate', '--variant', 'v8', name, parts[1]!]);
    const digest = await engine.docker(['manifest', 'push', '--insecure', '--purge', name]);
    const stored = await storedManifest(registry, 'multi/list', '1');
    expect(stored.digest).toBe(digest);
    expect(stored.mediaType).toBe(mediaTypes.dockerList);
    expect(stored.manifests?.map((entry) => entry.digest).sort()).toEqual([...digests].sort());

    const inspected = JSON.parse(await engine.docker(['manifest', 'inspect', '--insecure', name])) as typeof stored;
    expect(inspected.manifests).toEqual(stored.manifests!);
    expect(
      inspected.manifests?.find((entry) => entry.platform?.architecture === otherArchitecture)?.platform?.variant,
    ).toBe('v8');
    const verbose = JSON.parse(
      await engine.docker(['manifest', 'inspect', '--insecure', '--verbose', name]),
    ) as unknown[];
    expect(verbose).toHaveLength(2);
    await runs(engine, name);
    await runs(second, name);
  });

  test('docker manifest mounts what it needs from another repository', async () => {
    const name = `${registry.host}/elsewhere/list:1`;
    await engine.docker(['manifest', 'create', '--insecure', name, ...parts]);
    await engine.docker(['manifest', 'push', '--insecure', '--purge', name]);
    expect((await storedManifest(registry, 'elsewhere/list', digests[0]!)).digest).toBe(digests[0]!);
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
