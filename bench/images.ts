// Makes OCI layouts for skopeo to push: every layer is random, so that no two images share one.
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Descriptor, digestOf, imageManifest, manifestType } from './distribution.ts';

const KIB = 1024;

/** Twenty layers as images have them: a few large, many small; 22 MiB in all. */
export const twentyLayers: readonly number[] = [
  ...Array<number>(2).fill(8 * KIB * KIB),
  ...Array<number>(5).fill(KIB * KIB),
  ...Array<number>(8).fill(64 * KIB),
  ...Array<number>(5).fill(4 * KIB),
];

/** Writes an OCI layout at `directory` whose one image, `latest`, has layers of these sizes. Returns its bytes. */
export async function writeImage(directory: string, layers: readonly number[]): Promise<number> {
  mkdirSync(join(directory, 'blobs/sha256'), { recursive: true });
  let total = 0;
  const put = (content: Uint8Array | string, mediaType: string): Descriptor => {
    const digest = digestOf(content);
    writeFileSync(join(directory, 'blobs/sha256', digest.slice('sha256:'.length)), content);
    const size = Buffer.byteLength(content);
    total += size;
    return { mediaType, digest, size };
  };
  const descriptors: Descriptor[] = [];
  const diffIds: string[] = [];
  for (const [index, size] of layers.entries()) {
    const tar = await new Bun.Archive({ [`layer-${index}`]: randomBytes(size) }).bytes();
    diffIds.push(digestOf(tar));
    descriptors.push(put(Bun.gzipSync(tar, { level: 1 }), 'application/vnd.oci.image.layer.v1.tar+gzip'));
  }
  const config = {
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: diffIds.map((id) => ({ created_by: id })),
  };
  const configDescriptor = put(JSON.stringify(config), 'application/vnd.oci.image.config.v1+json');
  const manifest = put(imageManifest(configDescriptor, descriptors), manifestType);
  const annotations = { 'org.opencontainers.image.ref.name': 'latest' };
  writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(
    join(directory, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  return total;
}
