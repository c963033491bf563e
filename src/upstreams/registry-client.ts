import { z } from 'zod';
import { type Digest, digestAlgorithm, digestOf, isDigest } from '../oci/digest.ts';
import { MANIFEST_MAX_BYTES } from '../oci/manifest.ts';
import { bareMediaType, MANIFEST_SHAPES, MEDIA } from '../oci/media-types.ts';
import { isTag, type Reference, type RepositoryName, referenceText, type Tag } from '../oci/names.ts';
import { downloadBlob } from './blob-download.ts';
import { nameAt, type RegistryAddress } from './registry-address.ts';
import { confirmed, RegistryTransport, type TransportOptions } from './registry-transport.ts';
import { invalid, isNotFound, UpstreamError, unavailable } from './upstream-error.ts';

export interface UpstreamManifest {
  digest: Digest;
  mediaType: string;
  bytes: Uint8Array<ArrayBuffer>;
}

export interface UpstreamManifestHead {
  /** Undefined when the registry does not say it. */
  digest: Digest | undefined;
  mediaType: string;
}

export interface UpstreamDescriptor {
  mediaType: string;
  digest: Digest;
  size: number;
  artifactType?: string | undefined;
  annotations?: Record<string, string> | undefined;
}

const ACCEPT = Object.keys(MANIFEST_SHAPES).join(', ');
const LIST_MOST_BYTES = 16 * 1024 * 1024;
const PAGE = 1_000;
/** A registry that links its pages in a circle is left. */
const MOST_PAGES = 100_000;

const tagsPage = z.object({ tags: z.array(z.string()).nullish() });
const catalogPage = z.object({ repositories: z.array(z.string()).nullish() });
const referrersPage = z.object({
  manifests: z
    .array(
      z.object({
        mediaType: z.string(),
        digest: z.string().refine(isDigest, 'not a digest'),
        size: z.number(),
        artifactType: z.string().optional(),
        annotations: z.record(z.string(), z.string()).optional().catch(undefined),
      }),
    )
    .nullish(),
});

/**
 * Another registry, by the Distribution protocol: OCI Distribution 1.1, and what Docker Registry v2 has besides. What comes out
 * is what the digests say, or an `UpstreamError`. Names are those of the registry; Docker Hub's `library/` is put in front.
 */
export class RegistryClient {
  readonly address: RegistryAddress;
  readonly #transport: RegistryTransport;
  /** Whether it answered that it knows no list of referrers: it is not asked again. */
  #listless = false;

  constructor(options: TransportOptions) {
    this.address = options.address;
    this.#transport = new RegistryTransport(options);
  }

  /** Asks whether it is a registry. @returns whether it asked for the credentials, and took them @throws UpstreamError */
  async check(signal?: AbortSignal): Promise<boolean> {
    const response = await this.#transport.send({ path: '/v2/', scope: '', signal });
    await response.body?.cancel();
    return this.#transport.loggedIn('');
  }

  /** What a reference names, without its bytes. @throws UpstreamError */
  async headManifest(name: RepositoryName, reference: Reference, signal?: AbortSignal): Promise<UpstreamManifestHead> {
    const request = { ...this.#manifest(name, reference), signal };
    const response = await confirmed(this.#transport.send({ ...request, method: 'HEAD' }), () =>
      this.#transport.send(request),
    );
    await response.body?.cancel();
    const digest = response.headers.get('docker-content-digest') ?? '';
    return {
      digest: isDigest(digest) ? digest : undefined,
      mediaType: bareMediaType(response.headers.get('content-type')),
    };
  }

  /** A manifest, whose bytes are what its digest says. @throws UpstreamError */
  async getManifest(name: RepositoryName, reference: Reference, signal?: AbortSignal): Promise<UpstreamManifest> {
    const request = { ...this.#manifest(name, reference), signal };
    const { headers, bytes } = await this.#transport.read(request, MANIFEST_MAX_BYTES);
    const said = headers.get('docker-content-digest') ?? '';
    const wanted = reference.kind === 'digest' ? reference.digest : isDigest(said) ? said : undefined;
    const digest = digestOf(bytes, wanted === undefined ? 'sha256' : digestAlgorithm(wanted));
    if (wanted !== undefined && digest !== wanted) {
      throw invalid(`${name}:${referenceText(reference)}: it sends a manifest that is ${digest}, not ${wanted}`);
    }
    return { digest, bytes, mediaType: bareMediaType(headers.get('content-type')) };
  }

  /** The size of a blob; undefined when the registry does not say it. @throws UpstreamError */
  async headBlob(name: RepositoryName, digest: Digest, signal?: AbortSignal): Promise<number | undefined> {
    const request = { path: `${this.#base(name)}/blobs/${digest}`, scope: this.#scope(name), signal };
    const response = await confirmed(this.#transport.send({ ...request, method: 'HEAD' }), () =>
      this.#transport.send(request),
    );
    await response.body?.cancel();
    const length = response.headers.get('content-length');
    return length === null ? undefined : Number(length);
  }

  /**
   * The bytes of a blob, verified when the stream ends; read lazily, so failures come while reading. With `from` those from there on,
   * which the caller verifies.
   */
  blob(
    name: RepositoryName,
    digest: Digest,
    size?: number,
    signal?: AbortSignal,
    from?: number,
  ): ReadableStream<Uint8Array> {
    const pieces = downloadBlob(this.#transport, {
      path: `${this.#base(name)}/blobs/${digest}`,
      scope: this.#scope(name),
      digest,
      size,
      from,
      signal,
    });
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { done, value } = await pieces.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: async () => void (await pieces.return(undefined)),
      },
      { highWaterMark: 0 },
    );
  }

  /** Every tag, a page at a time. Text that can't be a tag here is left out. @throws UpstreamError */
  async *tags(name: RepositoryName, signal?: AbortSignal): AsyncGenerator<Tag> {
    const path = `${this.#base(name)}/tags/list?n=${PAGE}`;
    for await (const page of this.#pages(path, this.#scope(name), tagsPage, signal)) {
      for (const tag of page.tags ?? []) if (isTag(tag)) yield tag;
    }
  }

  /** Every repository that it lists. Many hosted registries list none, and refuse. @throws UpstreamError */
  async *catalog(signal?: AbortSignal): AsyncGenerator<string> {
    const path = `/v2/_catalog?n=${PAGE}`;
    for await (const page of this.#pages(path, 'registry:catalog:*', catalogPage, signal))
      yield* page.repositories ?? [];
  }

  /**
   * Manifests whose subject is `digest`: by the referrers list, or by the tag that stands for it where a registry has none (OCI
   * Distribution 1.1 "Referrers Tag Schema"). Empty when there are none. @throws UpstreamError
   */
  async referrers(name: RepositoryName, digest: Digest, signal?: AbortSignal): Promise<UpstreamDescriptor[]> {
    const found: UpstreamDescriptor[] = [];
    try {
      const path = `${this.#base(name)}/referrers/${digest}`;
      const pages = this.#pages(path, this.#scope(name), referrersPage, signal, MEDIA.ociIndex);
      if (!this.#listless) for await (const page of pages) found.push(...(page.manifests ?? []));
      if (!this.#listless) return found;
    } catch (error) {
      // A registry without the list answers as to any address that it does not know, not always as a registry does.
      if (!knowsNoReferrers(error)) throw error;
      this.#listless = !isNotFound(error);
    }
    const tag = digest.replace(':', '-').slice(0, 128) as Tag;
    try {
      const index = await this.getManifest(name, { kind: 'tag', tag }, signal);
      const page = referrersPage.safeParse(JSON.parse(Buffer.from(index.bytes).toString('utf8')));
      return page.data?.manifests ?? [];
    } catch (error) {
      if (isNotFound(error) || error instanceof SyntaxError) return [];
      throw error;
    }
  }

  async *#pages<T>(
    first: string,
    scope: string,
    shape: z.ZodType<T>,
    signal: AbortSignal | undefined,
    accept = 'application/json',
  ): AsyncGenerator<T> {
    const base = new URL(first, this.address.origin);
    let path: string | undefined = first;
    for (let pages = 0; path !== undefined; pages++) {
      if (pages === MOST_PAGES) throw invalid(`${this.address.shown}: ${base.pathname} has no last page`);
      const request = { path, scope, headers: { accept }, signal };
      const { headers, bytes } = await this.#transport.read(request, LIST_MOST_BYTES);
      const page = shape.safeParse(parsed(bytes));
      if (!page.success) throw unavailable(`${this.address.shown}: ${base.pathname} is no list; is the address right?`);
      yield page.data;
      const next: string | undefined = nextPage(headers.get('link'), new URL(path, base));
      // A link to another host would take the log-in there.
      path = next === undefined || next === path ? undefined : next;
    }
  }

  #manifest(name: RepositoryName, reference: Reference) {
    const path = `${this.#base(name)}/manifests/${referenceText(reference)}`;
    return { path, scope: this.#scope(name), headers: { accept: ACCEPT } };
  }

  #base(name: RepositoryName): string {
    return `/v2/${nameAt(this.address, name)}`;
  }

  #scope(name: RepositoryName): string {
    return `repository:${nameAt(this.address, name)}:pull`;
  }
}

function knowsNoReferrers(error: unknown): boolean {
  if (!(error instanceof UpstreamError)) return false;
  return error.status === 404 || error.failure.kind === 'invalid';
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}

/** RFC 8288: the path of `<…>; rel="next"`, on the same host. */
function nextPage(header: string | null, from: URL): string | undefined {
  const target = /<([^>]*)>\s*;[^,]*\brel="?next"?/i.exec(header ?? '')?.[1];
  if (target === undefined || !URL.canParse(target, from)) return undefined;
  const next = new URL(target, from);
  return next.host === from.host ? next.pathname + next.search : undefined;
}
