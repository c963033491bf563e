import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: { os: string; architecture: string };
  artifactType?: string;
  annotations?: Record<string, string>;
}

export interface Layer {
  descriptor: Descriptor;
  /** The digest of the layer before compression. */
  diffId: string;
  /** For the image's history. */
  from: string;
}

export const MEDIA_TYPES = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  empty: 'application/vnd.oci.empty.v1+json',
  bill: 'application/vnd.cyclonedx+json',
} as const;

/** A folder as OCI Image 1.1 "Image Layout" has it. */
export class ImageLayout {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    mkdirSync(join(path, 'blobs/sha256'), { recursive: true });
    writeFileSync(join(path, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  }

  blobPath(digest: string): string {
    return join(this.path, 'blobs', digest.replace(':', '/'));
  }

  add(bytes: string | Uint8Array, mediaType: string): Descriptor {
    const digest = digestOf(bytes);
    writeFileSync(this.blobPath(digest), bytes);
    return { mediaType, digest, size: Buffer.byteLength(bytes) };
  }

  addJson(document: object, mediaType: string): Descriptor {
    return this.add(JSON.stringify(document), mediaType);
  }

  addLayer(tar: Uint8Array<ArrayBuffer>, from: string): Layer {
    const descriptor = this.add(Bun.gzipSync(tar, { level: 6 }), MEDIA_TYPES.layer);
    return { descriptor, diffId: digestOf(tar), from };
  }

  /** Attaches a document to each of the subjects: OCI Image 1.1, an artifact of one blob. */
  attach(subjects: Descriptor[], bytes: Uint8Array, mediaType: string, created: string): Descriptor[] {
    const blob = this.add(bytes, mediaType);
    const config = this.add('{}', MEDIA_TYPES.empty);
    return subjects.map(({ mediaType: of, digest, size }) => ({
      ...this.addJson(
        {
          schemaVersion: 2,
          mediaType: MEDIA_TYPES.manifest,
          artifactType: mediaType,
          config,
          layers: [blob],
          subject: { mediaType: of, digest, size },
          annotations: { 'org.opencontainers.image.created': created },
        },
        MEDIA_TYPES.manifest,
      ),
      artifactType: mediaType,
    }));
  }

  /** Writes `index.json`: what is found without its digest. */
  publish(manifests: Descriptor[]): void {
    const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests };
    writeFileSync(join(this.path, 'index.json'), JSON.stringify(index));
  }

  copy(from: ImageLayout, descriptor: Descriptor): void {
    writeFileSync(this.blobPath(descriptor.digest), readFileSync(from.blobPath(descriptor.digest)));
  }
}

function digestOf(bytes: string | Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
