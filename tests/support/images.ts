// The images that real clients push and pull in tests, made once and kept under $BERTH_TEST_CACHE (or the system's
// temporary directory). Delete that directory to make them anew; about 2.4 GiB.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostPlatform, type Layer, OciLayout } from './oci-layout.ts';
import { type Descriptor, mediaTypes } from './registry.ts';
import { run } from './tools.ts';

/** Part of the cache's path: raise it when a recipe below changes. */
const RECIPES = 'v1';
const hostPlatformName = `linux/${hostPlatform.architecture}`;
const cache = process.env.BERTH_TEST_CACHE ?? join(tmpdir(), 'berth-test-images');

export interface TestImage {
  /** The OCI layout's directory. */
  path: string;
  /** How skopeo, podman and buildah name it there: `oci:PATH:latest`. */
  source: string;
  /** The manifest's (or index's) descriptor. */
  manifest: Descriptor;
  layers: Layer[];
  /** What its command prints when a container runs: proof that the layers arrived whole. */
  prints: string;
}

/** Busybox on its own, about 1 MiB: small enough to push a hundred times. */
export const busyboxImage = cached('busybox', async (layout) => {
  const layer = await busyboxLayer(layout, hostPlatform.architecture);
  const command = ['cat', '/platform'];
  return { layers: [layer], manifest: layout.addImage([layer], { command }), prints: hostPlatformName };
});

/** Debian's minimal system, more than 200 MB unpacked in one layer of more than 50 MB. */
export const debianImage = cached('debian', async (layout, work) => {
  const root = join(work, 'root');
  const release = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'stable';
  await run(['debootstrap', '--variant=minbase', release, root, ...(await debianMirror())], { within: 220_000 });
  rmSync(join(root, 'var/cache/apt'), { recursive: true, force: true });
  const layer = await layout.addDirectory(root);
  const command = ['sh', '-c', 'dpkg --audit && cat /etc/debian_version'];
  return {
    layers: [layer],
    manifest: layout.addImage([layer], { command }),
    prints: readFileSync(join(root, 'etc/debian_version'), 'utf8').trim(),
  };
});

/** Twenty layers: busybox and nineteen files, each of which overwrites the file `/number` too. */
export const twentyLayerImage = cached('twenty-layers', async (layout, work) => {
  const layers = [await busyboxLayer(layout, hostPlatform.architecture)];
  for (let number = 2; number <= 20; number++) {
    const root = join(work, `layer-${number}`);
    mkdirSync(root);
    writeFileSync(join(root, 'number'), `${number}\n`);
    writeFileSync(join(root, `file-${number}`), crypto.getRandomValues(new Uint8Array(64 * 1024)));
    layers.push(await layout.addDirectory(root));
  }
  return { layers, manifest: layout.addImage(layers, { command: ['cat', '/number'] }), prints: '20' };
});

const LARGE_MIB = 2050;

/** One layer of more than 2 GiB as it is sent, beyond what a signed 32-bit length holds, and busybox to read it with. */
export const largeImage = cached('large', async (layout) => {
  const busybox = await busyboxLayer(layout, hostPlatform.architecture);
  // Busybox's SHA-256 takes four times as long; the engines check the layer's SHA-256 themselves.
  const content = new Bun.CryptoHasher('md5');
  // Level 0 keeps the bytes as they are: nothing in the file would compress, and trying takes a minute.
  const large = await layout.addTar(largeFile(LARGE_MIB, content), 0);
  return {
    layers: [busybox, large],
    manifest: layout.addImage([busybox, large], { command: ['md5sum', '/large'] }),
    prints: `${content.digest('hex')}  /large`,
  };
});

/** An index of two platforms; only the host's has a program that runs here. */
export const twoPlatformImage = cached('two-platforms', async (layout) => {
  const platforms = [
    hostPlatform,
    { os: 'linux', architecture: hostPlatform.architecture === 'arm64' ? 'amd64' : 'arm64' },
  ];
  const layers: Layer[] = [];
  const manifests: Descriptor[] = [];
  for (const platform of platforms) {
    const layer = await busyboxLayer(layout, platform.architecture);
    layers.push(layer);
    manifests.push({ ...layout.addImage([layer], { command: ['cat', '/platform'], platform }), platform });
  }
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
  return { layers, manifest: layout.addJson(index, mediaTypes.ociIndex), prints: hostPlatformName };
});

export const SIGNATURE_TYPE = 'application/vnd.example.signature.v1';

/** An OCI artifact, as OCI Image 1.1 "Guidelines for Artifact Usage" has it, whose subject is the busybox image. */
export const signatureArtifact = cached('signature', async (layout) => {
  const subject = (await busyboxImage()).manifest;
  const config = layout.addBlob('{}', mediaTypes.ociEmpty);
  const signature = layout.addBlob(`signature of ${subject.digest}\n`, 'text/plain');
  const manifest = layout.addJson(
    {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType: SIGNATURE_TYPE,
      config,
      layers: [signature],
      subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
      annotations: { 'org.example.signer': 'berth tests' },
    },
    mediaTypes.ociManifest,
  );
  return { layers: [], manifest, prints: '' };
});

export type Recipe = (layout: OciLayout, work: string) => Promise<Pick<TestImage, 'layers' | 'manifest' | 'prints'>>;

/** Makes the image in a directory aside and renames it into the cache, so that a run cut short leaves nothing half-made there. */
export function cached(name: string, make: Recipe): () => Promise<TestImage> {
  let made: Promise<TestImage> | undefined;
  const path = join(cache, RECIPES, name);
  const load = async (): Promise<TestImage> => {
    if (!existsSync(path)) {
      mkdirSync(join(cache, RECIPES), { recursive: true });
      const work = mkdtempSync(join(cache, `making-${name}-`));
      try {
        const layout = OciLayout.create(join(work, 'layout'));
        const image = await make(layout, work);
        layout.publish({ latest: image.manifest });
        writeFileSync(join(layout.path, 'test-image.json'), JSON.stringify(image));
        renameSync(layout.path, path);
      } catch (error) {
        // Another run may have put the same image there first.
        if (!existsSync(path)) throw error;
      } finally {
        rmSync(work, { recursive: true, force: true });
      }
    }
    const image = JSON.parse(readFileSync(join(path, 'test-image.json'), 'utf8')) as Awaited<ReturnType<Recipe>>;
    return { ...image, path, source: `oci:${path}:latest` };
  };
  return () => {
    made ??= load();
    return made;
  };
}

async function busyboxLayer(layout: OciLayout, architecture: string): Promise<Layer> {
  const root = mkdtempSync(join(tmpdir(), 'berth-busybox-'));
  try {
    mkdirSync(join(root, 'bin'));
    copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
    for (const applet of ['sh', 'cat', 'echo', 'ls', 'md5sum']) symlinkSync('busybox', join(root, 'bin', applet));
    writeFileSync(join(root, 'platform'), `linux/${architecture}\n`);
    return await layout.addDirectory(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** The mirror that apt is set to use, so that the images come from where the machine's packages come from. */
async function debianMirror(): Promise<string[]> {
  const targets = await run([
    'apt-get',
    'indextargets',
    '--format',
    '$(REPO_URI) $(COMPONENT)',
    'Created-By: Packages',
  ]);
  const line = targets.split('\n').find((target) => target.endsWith(' main') && !target.includes('security'));
  return line === undefined ? [] : [line.split(' ')[0] ?? ''];
}

/** A tar of one file, `/large`: a block of random bytes again and again, each time with its number, so that no two MiB are the same. */
async function* largeFile(mebibytes: number, content: Bun.CryptoHasher): AsyncGenerator<Uint8Array> {
  const size = mebibytes * 2 ** 20;
  yield tarHeader('large', size);
  const block = new Uint8Array(2 ** 20);
  for (let at = 0; at < block.length; at += 2 ** 16) crypto.getRandomValues(block.subarray(at, at + 2 ** 16));
  for (let number = 0; number < mebibytes; number++) {
    const copy = Buffer.from(block);
    copy.writeUInt32LE(number, 0);
    content.update(copy);
    yield copy;
  }
  // The end of an archive: two empty blocks.
  yield new Uint8Array(1024);
}

/** POSIX.1-1988 "ustar" header block of a plain file. */
function tarHeader(name: string, size: number): Uint8Array {
  const header = Buffer.alloc(512);
  const octal = (value: number, length: number) => value.toString(8).padStart(length - 1, '0');
  header.write(name, 0);
  header.write(octal(0o644, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(size, 12), 124);
  header.write(octal(0, 12), 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\u000000', 257);
  header.write(
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      7,
    ),
    148,
  );
  header.writeUInt8(0, 154);
  return header;
}
