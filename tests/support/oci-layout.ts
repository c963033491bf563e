// Writes images by hand as an OCI layout on disk, so that a test knows every byte and digest before a client sees them.
import {
  copyFileSync,
  createReadStream,
  createWriteStream,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Descriptor, digestOf, mediaTypes } from './registry.ts';
import { run } from './tools.ts';

export interface Layer {
  descriptor: Descriptor;
  /** The digest of the layer before compression, which the image's configuration lists. */
  diffId: string;
}

export interface Platform {
  os: string;
  architecture: string;
}

export interface ImageOptions {
  command: string[];
  platform?: Platform;
  env?: string[];
  config?: Record<string, unknown>;
  /** Of the manifest. */
  annotations?: Record<string, string>;
}

/** OCI Image 1.1 "Image Layout": `oci-layout`, `index.json`, `blobs/sha256/<hex>`. */
export class OciLayout {
  constructor(readonly path: string) {}

  static create(path: string): OciLayout {
    mkdirSync(join(path, 'blobs/sha256'), { recursive: true });
    writeFileSync(join(path, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    return new OciLayout(path);
  }

  blobPath(digest: string): string {
    return join(this.path, 'blobs', digest.replace(':', '/'));
  }

  addBlob(bytes: string | Uint8Array, mediaType: string): Descriptor {
    const digest = digestOf(bytes);
    writeFileSync(this.blobPath(digest), bytes);
    return { mediaType, digest, size: Buffer.byteLength(bytes) };
  }

  addJson(document: object, mediaType: string): Descriptor {
    return this.addBlob(JSON.stringify(document), mediaType);
  }

  /** Takes over a layer of another layout. */
  copyLayer(from: OciLayout, layer: Layer): Layer {
    copyFileSync(from.blobPath(layer.descriptor.digest), this.blobPath(layer.descriptor.digest));
    return layer;
  }

  /** Packs a directory; `level` is gzip's. */
  async addDirectory(directory: string, level = 1): Promise<Layer> {
    const packed = join(this.path, 'packing.tar');
    await run(['tar', '-C', directory, '--sort=name', '--mtime=@0', '--numeric-owner', '-cf', packed, '.']);
    try {
      return await this.addTar(createReadStream(packed, { highWaterMark: 1 << 20 }), level);
    } finally {
      rmSync(packed, { force: true });
    }
  }

  /** Compresses a tar stream into a layer, in constant memory. */
  async addTar(tar: Readable | AsyncIterable<Uint8Array>, level: number): Promise<Layer> {
    const packed = join(this.path, 'packing.gz');
    const plain = new Bun.CryptoHasher('sha256');
    const compressed = new Bun.CryptoHasher('sha256');
    await pipeline(
      tar instanceof Readable ? tar : Readable.from(tar),
      hashing(plain),
      createGzip({ level }),
      hashing(compressed),
      createWriteStream(packed),
    );
    const digest = `sha256:${compressed.digest('hex')}`;
    renameSync(packed, this.blobPath(digest));
    const descriptor = { mediaType: mediaTypes.ociLayer, digest, size: statSync(this.blobPath(digest)).size };
    return { descriptor, diffId: `sha256:${plain.digest('hex')}` };
  }

  /** Adds the configuration and manifest of an image of these layers. `config` is for what else stands in the image's `config`. */
  addImage(layers: Layer[], options: ImageOptions): Descriptor {
    const platform = options.platform ?? hostPlatform;
    const env = ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', ...(options.env ?? [])];
    const config = this.addJson(
      {
        created: '2024-01-01T00:00:00Z',
        ...platform,
        config: { Cmd: options.command, Env: env, ...options.config },
        rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
        history: layers.map((_, at) => ({ created: '2024-01-01T00:00:00Z', created_by: `layer ${at + 1}` })),
      },
      mediaTypes.ociConfig,
    );
    return this.addJson(
      {
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config,
        layers: layers.map((layer) => layer.descriptor),
        ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
      },
      mediaTypes.ociManifest,
    );
  }

  /** Writes `index.json`: what clients find by these names. */
  publish(entries: Record<string, Descriptor>): void {
    const manifests = Object.entries(entries).map(([name, descriptor]) => ({
      ...descriptor,
      annotations: { 'org.opencontainers.image.ref.name': name },
    }));
    writeFileSync(join(this.path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  }
}

export const hostPlatform: Platform = { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch };

function hashing(hasher: Bun.CryptoHasher): Transform {
  return new Transform({
    highWaterMark: 1 << 20,
    transform(chunk: Uint8Array, _, done) {
      hasher.update(chunk);
      done(null, chunk);
    },
  });
}
