// Pushes images that are made of what a test says: configurations, annotations and layers as anybody could push them.
import { randomBytes } from 'node:crypto';
import { type Descriptor, describeBytes, digestOf, mediaTypes } from '../support/registry.ts';

export interface ImageParts {
  /** Beside `os` and `architecture`. */
  config?: Record<string, unknown>;
  architecture?: string;
  /** Contents of the layers; one of 300 random bytes without it. */
  layers?: (string | Uint8Array)[];
  /** Of the manifest: `annotations`, `subject`, `artifactType`, … */
  manifest?: Record<string, unknown>;
}

export interface Pushed extends Descriptor {
  layers: Descriptor[];
  config: Descriptor;
}

export class Pusher {
  constructor(
    readonly url: string,
    readonly authorization: string,
  ) {}

  async image(repository: string, reference: string | undefined, parts: ImageParts = {}): Promise<Pushed> {
    const config = JSON.stringify({ os: 'linux', architecture: parts.architecture ?? 'amd64', ...parts.config });
    const contents = parts.layers ?? [randomBytes(300)];
    const layers: Descriptor[] = [];
    for (const content of contents) layers.push(await this.blob(repository, content, mediaTypes.ociLayer));
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: await this.blob(repository, config, mediaTypes.ociConfig),
      layers,
      ...parts.manifest,
    };
    return { ...(await this.manifest(repository, reference, manifest)), layers, config: manifest.config };
  }

  /** An index of what was pushed. @param entries with `platform`, `annotations` */
  index(
    repository: string,
    reference: string | undefined,
    entries: readonly (Descriptor & Record<string, unknown>)[],
    extra: Record<string, unknown> = {},
  ): Promise<Descriptor> {
    const manifests = entries.map(({ mediaType, digest, size, ...rest }) => {
      const { layers: _, config: __, ...more } = rest;
      return { mediaType, digest, size, ...more };
    });
    return this.manifest(repository, reference, {
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests,
      ...extra,
    });
  }

  async manifest(repository: string, reference: string | undefined, document: object): Promise<Descriptor> {
    const body = JSON.stringify(document);
    const mediaType = (document as { mediaType?: string }).mediaType ?? mediaTypes.ociManifest;
    const answer = await this.#send(
      'PUT',
      `/v2/${repository}/manifests/${reference ?? digestOf(body)}`,
      body,
      mediaType,
    );
    if (answer.status !== 201) throw new Error(`PUT manifest: ${answer.status} ${await answer.text()}`);
    return describeBytes(body, mediaType);
  }

  async blob(repository: string, content: string | Uint8Array, mediaType: string): Promise<Descriptor> {
    const path = `/v2/${repository}/blobs/uploads/?digest=${digestOf(content)}`;
    const answer = await this.#send('POST', path, content, 'application/octet-stream');
    if (answer.status !== 201) throw new Error(`POST blob: ${answer.status} ${await answer.text()}`);
    return describeBytes(content, mediaType);
  }

  #send(method: string, path: string, body: string | Uint8Array, type: string): Promise<Response> {
    return fetch(this.url + path, {
      method,
      headers: { Authorization: this.authorization, 'Content-Type': type },
      body: typeof body === 'string' ? body : new Uint8Array(body),
    });
  }
}
