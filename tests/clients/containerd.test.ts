// containerd through `ctr`: its resolver and pusher are those of Kubernetes nodes and of BuildKit.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { type Containerd, startContainerd } from '../support/engine.ts';
import { busyboxImage, debianImage, type TestImage, twentyLayerImage, twoPlatformImage } from '../support/images.ts';
import { requireTools } from '../support/tools.ts';
import { startByteProxy } from './byte-proxy.ts';
import { type RegistryUnderTest, startRegistry, statusOf, storedManifest } from './registry.ts';

const canRun = requireTools('containerd', ['root', 'containerd', 'ctr', 'runc', 'skopeo', 'tar', 'debootstrap']);
// Making the Debian image, once, takes half a minute.
setDefaultTimeout(240_000);

describe.if(canRun)('containerd', () => {
  let registry: RegistryUnderTest;
  let first: Containerd;
  let second: Containerd;

  beforeAll(async () => {
    registry = await startRegistry();
    first = await startContainerd();
    second = await startContainerd();
  });

  afterAll(async () => {
    await Promise.all([first?.stop(), second?.stop()]);
    await registry?.stop();
  });

  const pull = (on: Containerd, name: string, ...flags: string[]) =>
    on.ctr(['images', 'pull', '--plain-http', ...flags, name]);
  const push = (on: Containerd, name: string, ...flags: string[]) =>
    on.ctr(['images', 'push', '--plain-http', ...flags, name]);

  let containers = 0;
  const runs = (on: Containerd, name: string) => on.ctr(['run', '--rm', name, `test-${++containers}`]);

  const load = (image: TestImage, name: string) => first.load(image.path, image.manifest.digest, name);

  for (const [name, image] of [
    ['busybox', busyboxImage],
    ['debian', debianImage],
    ['twenty-layer', twentyLayerImage],
  ] as const) {
    test(`the ${name} image is imported, pushed, pulled by an empty containerd and run`, async () => {
      const made = await image();
      const reference = `${registry.host}/ctr/${name}:1`;
      await load(made, reference);
      await push(first, reference);
      expect((await storedManifest(registry, `ctr/${name}`, '1')).digest).toBe(made.manifest.digest);
      await pull(second, reference);
      expect(await runs(second, reference)).toBe(made.prints);
    });
  }

  test('an index is pushed and pulled with all its platforms', async () => {
    const made = await twoPlatformImage();
    const reference = `${registry.host}/ctr/platforms:1`;
    await load(made, reference);
    await push(first, reference);
    const stored = await storedManifest(registry, 'ctr/platforms', '1');
    expect(stored.digest).toBe(made.manifest.digest);
    for (const { digest } of stored.manifests ?? [])
      expect(await statusOf(registry, `ctr/platforms/manifests/${digest}`)).toBe(200);
    await pull(second, reference, '--all-platforms');
    expect(await second.ctr(['images', 'ls', `name==${reference}`])).toContain('linux/amd64,linux/arm64');
    expect(await runs(second, reference)).toBe(made.prints);
  });

  test('one platform of an index is pulled by name', async () => {
    const made = await twoPlatformImage();
    const reference = `${registry.host}/ctr/platforms:one`;
    await load(made, reference);
    await push(first, reference);
    await pull(second, reference, '--platform', 'linux/arm64');
    const { manifests } = await storedManifest(registry, 'ctr/platforms', 'one');
    const wanted = manifests?.find((entry) => entry.platform?.architecture === 'arm64')?.digest ?? 'none';
    expect(await second.ctr(['content', 'ls', '--quiet'])).toContain(wanted);
  });

  test('a pull by digest brings that manifest after its tag has moved', async () => {
    const [busybox, twenty] = await Promise.all([busyboxImage(), twentyLayerImage()]);
    const tag = `${registry.host}/ctr/moving:latest`;
    await load(busybox, tag);
    await push(first, tag);
    await load(twenty, tag);
    await push(first, tag);
    expect((await storedManifest(registry, 'ctr/moving', 'latest')).digest).toBe(twenty.manifest.digest);
    const pinned = `${registry.host}/ctr/moving@${busybox.manifest.digest}`;
    await pull(second, pinned);
    expect(await runs(second, pinned)).toBe(busybox.prints);
  });

  test('what is there already is not sent again', async () => {
    const proxy = await startByteProxy(registry);
    try {
      const image = await twentyLayerImage();
      const reference = `${proxy.host}/ctr/again:1`;
      await load(image, reference);
      await push(first, reference);
      const whole = proxy.passed.up;
      await first.ctr(['images', 'tag', reference, `${proxy.host}/ctr/again:2`]);
      await push(first, `${proxy.host}/ctr/again:2`);
      expect(whole).toBeGreaterThan(1_000_000);
      expect(proxy.passed.up - whole).toBeLessThan(50_000);
      expect((await storedManifest(registry, 'ctr/again', '2')).digest).toBe(image.manifest.digest);
    } finally {
      await proxy.stop();
    }
  });

  test('a layer that another repository has is mounted and not sent again', async () => {
    const proxy = await startByteProxy(registry);
    try {
      const image = await debianImage();
      const source = `${registry.host}/ctr/mount-source:1`;
      const reference = `${proxy.host}/ctr/mounted:1`;
      await load(image, source);
      await push(first, source);
      await pull(second, source);
      await second.ctr(['images', 'tag', source, reference]);
      await push(second, reference);
      const asked = proxy.requests
        .filter((head) => head.startsWith('POST '))
        .map((head) => decodeURIComponent(head.split('\r\n')[0] ?? ''));
      expect(
        asked.some(
          (line) => line.includes(`mount=${image.layers[0]!.descriptor.digest}`) && line.includes('from=ctr/'),
        ),
      ).toBe(true);
      expect(proxy.passed.up).toBeLessThan(50_000);
      expect((await storedManifest(registry, 'ctr/mounted', '1')).digest).toBe(image.manifest.digest);
    } finally {
      await proxy.stop();
    }
  });

  test('pulling a tag that is not there says that it is not found', async () => {
    const { code, stderr } = await second.tryCtr(['images', 'pull', '--plain-http', `${registry.host}/ctr/none:1`]);
    expect(code).not.toBe(0);
    expect(stderr).toContain('not found');
  });
});
