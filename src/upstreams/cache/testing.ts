import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { DatabasePlace } from '../../database/test-databases.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { MEDIA } from '../../oci/media-types.ts';
import { parseReference } from '../../oci/names.ts';
import { CachePrefixes } from '../../registry/cache-prefixes.ts';
import type { RegistryContext } from '../../registry/context.ts';
import {
  ACTOR,
  bytesOf,
  HOUR,
  imageOf,
  named,
  nextTurn,
  openTestRegistry,
  type TestRegistry,
} from '../../registry/testing.ts';
import { verify } from '../../registry/verify.ts';
import type { UpstreamsContext } from '../context.ts';
import { createUpstream } from '../upstreams.ts';
import { setCache } from './caches.ts';
import { PullThrough } from './pull-through.ts';

/** What a test does to a request instead of, or before, the answer; true when it has answered. */
type Trouble = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

/** A registry on the loopback address that counts what it is asked, and fails as a test wants. */
export class CountedUpstream {
  readonly manifests = new Map<string, { bytes: Uint8Array; mediaType: string }>();
  readonly blobs = new Map<string, Uint8Array>();
  /** `GET /v2/…`, each request. */
  readonly asked: string[] = [];
  trouble: Trouble = () => false;
  /** Bytes of a blob go out in pieces of 64 KiB, each after this promise. */
  piece: () => Promise<unknown> = async () => {};
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      void this.#answer(request, response).catch(() => response.destroy());
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  count(method: string, part: string): number {
    return this.asked.filter((line) => line.startsWith(`${method} `) && line.includes(part)).length;
  }

  forget(): void {
    this.asked.length = 0;
    this.trouble = () => false;
    this.piece = async () => {};
  }

  /** An image with one layer; each `seed` is another. */
  image(name: string, tag: string, seed: string, layer: Uint8Array = bytesOf(`layer of ${seed}`)) {
    const config = this.blob(bytesOf(`{"config":${JSON.stringify(seed)}}`));
    const layerDigest = this.blob(layer);
    const document = imageOf({ config, layers: [layerDigest] }) as {
      config: { size: number };
      layers: { size: number }[];
    };
    document.config.size = this.blobs.get(config)?.byteLength ?? 0;
    for (const entry of document.layers) entry.size = layer.byteLength;
    return { digest: this.manifest(name, tag, document), config, layer: layerDigest };
  }

  manifest(name: string, tag: string, document: object): Digest {
    const bytes = bytesOf(JSON.stringify(document));
    const digest = digestOf(bytes);
    const mediaType = 'manifests' in document ? MEDIA.ociIndex : MEDIA.ociManifest;
    for (const reference of [tag, digest]) this.manifests.set(`${name}/manifests/${reference}`, { bytes, mediaType });
    return digest;
  }

  blob(bytes: Uint8Array): Digest {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return digest;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').slice('/v2/'.length);
    this.asked.push(`${request.method} ${request.url}`);
    if (await this.trouble(request, response)) return;
    const manifest = this.manifests.get(path);
    const blob = path.includes('/blobs/') ? this.blobs.get(path.slice(path.lastIndexOf('/') + 1)) : undefined;
    const bytes = manifest?.bytes ?? blob;
    if (bytes === undefined) {
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ errors: [{ code: manifest === undefined ? 'MANIFEST_UNKNOWN' : '' }] }));
      return;
    }
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, {
      'content-type': manifest?.mediaType ?? 'application/octet-stream',
      'content-length': String(bytes.byteLength - from),
      ...(manifest === undefined ? {} : { 'docker-content-digest': digestOf(manifest.bytes) }),
      ...(from > 0 ? { 'content-range': `bytes ${from}-${bytes.byteLength - 1}/${bytes.byteLength}` } : {}),
    });
    if (request.method === 'HEAD') return void response.end();
    for (let at = from; at < bytes.byteLength && !response.destroyed; at += 65_536) {
      if (blob !== undefined) await this.piece();
      response.write(bytes.subarray(at, at + 65_536));
    }
    response.end();
  }
}

/** An answer of a registry that says no. */
export function refusing(status: number, headers: Record<string, string> = {}): Trouble {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify({ errors: [{ code: 'NO', message: 'as the test wants' }] }));
    return true;
  };
}

/** What a worker process has. */
export interface CacheWorker {
  context: RegistryContext;
  upstreams: UpstreamsContext;
  through: PullThrough;
  /** `manifest hit`, one for each pull. */
  results: string[];
}

/** An upstream `far`, and two processes of a registry in which `far/…` is a cache of its `team/…`. */
export async function openTestCache(
  place: DatabasePlace,
): Promise<{ registry: TestRegistry; upstream: CountedUpstream; one: CacheWorker; two: CacheWorker }> {
  const upstream = new CountedUpstream();
  await upstream.listen();
  const registry = await openTestRegistry(place);
  const one = workerOf(registry.context);
  const two = workerOf(registry.anotherProcess('p2'));
  await createUpstream(one.upstreams, { name: 'far', address: upstream.url }, ACTOR);
  const wishes = { upstream: 'far', remotePrefix: 'team', freshMs: HOUR, visibility: 'public' } as const;
  await setCache(one.upstreams, 'far', wishes, ACTOR);
  return { registry, upstream, one, two };
}

function workerOf(opened: RegistryContext): CacheWorker {
  const context = { ...opened, caches: new CachePrefixes(opened.database) };
  const upstreams: UpstreamsContext = {
    database: context.database,
    secrets: { seal: (plain) => plain, open: (sealed) => sealed },
    now: context.now,
    record: async () => {},
  };
  const results: string[] = [];
  const through = new PullThrough(context, upstreams, {
    onRequest: (part, result) => void results.push(`${part} ${result}`),
    onFetched: () => {},
    warn: () => {},
  });
  return { context, upstreams, through, results };
}

async function cacheOf({ through }: CacheWorker, name: string) {
  // A request comes with a turn of the event loop.
  await nextTurn();
  const cache = await through.cacheOf(named(name));
  if (cache === undefined) throw new Error(`${name} is below no cache`);
  return cache;
}

export async function manifest(worker: CacheWorker, name: string, reference: string) {
  return worker.through.manifest(await cacheOf(worker, name), named(name), parseReference(reference));
}

/** The bytes as a client gets them. */
export async function blob(worker: CacheWorker, name: string, digest: Digest): Promise<ReadableStream<Uint8Array>> {
  const cache = await cacheOf(worker, name);
  const found = await worker.through.blob(cache, named(name), digest, new AbortController().signal);
  if (found.kind !== 'stored') return found.open();
  if (found.blob.kind !== 'bytes') throw new Error('no bytes');
  return found.blob.bytes.stream();
}

export async function bytesFrom(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  return Buffer.from(await new Response(stream).arrayBuffer());
}

export async function isHere({ context }: CacheWorker, name: string, digest: Digest): Promise<boolean> {
  await nextTurn();
  return (await context.pull.blob(named(name), digest)) !== undefined;
}

export async function faults({ context }: CacheWorker) {
  return (await verify(context)).faults;
}
