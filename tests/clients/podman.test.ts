// podman: pulls from the registry into an empty store, runs, commits, pushes; manifest lists and search.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { busyboxImage, debianImage, type TestImage, twentyLayerImage, twoPlatformImage } from '../support/images.ts';
import { requireTools, run } from '../support/tools.ts';
import { type ContainersStore, makeStore, runFlags } from './containers-storage.ts';
import { type RegistryUnderTest, startRegistry, storedManifest } from './registry.ts';

const canRun = requireTools('podman', ['root', 'podman', 'skopeo', 'runc', 'debootstrap']);
// Making the Debian image, once, takes half a minute.
setDefaultTimeout(240_000);

describe.if(canRun)('podman', () => {
  let registry: RegistryUnderTest;
  let builder: ContainersStore;
  let target: ContainersStore;

  beforeAll(async () => {
    registry = await startRegistry();
    builder = makeStore();
    target = makeStore();
  });

  afterAll(async () => {
    await Promise.all([builder?.remove(), target?.remove()]);
    await registry?.stop();
  });

  const seed = (image: TestImage, name: string) =>
    run([
      'skopeo',
      'copy',
      '--all',
      '--dest-tls-verify=false',
      '--preserve-digests',
      image.source,
      `docker://${registry.host}/${name}`,
    ]);
  const pull = (store: ContainersStore, name: string) => store.podman(['pull', '--quiet', '--tls-verify=false', name]);
  const push = (store: ContainersStore, name: string, ...flags: string[]) =>
    store.podman(['push', '--quiet', '--tls-verify=false', ...flags, name]);

  for (const [name, image] of [
    ['busybox', busyboxImage],
    ['debian', debianImage],
    ['twenty-layer', twentyLayerImage],
  ] as const) {
    test(`the ${name} image is loaded, pushed, pulled into an empty store and run`, async () => {
      const { source, prints } = await image();
      const pushed = `${registry.host}/podman/${name}:1`;
      const id = (await builder.podman(['pull', '--quiet', source])).trim();
      await builder.podman(['tag', id, pushed]);
      await push(builder, pushed);
      await pull(target, pushed);
      expect(await target.podman(['run', ...runFlags, pushed])).toBe(prints);
      const { digest, config } = await storedManifest(registry, `podman/${name}`, '1');
      expect(config?.digest).toBe(`sha256:${id}`);
      const digests = JSON.parse(
        await target.podman(['image', 'inspect', '--format', '{{json .RepoDigests}}', pushed]),
      ) as string[];
      expect(digests).toContain(`${registry.host}/podman/${name}@${digest}`);
    });
  }

  test('a container that was changed is committed and pushed, in the OCI and in the Docker format', async () => {
    const base = `${registry.host}/podman/base:1`;
    await seed(await busyboxImage(), 'podman/base:1');
    const change = ['--name', 'changed', base, 'sh', '-c', 'echo changed > /changed'];
    await pull(builder, base);
    await builder.podman(['run', ...runFlags.filter((flag) => flag !== '--rm'), ...change]);
    for (const format of ['oci', 'docker']) {
      const name = `${registry.host}/podman/committed:${format}`;
      await builder.podman([
        'commit',
        '--quiet',
        '--format',
        format,
        '--change',
        'CMD ["cat", "/changed"]',
        'changed',
        name,
      ]);
      await push(builder, name);
      await pull(target, name);
      expect(await target.podman(['run', ...runFlags, name])).toBe('changed');
      const { mediaType } = await storedManifest(registry, 'podman/committed', format);
      expect(mediaType).toContain(format === 'oci' ? 'vnd.oci.image.manifest' : 'vnd.docker.distribution.manifest');
    }
  });

  test('the digest that podman writes to a file pulls the image', async () => {
    const name = `${registry.host}/podman/by-digest`;
    await builder
      .podman(['pull', '--quiet', (await busyboxImage()).source])
      .then((id) => builder.podman(['tag', id, `${name}:1`]));
    const file = `${builder.work}/digest`;
    await push(builder, `${name}:1`, '--digestfile', file);
    const digest = await Bun.file(file).text();
    await pull(target, `${name}@${digest}`);
    expect((await storedManifest(registry, 'podman/by-digest', '1')).digest).toBe(digest);
  });

  test('a manifest list of two platforms is made, pushed whole and pulled for this platform', async () => {
    const image = await twoPlatformImage();
    const name = `${registry.host}/podman/list:1`;
    await seed(image, 'podman/platforms:1');
    await builder.podman(['manifest', 'create', 'list']);
    await builder.podman([
      'manifest',
      'add',
      '--all',
      '--tls-verify=false',
      'list',
      `docker://${registry.host}/podman/platforms:1`,
    ]);
    await builder.podman(['manifest', 'push', '--all', '--tls-verify=false', 'list', `docker://${name}`]);
    const [list, original] = await Promise.all([
      storedManifest(registry, 'podman/list', '1'),
      storedManifest(registry, 'podman/platforms', '1'),
    ]);
    expect(list.manifests?.map((entry) => entry.digest).sort()).toEqual(
      original.manifests!.map((entry) => entry.digest).sort(),
    );
    await pull(target, name);
    expect(await target.podman(['run', ...runFlags, name])).toBe(image.prints);
  });

  test('search lists the repositories of the registry and the tags of one', async () => {
    await seed(await busyboxImage(), 'found/app:1');
    await seed(await busyboxImage(), 'found/app:2');
    const search = ['search', '--tls-verify=false', '--limit', '1000', '--format', '{{.Name}}'];
    const repositories = await target.podman([...search, `${registry.host}/`]);
    expect(repositories.split('\n')).toContain(`${registry.host}/found/app`);
    // With --list-tags this podman ignores the format and prints a heading and NAME TAG lines.
    const tags = await target.podman(['search', '--tls-verify=false', '--list-tags', `${registry.host}/found/app`]);
    expect(
      tags
        .split('\n')
        .slice(1)
        .map((line) => line.split(/\s+/)[1]),
    ).toEqual(['1', '2']);
  });

  test('pulling a tag that is not there says that the manifest is unknown', async () => {
    const { code, stderr } = await target.tryPodman(['pull', '--tls-verify=false', `${registry.host}/podman/none:1`]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/manifest unknown|name unknown/);
  });
});
