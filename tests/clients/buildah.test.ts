// buildah: builds on an image of the registry, from a Containerfile and step by step, and pushes what it made.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { busyboxImage, twoPlatformImage } from '../support/images.ts';
import { requireTools, run } from '../support/tools.ts';
import { type ContainersStore, makeStore, runFlags } from './containers-storage.ts';
import { type RegistryUnderTest, startRegistry, storedManifest } from './registry.ts';

const canRun = requireTools('buildah', ['root', 'buildah', 'podman', 'skopeo', 'runc']);
setDefaultTimeout(60_000);
const insecure = '--tls-verify=false';

describe.if(canRun)('buildah', () => {
  let registry: RegistryUnderTest;
  let builder: ContainersStore;
  let target: ContainersStore;
  let base: string;

  beforeAll(async () => {
    registry = await startRegistry();
    builder = makeStore();
    target = makeStore();
    base = `${registry.host}/base/busybox:1`;
    const { source } = await busyboxImage();
    await run(['skopeo', 'copy', '--dest-tls-verify=false', '--preserve-digests', source, `docker://${base}`]);
  });

  afterAll(async () => {
    await Promise.all([builder?.remove(), target?.remove()]);
    await registry?.stop();
  });

  /** Pulls with podman into a store that has never seen the image, and returns what it prints. */
  async function runs(name: string): Promise<string> {
    await target.podman(['pull', '--quiet', insecure, name]);
    return await target.podman(['run', ...runFlags, name]);
  }

  test('a container from an image of the registry is changed, committed, pushed and runs elsewhere', async () => {
    const name = `${registry.host}/buildah/steps:1`;
    const container = await builder.buildah(['from', '--quiet', insecure, base]);
    await builder.buildah(['run', '--isolation', 'chroot', container, '--', 'sh', '-c', 'echo from buildah > /made']);
    await builder.buildah(['config', '--cmd', 'cat /made', '--label', 'org.example.made=yes', container]);
    await builder.buildah(['commit', '--quiet', '--rm', container, name]);
    await builder.buildah(['push', '--quiet', insecure, name]);
    expect(await runs(name)).toBe('from buildah');
    const [made, from] = await Promise.all([
      storedManifest(registry, 'buildah/steps', '1'),
      storedManifest(registry, 'base/busybox', '1'),
    ]);
    expect(made.layers).toHaveLength(2);
    expect(made.layers?.[0]?.digest).toBe(from.layers![0]!.digest);
  });

  test('a commit goes straight to the registry', async () => {
    const name = `${registry.host}/buildah/direct:1`;
    const container = await builder.buildah(['from', '--quiet', insecure, base]);
    await builder.buildah(['config', '--cmd', 'echo direct', container]);
    await builder.buildah(['commit', '--quiet', '--rm', insecure, container, `docker://${name}`]);
    expect(await runs(name)).toBe('direct');
  });

  test('bud builds a Containerfile of several stages and pushes it in both formats', async () => {
    const steps = [
      `FROM ${base} AS make`,
      'RUN echo built > /made',
      `FROM ${base}`,
      'COPY --from=make /made /made',
      'CMD ["cat", "/made"]',
    ];
    writeFileSync(join(builder.work, 'Containerfile'), steps.join('\n'));
    for (const format of ['oci', 'docker']) {
      const name = `${registry.host}/buildah/bud:${format}`;
      const build = [
        'bud',
        '--quiet',
        '--isolation',
        'chroot',
        insecure,
        '--layers',
        '--format',
        format,
        '--tag',
        name,
      ];
      await builder.buildah([...build, builder.work]);
      await builder.buildah(['push', '--quiet', insecure, '--format', format === 'oci' ? 'oci' : 'v2s2', name]);
      expect(await runs(name)).toBe('built');
      const { mediaType } = await storedManifest(registry, 'buildah/bud', format);
      expect(mediaType).toContain(format === 'oci' ? 'vnd.oci.image.manifest' : 'vnd.docker.distribution.manifest');
    }
  });

  test('an image pushed with zstd layers is pulled and runs', async () => {
    const name = `${registry.host}/buildah/zstd:1`;
    const container = await builder.buildah(['from', '--quiet', insecure, base]);
    await builder.buildah(['run', '--isolation', 'chroot', container, '--', 'sh', '-c', 'echo squeezed > /made']);
    await builder.buildah(['config', '--cmd', 'cat /made', container]);
    await builder.buildah(['commit', '--quiet', '--rm', container, name]);
    await builder.buildah(['push', '--quiet', insecure, '--compression-format', 'zstd', '--format', 'oci', name]);
    const { layers } = await storedManifest(registry, 'buildah/zstd', '1');
    expect(layers?.at(-1)?.mediaType).toBe('application/vnd.oci.image.layer.v1.tar+zstd');
    expect(await runs(name)).toBe('squeezed');
  });

  test('a manifest of two platforms is pushed with all its images', async () => {
    const image = await twoPlatformImage();
    const name = `${registry.host}/buildah/platforms:1`;
    await builder.buildah(['manifest', 'create', 'platforms']);
    await builder.buildah(['manifest', 'add', '--all', 'platforms', image.source]);
    await builder.buildah(['manifest', 'push', '--all', insecure, 'platforms', `docker://${name}`]);
    const { manifests } = await storedManifest(registry, 'buildah/platforms', '1');
    expect(manifests?.map((entry) => entry.platform?.architecture).sort()).toEqual(['amd64', 'arm64']);
    expect(await runs(name)).toBe(image.prints);
  });
});
