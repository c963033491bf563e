// The container image, without a base image and without an engine: `npm run image` writes, on Debian,
//
//   dist/image             the image for every platform with its bill of materials, as an OCI layout: berth import oci, skopeo copy --all
//   dist/berth-amd64.tar   the same for one platform, for `docker load`
//   dist/berth-arm64.tar
//
// and there the binaries that are in it. --out FOLDER: another folder than dist.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { type Descriptor, ImageLayout, type Layer, MEDIA_TYPES } from './image-layout.ts';
import { fillRoot, PLATFORMS, type Platform, USER } from './root-files.ts';
import { runProgram } from './run-program.ts';

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: { out: { type: 'string', default: 'dist' } },
});
const root = resolve(import.meta.dir, '..');
const out = resolve(root, values.out);
const { version, description } = z
  .object({ version: z.string(), description: z.string() })
  .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
const created = new Date(Number(process.env.SOURCE_DATE_EPOCH ?? Math.floor(Date.now() / 1000)) * 1000).toISOString();
const labels = {
  'org.opencontainers.image.title': 'Berth',
  'org.opencontainers.image.description': description,
  'org.opencontainers.image.version': version,
  'org.opencontainers.image.licenses': 'Apache-2.0',
  'org.opencontainers.image.created': created,
  ...revision(),
};

const work = mkdtempSync(join(tmpdir(), 'berth-image-'));
try {
  await build();
} catch (error) {
  console.error(`image: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

async function build(): Promise<void> {
  rmSync(join(out, 'image'), { recursive: true, force: true });
  const layout = new ImageLayout(join(out, 'image'));
  const manifests: Descriptor[] = [];
  const targets = PLATFORMS.flatMap(({ target }) => ['--target', target]);
  runProgram([process.execPath, join(import.meta.dir, 'build.ts'), ...targets, '--out', out], root);
  for (const platform of PLATFORMS) {
    const { architecture } = platform;
    const layers = [await baseLayer(layout, platform), await programLayer(layout, platform)];
    const config = layout.addJson(configOf(platform, layers), MEDIA_TYPES.config);
    const manifest = layout.addJson(
      {
        schemaVersion: 2,
        mediaType: MEDIA_TYPES.manifest,
        config,
        layers: layers.map(({ descriptor }) => descriptor),
        annotations: labels,
      },
      MEDIA_TYPES.manifest,
    );
    manifests.push({ ...manifest, platform: { os: 'linux', architecture } });
    await saveForEngine(layout, manifest, config, layers, join(out, `berth-${architecture}.tar`));
  }
  const index = layout.addJson(
    { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests, annotations: labels },
    MEDIA_TYPES.index,
  );
  const bill = readFileSync(join(out, 'berth.cdx.json'));
  const bills = layout.attach([index, ...manifests], bill, MEDIA_TYPES.bill, created);
  layout.publish([{ ...index, annotations: { 'org.opencontainers.image.ref.name': version } }, ...bills]);
  console.log(layout.path);
}

/** Changes with Debian alone, so that an upgrade brings the other layer only. */
async function baseLayer(layout: ImageLayout, platform: Platform): Promise<Layer> {
  const folder = join(work, `base-${platform.architecture}`);
  const files = join(folder, 'root');
  mkdirSync(files, { recursive: true });
  fillRoot(files, platform, join(folder, 'work'));
  const tar = join(folder, 'layer.tar');
  pack(tar, files, ['etc', 'lib', ...(existsSync(join(files, 'lib64')) ? ['lib64'] : []), 'tmp', 'usr', 'var'], 0);
  mkdirSync(join(files, 'data'), { mode: 0o750 });
  pack(tar, files, ['data'], USER, '--append');
  return layout.addLayer(await bytesOf(tar), 'the C library and the certificates of public authorities, from Debian');
}

async function programLayer(layout: ImageLayout, { architecture, target }: Platform): Promise<Layer> {
  const files = join(work, `program-${architecture}`);
  mkdirSync(join(files, 'usr/bin'), { recursive: true });
  runProgram(['install', '-m', '0755', join(out, `berth-${target}`), join(files, 'usr/bin/berth')]);
  const tar = join(work, `program-${architecture}.tar`);
  pack(tar, files, ['usr/bin/berth'], 0);
  return layout.addLayer(await bytesOf(tar), `berth ${version}`);
}

/** The same files give the same bytes. */
function pack(tar: string, folder: string, names: string[], owner: number, mode = '--create'): void {
  const same = ['--sort=name', '--mtime=@0', '--format=gnu', '--numeric-owner', `--owner=${owner}`, `--group=${owner}`];
  runProgram(['tar', mode, `--file=${tar}`, `--directory=${folder}`, ...same, ...names]);
}

async function bytesOf(file: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await Bun.file(file).arrayBuffer());
}

function configOf({ architecture }: Platform, layers: Layer[]): object {
  return {
    created,
    os: 'linux',
    architecture,
    config: {
      User: `${USER}:${USER}`,
      Env: ['PATH=/usr/bin', 'BERTH_DATA=/data'],
      Entrypoint: ['/usr/bin/berth'],
      Cmd: ['serve'],
      WorkingDir: '/data',
      ExposedPorts: { '5000/tcp': {} },
      Volumes: { '/data': {} },
      StopSignal: 'SIGTERM',
      Labels: labels,
      // Nanoseconds. Docker's own; others leave it out.
      Healthcheck: {
        Test: ['CMD', '/usr/bin/berth', 'healthcheck'],
        Interval: 30e9,
        Timeout: 10e9,
        StartPeriod: 60e9,
        StartInterval: 2e9,
        Retries: 3,
      },
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(({ from }) => ({ created, created_by: from })),
  };
}

/** What `docker load` of every age takes: an OCI layout with `manifest.json`. */
async function saveForEngine(
  from: ImageLayout,
  manifest: Descriptor,
  config: Descriptor,
  layers: Layer[],
  file: string,
): Promise<void> {
  const folder = join(work, 'saved');
  rmSync(folder, { recursive: true, force: true });
  const saved = new ImageLayout(folder);
  for (const descriptor of [manifest, config, ...layers.map((layer) => layer.descriptor)]) saved.copy(from, descriptor);
  const name = `berth:${version}`;
  const named = {
    'io.containerd.image.name': `docker.io/library/${name}`,
    'org.opencontainers.image.ref.name': version,
  };
  saved.publish([{ ...manifest, annotations: named }]);
  const path = ({ digest }: Descriptor) => `blobs/${digest.replace(':', '/')}`;
  const old = [
    {
      Config: path(config),
      RepoTags: [name, 'berth:latest'],
      Layers: layers.map(({ descriptor }) => path(descriptor)),
    },
  ];
  await Bun.write(join(folder, 'manifest.json'), JSON.stringify(old));
  pack(file, folder, ['.'], 0);
  console.log(file);
}

/** The commit, when this is a clone of the repository. */
function revision(): Record<string, string> {
  try {
    return { 'org.opencontainers.image.revision': runProgram(['git', 'rev-parse', 'HEAD'], root).trim() };
  } catch {
    return {};
  }
}
