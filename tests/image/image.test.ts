// The container image that `npm run image` writes, in a real Docker Engine: it is used as people use `registry`, and it stores itself.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { busyboxImage } from '../support/images.ts';
import { eventually } from '../support/processes.ts';
import { type ServerEngine, serverEngineTools, startServerEngine } from '../support/server-engine.ts';
import { requireTools, run } from '../support/tools.ts';
import { imageForArm64 } from './arm64.ts';
import { composeWithPostgres } from './compose-postgres.ts';
import { podOfKubernetes } from './kubernetes.ts';
import { type Place, testImage } from './place.ts';
import { unitsOfSystemd } from './service.ts';

const canRun = requireTools('image', [...serverEngineTools, 'apt-get', 'dpkg-deb', 'skopeo', 'busybox']);
const root = new URL('../../', import.meta.url).pathname;
const { version } = z.object({ version: z.string() }).parse(JSON.parse(readFileSync(`${root}package.json`, 'utf8')));
const USER = 65_532;
/** A folder with an image that was built before (`npm run image -- --out FOLDER`). */
const built = process.env.BERTH_TEST_IMAGE;

const descriptor = z.looseObject({ digest: z.string(), artifactType: z.string().optional() });
const index = z.object({ manifests: z.array(descriptor) });
const manifest = z.looseObject({ config: descriptor, layers: z.array(descriptor.extend({ size: z.number() })) });

setDefaultTimeout(180_000);

describe.if(canRun)('the container image', () => {
  let work: string;
  let image: string;
  let engine: ServerEngine;
  let prints: string;
  const place: Place = {
    get image() {
      return image;
    },
    get engine() {
      return engine;
    },
    get prints() {
      return prints;
    },
  };

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'berth-image-test-'));
    image = built ?? join(work, 'built');
    if (built === undefined)
      await run([process.execPath, 'scripts/image.ts', '--out', image], { cwd: root, within: 290_000 });
    engine = await startServerEngine({ name: 'image' });
    await engine.docker(['load', '--input', join(image, `berth-${process.arch === 'x64' ? 'amd64' : 'arm64'}.tar`)]);
    const busybox = await busyboxImage();
    const archive = join(work, 'busybox.tar');
    await run(['skopeo', 'copy', busybox.source, `docker-archive:${archive}:${testImage}`]);
    await engine.docker(['load', '--input', archive]);
    ({ prints } = busybox);
  }, 300_000);
  afterAll(async () => {
    await engine?.stop();
    rmSync(work, { recursive: true, force: true });
  });

  const serve = (...flags: string[]) =>
    engine.docker([
      ...['run', '-d', '--name', 'registry', '-p', '5000:5000', '--restart=always', '-v', 'data:/data'],
      ...['-e', 'BERTH_ANONYMOUS=push', ...flags, 'berth'],
    ]);
  const stateOf = async (format: string, container = 'registry') =>
    (await engine.tryDocker(['inspect', '--format', format, container])).stdout.trim();
  const healthy = (container = 'registry') =>
    eventually('healthy', 60_000, async () => (await stateOf('{{.State.Health.Status}}', container)) === 'healthy');
  /** Nothing of it is left in the engine first. */
  const pullAndRun = async () => {
    await engine.docker(['rmi', '--force', testImage]);
    return engine.docker(['run', '--rm', '--network', 'none', testImage]);
  };

  test('works as registry does: run, push, pull, and it becomes healthy', async () => {
    await serve();
    await healthy();
    await engine.docker(['push', testImage]);
    expect(await pullAndRun()).toBe(prints);
  });

  test('comes back by itself after a kill, and after the engine was killed, with what was pushed', async () => {
    process.kill(Number(await stateOf('{{.State.Pid}}')), 'SIGKILL');
    await eventually('a restart', 30_000, async () => Number(await stateOf('{{.RestartCount}}')) > 0);
    await healthy();
    expect(await pullAndRun()).toBe(prints);
    await engine.restart();
    await healthy();
    expect(await pullAndRun()).toBe(prints);
  });

  test('ends on docker stop with exit code 0, and another container goes on with the volume, read-only and without privileges', async () => {
    await engine.docker(['stop', '--time', '45', 'registry']);
    expect(await stateOf('{{.State.ExitCode}}')).toBe('0');
    await engine.docker(['rm', 'registry']);
    await serve('--read-only', '--tmpfs', '/tmp', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges:true');
    await healthy();
    expect(await pullAndRun()).toBe(prints);
    await engine.docker(['push', testImage]);
    const status = readFileSync(`/proc/${await stateOf('{{.State.Pid}}')}/status`, 'utf8');
    expect(/^Uid:\s+(.*)$/m.exec(status)?.[1]?.split('\t')).toEqual(Array(4).fill(String(USER)));
  });

  test('other commands run in the container on the same data', async () => {
    expect(await engine.docker(['exec', 'registry', 'berth', 'verify', '--output', 'json'])).toContain('"blobs"');
    expect(await engine.docker(['exec', 'registry', 'berth', 'healthcheck'])).toBe('ready');
    const elsewhere = await engine.tryDocker(['run', '--rm', 'berth', 'healthcheck']);
    expect({ code: elsewhere.code, said: elsewhere.stderr.trim() }).toEqual({
      code: 1,
      said: 'berth: http://127.0.0.1:5000 does not answer (ECONNREFUSED)',
    });
  });

  test('is pushed to itself by docker, pulled from there and run', async () => {
    await engine.docker(['tag', 'berth', 'localhost:5000/self:latest']);
    await engine.docker(['push', 'localhost:5000/self:latest']);
    await engine.docker(['rmi', 'localhost:5000/self:latest']);
    expect(await engine.docker(['run', '--rm', 'localhost:5000/self:latest', '--version'])).toBe(version);
  });

  test('is imported with both platforms and its bill of materials, which is a referrer of each', async () => {
    await engine.docker([
      ...['run', '--rm', '-v', 'data:/data', '-v', `${join(image, 'image')}:/image:ro`, '-e', 'BERTH_ANONYMOUS=push'],
      ...['berth', 'import', 'oci', '/image', '--to', 'berth/berth'],
    ]);
    expect(await engine.docker(['run', '--rm', `localhost:5000/berth/berth:${version}`, '--version'])).toBe(version);
    const url = `http://${engine.address}:5000/v2/berth/berth`;
    const accept = { Accept: 'application/vnd.oci.image.index.v1+json' };
    const answer = await fetch(`${url}/manifests/${version}`, { headers: accept });
    const { manifests } = index.parse(await answer.json());
    expect(manifests).toMatchObject([
      { platform: { os: 'linux', architecture: 'amd64' } },
      { platform: { os: 'linux', architecture: 'arm64' } },
    ]);
    for (const subject of [
      answer.headers.get('Docker-Content-Digest') ?? '',
      ...manifests.map(({ digest }) => digest),
    ]) {
      const referrers = index.parse(await (await fetch(`${url}/referrers/${subject}`)).json()).manifests;
      expect(referrers.map(({ artifactType }) => artifactType)).toEqual(['application/vnd.cyclonedx+json']);
      const { layers } = manifest.parse(await (await fetch(`${url}/manifests/${referrers[0]?.digest}`)).json());
      const bill = await (await fetch(`${url}/blobs/${layers[0]?.digest}`)).text();
      expect(bill).toBe(readFileSync(join(image, 'berth.cdx.json'), 'utf8'));
    }
  });

  test('is smaller than 70 MB, and an upgrade of Berth alone brings one layer', async () => {
    const answer = await fetch(`http://${engine.address}:5000/v2/self/manifests/latest`, {
      headers: {
        Accept: 'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json',
      },
    });
    const { layers } = manifest.parse(await answer.json());
    expect(layers).toHaveLength(2);
    expect(layers.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(70e6);
    expect(layers[0]?.size).toBeLessThan(3e6);
  });

  test('packaging/compose.yaml brings it up, healthy, and it takes nothing from people without an account', async () => {
    await engine.docker(['rm', '--force', 'registry']);
    const compose = ['compose', '-f', `${root}packaging/compose.yaml`];
    try {
      await engine.docker([...compose, 'up', '-d', '--wait']);
      await healthy('berth-registry-1');
      expect(await engine.docker([...compose, 'logs', 'registry'])).toContain('/setup?secret=');
      expect((await engine.tryDocker(['push', testImage])).stderr).toContain('denied');
      await engine.docker([...compose, 'stop']);
      expect(await stateOf('{{.State.ExitCode}}', 'berth-registry-1')).toBe('0');
    } finally {
      await engine.docker([...compose, 'down', '--volumes']);
    }
  });

  unitsOfSystemd(place);
  podOfKubernetes(place);
  composeWithPostgres(place);
  imageForArm64(place);
});
