// berth import oci and berth export: OCI layouts of other tools and our own.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { busyboxImage, twoPlatformImage } from '../support/images.ts';
import { describeBytes, digestOf, mediaTypes, Registry } from '../support/registry.ts';
import { requireTools, run } from '../support/tools.ts';
import { digestsAt } from './old-registry.ts';

const canRun = requireTools('import and export of layouts', ['skopeo', 'buildah', 'tar']);
setDefaultTimeout(120_000);

describe.if(canRun)('an OCI layout', () => {
  let work: string;
  let server: RunningBerth;
  let other: RunningBerth;
  let two: string;

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'berth-layout-'));
    server = await startBerth({ args: ['--workers', '1'] });
    other = await startBerth({ args: ['--workers', '1'] });
    two = (await twoPlatformImage()).manifest.digest;
  });
  afterAll(async () => {
    await Promise.all([server?.stop(), other?.stop()]);
    rmSync(work, { recursive: true, force: true });
  });

  const importing = (path: string, ...flags: string[]) =>
    berth(['import', 'oci', path, '--data', server.data, ...flags]);

  test('that skopeo wrote, as a folder and as an archive, comes in with its platforms', async () => {
    const { source } = await twoPlatformImage();
    await run(['skopeo', 'copy', '--all', source, `oci:${work}/skopeo:1.0`]);
    expect((await importing(join(work, 'skopeo'), '--to', 'from/skopeo')).code).toBe(0);
    await run(['tar', '-C', join(work, 'skopeo'), '-cf', join(work, 'skopeo.tar'), '.']);
    expect((await importing(join(work, 'skopeo.tar'), '--to', 'from/archive', '--tag', '2.0')).code).toBe(0);
    const names = { 'from/skopeo:1.0': two, 'from/archive:2.0': two };
    expect(await digestsAt(server.url, names)).toEqual(names);
  });

  test('that buildah wrote comes in', async () => {
    const { source, manifest } = await busyboxImage();
    const storage = ['--root', join(work, 'storage'), '--runroot', join(work, 'run'), '--storage-driver', 'vfs'];
    const id = await run(['buildah', ...storage, 'pull', '-q', source]);
    await run(['buildah', ...storage, 'push', '-q', id, `oci-archive:${work}/buildah.tar:localhost/team/app:3.0`]);
    expect((await importing(join(work, 'buildah.tar'))).code).toBe(0);
    const pulled = await (
      await fetch(`${server.url}/v2/team/app/manifests/3.0`, { headers: { accept: mediaTypes.ociManifest } })
    ).json();
    const stored = JSON.parse(
      readFileSync(join((await busyboxImage()).path, 'blobs', manifest.digest.replace(':', '/')), 'utf8'),
    );
    expect((pulled as { config: { digest: string } }).config.digest).toBe(stored.config.digest);
  });

  test('with the names that docker and containerd write needs none', async () => {
    const { path, manifest } = await busyboxImage();
    const named = join(work, 'named');
    await run(['cp', '-r', path, named]);
    const annotations = {
      'io.containerd.image.name': 'docker.io/library/web:4.0',
      'org.opencontainers.image.ref.name': '4.0',
    };
    writeFileSync(
      join(named, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
    );
    expect((await importing(named)).code).toBe(0);
    expect(await digestsAt(server.url, { 'web:4.0': '' })).toEqual({ 'web:4.0': manifest.digest });
  });

  test('without a name, cut short, compressed or of an old docker is refused with what to do', async () => {
    const { path } = await busyboxImage();
    const nameless = await importing(path);
    expect([nameless.code, nameless.stderr]).toEqual([1, expect.stringContaining('give one with --to')]);
    const tar = join(work, 'cut.tar');
    await run(['tar', '-C', path, '-cf', tar, '.']);
    await run(['gzip', '-k', tar]);
    expect((await importing(`${tar}.gz`, '--to', 'x/y')).stderr).toContain('is compressed; unpack it');
    truncateSync(tar, 500_000);
    const cut = await importing(tar, '--to', 'x/y');
    expect([cut.code, cut.stderr]).toEqual([1, expect.stringContaining('is cut')]);
    await run(['skopeo', 'copy', (await busyboxImage()).source, `docker-archive:${work}/old.tar:x/y:1`]);
    expect((await importing(join(work, 'old.tar'))).stderr).toContain('docker save before version 25');
  });

  for (const target of ['export', 'export.tar']) {
    test(`is what berth export writes to ${target}: others read it, and another Berth has the same after`, async () => {
      const registry = new Registry(server.port);
      const name = target === 'export' ? 'out/folder' : 'out/tar';
      const image = await registry.pushImage(name, '1.0');
      const config = '{}';
      await registry.pushBlob(name, config);
      const subject = describeBytes(image.body, mediaTypes.ociManifest);
      const layers = [describeBytes(config, mediaTypes.ociEmpty)];
      const signature = JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        artifactType: 'a/b',
        config: layers[0],
        layers,
        subject,
      });
      await registry.putManifest(name, digestOf(signature), signature, { mediaType: mediaTypes.ociManifest });
      registry.close();
      const to = join(work, target);
      const exported = await berth(['export', name, 'from/skopeo:1.0', '--to', to, '--data', server.data]);
      expect([exported.stderr, exported.code]).toEqual(['', 0]);
      expect(exported.stdout).toContain(`exported ${name}:1.0 ${image.digest}`);
      const imported = await berth(['import', 'oci', to, '--data', other.data]);
      expect([imported.stderr, imported.code]).toEqual(['', 0]);
      const names = { [`${name}:1.0`]: image.digest, 'from/skopeo:1.0': two };
      expect(await digestsAt(other.url, names)).toEqual(names);
      const referrers = await (await fetch(`${other.url}/v2/${name}/referrers/${image.digest}`)).json();
      expect((referrers as { manifests: { digest: string }[] }).manifests.map((entry) => entry.digest)).toEqual([
        digestOf(signature),
      ]);
      const source = target === 'export' ? `oci:${to}` : `oci-archive:${to}`;
      expect(digestOf(await run(['skopeo', 'inspect', '--raw', `${source}:${name}:1.0`]))).toBe(image.digest);
      expect(readdirSync(work).filter((file) => file.endsWith('.partial'))).toEqual([]);
      expect((await berth(['verify', '--data', other.data])).stdout).toContain('all is well');
    });
  }

  test('of what is not there is an error, and leaves no file', async () => {
    const to = join(work, 'none.tar');
    const { code, stderr } = await berth(['export', 'no/such:1.0', '--to', to, '--data', server.data]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('no/such')]);
    expect(readdirSync(work).filter((file) => file.startsWith('none.tar'))).toEqual([]);
  });
});
