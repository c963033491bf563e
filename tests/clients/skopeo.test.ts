// skopeo: copies between the registry, OCI layouts and plain directories, lists, inspects, deletes and syncs; and an OCI
// artifact with a subject, found again as a referrer.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  busyboxImage,
  debianImage,
  SIGNATURE_TYPE,
  signatureArtifact,
  twentyLayerImage,
  twoPlatformImage,
} from '../support/images.ts';
import { digestOf, mediaTypes } from '../support/registry.ts';
import { requireTools, run, tryRun } from '../support/tools.ts';
import { type RegistryUnderTest, startRegistry, statusOf, storedManifest } from './registry.ts';

const canRun = requireTools('skopeo', ['skopeo', 'debootstrap', 'root']);
// Making the Debian image, once, takes half a minute.
setDefaultTimeout(240_000);

describe.if(canRun)('skopeo', () => {
  let registry: RegistryUnderTest;
  let work: string;

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'berth-skopeo-'));
    registry = await startRegistry();
  });

  afterAll(async () => {
    rmSync(work, { recursive: true, force: true });
    await registry?.stop();
  });

  const at = (name: string) => `docker://${registry.host}/${name}`;
  const push = (source: string, name: string, ...flags: string[]) =>
    run(['skopeo', 'copy', '--dest-tls-verify=false', ...flags, source, at(name)]);
  const pull = (name: string, destination: string, ...flags: string[]) =>
    run(['skopeo', 'copy', '--src-tls-verify=false', ...flags, at(name), destination]);
  const inspect = async (name: string, ...flags: string[]) =>
    JSON.parse(await run(['skopeo', 'inspect', '--tls-verify=false', ...flags, at(name)])) as Record<string, unknown>;
  const readManifest = (directory: string) => digestOf(readFileSync(join(directory, 'manifest.json')));

  for (const [name, image] of [
    ['busybox', busyboxImage],
    ['debian', debianImage],
    ['twenty', twentyLayerImage],
  ] as const) {
    test(`the ${name} image goes from an OCI layout to the registry and back with every digest unchanged`, async () => {
      const { source, manifest, layers } = await image();
      await push(source, `round/${name}:1`, '--preserve-digests');
      expect((await storedManifest(registry, `round/${name}`, '1')).digest).toBe(manifest.digest);
      await pull(`round/${name}:1`, `dir:${work}/${name}`);
      expect(readManifest(join(work, name))).toBe(manifest.digest);
      for (const { descriptor } of layers) {
        const file = join(work, name, descriptor.digest.slice('sha256:'.length));
        expect(digestOf(readFileSync(file))).toBe(descriptor.digest);
      }
      await pull(`round/${name}@${manifest.digest}`, `oci:${work}/${name}-layout:latest`);
      const index = JSON.parse(readFileSync(join(work, `${name}-layout/index.json`), 'utf8')) as {
        manifests: { digest: string }[];
      };
      expect(index.manifests.map((entry) => entry.digest)).toEqual([manifest.digest]);
    });
  }

  test('a plain directory is pushed again with the same digest', async () => {
    const { source, manifest } = await busyboxImage();
    await run(['skopeo', 'copy', source, `dir:${work}/plain`]);
    await push(`dir:${work}/plain`, 'from/dir:1');
    expect((await storedManifest(registry, 'from/dir', '1')).digest).toBe(manifest.digest);
  });

  test('an image is converted to the Docker format and to zstd layers on the way', async () => {
    const { source } = await busyboxImage();
    await push(source, 'converted/docker:1', '--format', 'v2s2');
    const docker = await storedManifest(registry, 'converted/docker', '1');
    expect([docker.mediaType, docker.config?.mediaType]).toEqual([mediaTypes.dockerManifest, mediaTypes.dockerConfig]);
    await run(['skopeo', 'copy', '--dest-compress-format', 'zstd', source, `oci:${work}/squeezed:latest`]);
    await push(`oci:${work}/squeezed:latest`, 'converted/zstd:1', '--preserve-digests');
    const layer = (await storedManifest(registry, 'converted/zstd', '1')).layers?.[0];
    expect(layer?.mediaType).toBe('application/vnd.oci.image.layer.v1.tar+zstd');
    await pull('converted/zstd:1', `oci:${work}/zstd:latest`);
  });

  test('an index is copied with --all to the registry, to another repository there and back', async () => {
    const { source, manifest } = await twoPlatformImage();
    await push(source, 'index/first:1', '--all', '--preserve-digests');
    const copy = ['skopeo', 'copy', '--all', '--src-tls-verify=false', '--dest-tls-verify=false'];
    await run([...copy, at('index/first:1'), at('index/second:1')]);
    await pull('index/second:1', `dir:${work}/index`, '--all');
    expect(readManifest(join(work, 'index'))).toBe(manifest.digest);
    const { manifests } = await storedManifest(registry, 'index/second', '1');
    expect(manifests).toHaveLength(2);
    for (const { digest } of manifests ?? [])
      expect(existsSync(join(work, 'index', `${digest.slice(7)}.manifest.json`))).toBe(true);
  });

  test('inspect shows the digest, tags, layers and configuration', async () => {
    const { source, manifest, layers } = await twentyLayerImage();
    await push(source, 'seen/twenty:a', '--preserve-digests');
    await push(source, 'seen/twenty:b', '--preserve-digests');
    const seen = await inspect('seen/twenty:a');
    expect(seen.Digest).toBe(manifest.digest);
    expect(seen.RepoTags).toEqual(['a', 'b']);
    expect(seen.Layers).toEqual(layers.map((layer) => layer.descriptor.digest));
    const config = (await inspect('seen/twenty:a', '--config')) as { rootfs: { diff_ids: string[] } };
    expect(config.rootfs.diff_ids).toEqual(layers.map((layer) => layer.diffId));
    const raw = await tryRun(['skopeo', 'inspect', '--tls-verify=false', '--raw', at('seen/twenty:a')]);
    expect(digestOf(raw.stdout)).toBe(manifest.digest);
  });

  test('list-tags lists the tags of a repository in order, also when they fill several pages', async () => {
    const { source } = await busyboxImage();
    await push(source, 'listed/many:t000');
    const { body, type } = await rawManifest('listed/many', 't000');
    const tags = Array.from({ length: 250 }, (_, number) => `t${String(number).padStart(3, '0')}`);
    for (const tag of tags) {
      const put = await fetch(`${registry.url}/v2/listed/many/manifests/${tag}`, {
        method: 'PUT',
        headers: { 'Content-Type': type },
        body,
      });
      expect(put.status).toBe(201);
    }
    const listed = JSON.parse(await run(['skopeo', 'list-tags', '--tls-verify=false', at('listed/many')])) as {
      Tags: string[];
    };
    expect(listed.Tags).toEqual(tags);
  });

  async function rawManifest(name: string, reference: string): Promise<{ body: ArrayBuffer; type: string }> {
    const response = await fetch(`${registry.url}/v2/${name}/manifests/${reference}`, {
      headers: { Accept: mediaTypes.ociManifest },
    });
    return { body: await response.arrayBuffer(), type: response.headers.get('Content-Type') ?? '' };
  }

  test('delete removes an image, after which its tag and digest are unknown and the others stay', async () => {
    const busybox = await busyboxImage();
    const twenty = await twentyLayerImage();
    await push(busybox.source, 'deleted/app:old', '--preserve-digests');
    await push(twenty.source, 'deleted/app:new', '--preserve-digests');
    await run(['skopeo', 'delete', '--tls-verify=false', at('deleted/app:old')]);
    expect(await statusOf(registry, 'deleted/app/manifests/old')).toBe(404);
    expect(await statusOf(registry, `deleted/app/manifests/${busybox.manifest.digest}`)).toBe(404);
    expect(await statusOf(registry, 'deleted/app/manifests/new')).toBe(200);
    const again = await tryRun(['skopeo', 'delete', '--tls-verify=false', at('deleted/app:old')]);
    expect(again.code).not.toBe(0);
    await pull('deleted/app:new', `dir:${work}/left`);
    // What was deleted may come back.
    await push(busybox.source, 'deleted/app:old', '--preserve-digests');
    await pull('deleted/app:old', `dir:${work}/back`);
    expect(readManifest(join(work, 'back'))).toBe(busybox.manifest.digest);
  });

  test('sync brings a whole repository to a directory and back under another name', async () => {
    const { source, manifest } = await busyboxImage();
    for (const tag of ['1', '2']) await push(source, `synced/app:${tag}`, '--preserve-digests');
    const sync = ['skopeo', 'sync', '--scoped', '--src-tls-verify=false', '--dest-tls-verify=false'];
    await run([...sync, '--src', 'docker', '--dest', 'dir', `${registry.host}/synced/app`, `${work}/synced`]);
    const found = readdirSync(join(work, 'synced', registry.host, 'synced')).sort();
    expect(found).toEqual(['app:1', 'app:2']);
    await run([
      ...sync,
      '--src',
      'dir',
      '--dest',
      'docker',
      `${work}/synced/${registry.host}/synced`,
      `${registry.host}/restored`,
    ]);
    const catalog = (await (await fetch(`${registry.url}/v2/_catalog?n=1000`)).json()) as { repositories: string[] };
    const restored = catalog.repositories.find((name) => name.startsWith('restored/') && name.endsWith('/app'));
    expect(restored).toBeDefined();
    expect((await storedManifest(registry, restored!, '2')).digest).toBe(manifest.digest);
  });

  test('sync between registries takes the tags that a YAML file names', async () => {
    const { source } = await busyboxImage();
    for (const tag of ['v1', 'v2', 'dev']) await push(source, `mirror/app:${tag}`);
    const yaml = `${registry.host}:\n  tls-verify: false\n  images-by-tag-regex:\n    mirror/app: ^v\\d+$\n`;
    writeFileSync(join(work, 'sync.yaml'), yaml);
    await run([
      'skopeo',
      'sync',
      '--src',
      'yaml',
      '--dest',
      'docker',
      '--dest-tls-verify=false',
      join(work, 'sync.yaml'),
      `${registry.host}/mirrored`,
    ]);
    const listed = JSON.parse(await run(['skopeo', 'list-tags', '--tls-verify=false', at('mirrored/app')])) as {
      Tags: string[];
    };
    expect(listed.Tags).toEqual(['v1', 'v2']);
  });

  test('an OCI artifact with a subject is pushed and found as a referrer of its subject', async () => {
    const subject = await busyboxImage();
    const artifact = await signatureArtifact();
    await push(artifact.source, 'signed/app:signature', '--preserve-digests');
    const referrers = `${registry.url}/v2/signed/app/referrers/${subject.manifest.digest}`;
    // The subject may come after the artifact that names it.
    expect(await statusOf(registry, `signed/app/manifests/${subject.manifest.digest}`)).toBe(404);
    await push(subject.source, 'signed/app:1', '--preserve-digests');
    const response = await fetch(`${referrers}?artifactType=${encodeURIComponent(SIGNATURE_TYPE)}`);
    expect(response.status).toBe(200);
    expect(response.headers.get('Content-Type')).toBe(mediaTypes.ociIndex);
    const expected = {
      ...artifact.manifest,
      artifactType: SIGNATURE_TYPE,
      annotations: { 'org.example.signer': 'berth tests' },
    };
    expect(await response.json()).toEqual({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [expected] });
    const other = await fetch(`${referrers}?artifactType=application/vnd.example.other`);
    expect(((await other.json()) as { manifests: unknown[] }).manifests).toEqual([]);
    await pull('signed/app:signature', `dir:${work}/signature`);
    expect(readManifest(join(work, 'signature'))).toBe(artifact.manifest.digest);
  });
});
