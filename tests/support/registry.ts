// A registry as a test sees it: requests over a socket, and the few pushes every test starts with.
import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { type Answer, Connection, NoAnswer, type RequestParts, requestBytes } from './wire.ts';

export const mediaTypes = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociEmpty: 'application/vnd.oci.empty.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerForeign: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
} as const;

export type Algorithm = 'sha256' | 'sha512';

export function digestOf(bytes: string | Uint8Array, algorithm: Algorithm = 'sha256'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  urls?: string[];
  artifactType?: string;
  annotations?: Record<string, string>;
  platform?: { architecture: string; os: string };
}

export function describeBytes(bytes: string | Uint8Array, mediaType: string): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: Buffer.byteLength(bytes) };
}

const errorBody = z.strictObject({
  errors: z
    .array(z.strictObject({ code: z.string(), message: z.string().optional(), detail: z.unknown().optional() }))
    .min(1),
});

export type ProtocolError = z.infer<typeof errorBody>['errors'][number];

/** The errors of an answer, which must be shaped as the specification's "Error Codes" says. */
export function errorsOf(answer: Answer): ProtocolError[] {
  return errorBody.parse(answer.json()).errors;
}

export const firstCode = (answer: Answer): string => errorsOf(answer)[0]?.code ?? '';

let repositories = 0;

/** A repository name no other test uses. */
export function freshName(prefix = 'test'): string {
  return `${prefix}/r${process.pid.toString(36)}-${(repositories++).toString(36)}`;
}

export class Registry {
  private readonly idle: Connection[] = [];

  constructor(
    readonly port: number,
    /** Called with every answer: the place for what must hold of all of them. */
    private readonly observe: (method: string, path: string, answer: Answer) => void = () => undefined,
  ) {}

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  async request(method: string, path: string, parts: RequestParts = {}): Promise<Answer> {
    const bytes = requestBytes(this.host, method, path, parts);
    const answer = await this.send(bytes, method);
    this.observe(method, path, answer);
    return answer;
  }

  get = (path: string, headers: Record<string, string> = {}) => this.request('GET', path, { headers });
  head = (path: string, headers: Record<string, string> = {}) => this.request('HEAD', path, { headers });
  delete = (path: string, headers: Record<string, string> = {}) => this.request('DELETE', path, { headers });

  close(): void {
    for (const connection of this.idle.splice(0)) connection.close();
  }

  /** On a kept-alive connection; tries once more when the server had closed it in the meantime. */
  private async send(bytes: Buffer, method: string): Promise<Answer> {
    const reused = this.idle.pop();
    if (reused?.open) {
      try {
        return await this.sendOn(reused, bytes, method);
      } catch (error) {
        if (!(error instanceof NoAnswer && error.why === 'closed' && error.received.length === 0)) throw error;
      }
    }
    return await this.sendOn(await Connection.open(this.port), bytes, method);
  }

  private async sendOn(connection: Connection, bytes: Buffer, method: string): Promise<Answer> {
    try {
      connection.send(bytes);
      const answer = await connection.answer(method, 30_000);
      if (answer.headers.get('connection')?.toLowerCase() !== 'close') this.idle.push(connection);
      else connection.close();
      return answer;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** Opens an upload and returns the path to continue it at. */
  async startUpload(repository: string): Promise<string> {
    const answer = await this.request('POST', `/v2/${repository}/blobs/uploads/`);
    if (answer.status !== 202) throw new Error(`POST upload: ${answer.status} ${answer.text()}`);
    // Berth's is a path alone (tests/conformance holds it); other registries give a whole URL with a query.
    return (answer.headers.get('location') ?? '').replace(/^https?:\/\/[^/]+/, '');
  }

  async pushBlob(repository: string, bytes: string | Uint8Array, algorithm: Algorithm = 'sha256'): Promise<string> {
    const digest = digestOf(bytes, algorithm);
    const location = await this.startUpload(repository);
    const answer = await this.request('PUT', `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`, {
      headers: { 'Content-Type': 'application/octet-stream' },
      body: bytes,
    });
    if (answer.status !== 201) throw new Error(`PUT upload: ${answer.status} ${answer.text()}`);
    return digest;
  }

  putManifest(
    repository: string,
    reference: string,
    manifest: object | string,
    options: { mediaType?: string; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const body = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
    const named = typeof manifest === 'object' && 'mediaType' in manifest ? String(manifest.mediaType) : undefined;
    const mediaType = options.mediaType ?? named ?? mediaTypes.ociManifest;
    return this.request('PUT', `/v2/${repository}/manifests/${reference}`, {
      headers: { 'Content-Type': mediaType, ...options.headers },
      body,
    });
  }

  /** Pushes a small image, different each time, and returns what was sent. */
  async pushImage(repository: string, reference: string, extra: Record<string, unknown> = {}): Promise<PushedImage> {
    const image = await this.makeImage(repository, extra);
    const answer = await this.putManifest(repository, reference, image.body);
    if (answer.status !== 201) throw new Error(`PUT manifest: ${answer.status} ${answer.text()}`);
    return image;
  }

  /** Pushes the blobs of a small image and returns its manifest, not pushed yet. */
  async makeImage(repository: string, extra: Record<string, unknown> = {}): Promise<PushedImage> {
    const config = JSON.stringify({ architecture: 'amd64', os: 'linux', id: randomBytes(8).toString('hex') });
    const layer = randomBytes(300);
    await Promise.all([this.pushBlob(repository, config), this.pushBlob(repository, layer)]);
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: describeBytes(config, mediaTypes.ociConfig),
      layers: [describeBytes(layer, mediaTypes.ociLayer)],
      ...extra,
    };
    const body = JSON.stringify(manifest);
    return {
      body,
      digest: digestOf(body),
      size: Buffer.byteLength(body),
      config: manifest.config.digest,
      layer: manifest.layers[0]?.digest ?? '',
    };
  }
}

export interface PushedImage {
  body: string;
  digest: string;
  size: number;
  config: string;
  layer: string;
}
