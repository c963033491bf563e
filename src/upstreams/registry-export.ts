import type { Digest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import type { Reference, RepositoryName } from '../oci/names.ts';
import { readBlob, statBlob } from '../registry/blobs.ts';
import type { RegistryContext } from '../registry/context.ts';
import { getManifest } from '../registry/manifests.ts';
import { type ExportOptions, type ExportSelection, referrersOf, tagsOf } from './exporter.ts';
import { Limiter } from './limiter.ts';
import type { RegistryPush } from './registry-push.ts';
import { invalid, unavailable } from './upstream-error.ts';

export interface RegistryExportResult {
  images: number;
  manifests: number;
  manifestsPresent: number;
  blobs: { sent: number; mounted: number; present: number };
  bytesSent: number;
}

export interface RegistryExportOptions extends ExportOptions {
  /** What a repository is called there. */
  rename: (name: RepositoryName) => RepositoryName;
  /** Blobs that are sent at once. */
  jobs: number;
}

/**
 * Pushes images to another registry with all that they name, byte for byte: blobs, then manifests, those that are named first, then
 * tags. What is there already is not sent again, so a second run goes on where the first ended. Each tag is asked for at the end.
 *
 * @throws OciError for what is not here, UpstreamError for what the registry refuses, FileRefusedError
 */
export async function exportToRegistry(
  context: RegistryContext,
  selections: readonly ExportSelection[],
  registry: RegistryPush,
  options: RegistryExportOptions,
): Promise<RegistryExportResult> {
  return new RegistryExport(context, registry, options).run(selections);
}

class RegistryExport {
  readonly #context: RegistryContext;
  readonly #registry: RegistryPush;
  readonly #options: RegistryExportOptions;
  readonly #limiter: Limiter;
  readonly #done = new Set<string>();
  /** By digest: a repository there that has it by now. */
  readonly #holders = new Map<Digest, RepositoryName>();
  readonly #result: RegistryExportResult = {
    images: 0,
    manifests: 0,
    manifestsPresent: 0,
    blobs: { sent: 0, mounted: 0, present: 0 },
    bytesSent: 0,
  };

  constructor(context: RegistryContext, registry: RegistryPush, options: RegistryExportOptions) {
    this.#context = context;
    this.#registry = registry;
    this.#options = options;
    this.#limiter = new Limiter(options.jobs);
  }

  async run(selections: readonly ExportSelection[]): Promise<RegistryExportResult> {
    for (const { name, reference } of selections) {
      const to = this.#options.rename(name);
      for await (const wanted of reference === undefined ? tagsOf(this.#context, name) : [reference]) {
        const digest = await this.#tree(name, to, wanted);
        if (wanted.kind === 'tag') await this.#tag(name, to, wanted, digest);
        this.#result.images++;
        const text = wanted.kind === 'tag' ? `:${wanted.tag}` : `@${wanted.digest}`;
        this.#options.onImage?.(`${to}${text}`, digest);
      }
    }
    return this.#result;
  }

  /** A manifest with all that it names and, when they are wanted, what has it as its subject. */
  async #tree(name: RepositoryName, to: RepositoryName, reference: Reference): Promise<Digest> {
    const { digest, mediaType, content } = await getManifest(this.#context, name, reference);
    const key = `${to}@${digest}`;
    if (this.#done.has(key)) return digest;
    this.#done.add(key);
    const { targets, subject, artifactType } = parseManifest(content, mediaType);
    const byDigest = { kind: 'digest', digest } as const;
    // The registry took it with all that it names.
    const present = (await this.#registry.digestAt(to, byDigest)) === digest;
    for (const target of targets) {
      if (target.kind === 'manifest') await this.#tree(name, to, { kind: 'digest', digest: target.digest });
    }
    let listed = false;
    if (present) this.#result.manifestsPresent++;
    else {
      const blobs = targets.filter((target) => target.kind !== 'manifest');
      await this.#all(blobs.map((target) => this.#limiter.run(() => this.#blob(name, to, target.digest))));
      listed = await this.#registry.manifest(to, byDigest, { digest, mediaType, bytes: new Uint8Array(content) });
      this.#result.manifests++;
    }
    if (subject !== undefined && !listed) {
      const descriptor = { mediaType, digest, size: content.byteLength, artifactType };
      await this.#registry.referrerTag(to, subject, descriptor);
    }
    if (this.#options.referrers) {
      for (const referrer of await referrersOf(this.#context, name, digest)) {
        await this.#tree(name, to, { kind: 'digest', digest: referrer });
      }
    }
    return digest;
  }

  async #blob(name: RepositoryName, to: RepositoryName, digest: Digest): Promise<void> {
    const key = `${to}@${digest}`;
    if (this.#done.has(key)) return;
    this.#done.add(key);
    const size = await statBlob(this.#context, name, digest);
    const blob = { digest, size, open: () => this.#bytes(name, digest) };
    const before = this.#result.bytesSent;
    const done = await this.#registry.blob(to, blob, this.#holders.get(digest), (count) =>
      this.#options.onProgress?.(before + count),
    );
    this.#holders.set(digest, to);
    this.#result.blobs[done]++;
    if (done === 'sent') this.#result.bytesSent += size;
  }

  async #bytes(name: RepositoryName, digest: Digest): Promise<ReadableStream<Uint8Array>> {
    const stored = await readBlob(this.#context, name, digest);
    const bytes = stored.kind === 'bytes' ? stored.bytes.stream() : (await fetch(stored.url)).body;
    if (bytes === null) throw unavailable(`the bytes of ${digest} do not come`);
    return bytes;
  }

  async #tag(name: RepositoryName, to: RepositoryName, tag: Reference, digest: Digest): Promise<void> {
    if ((await this.#registry.digestAt(to, tag)) === digest) return;
    const { mediaType, content } = await getManifest(this.#context, name, { kind: 'digest', digest });
    await this.#registry.manifest(to, tag, { digest, mediaType, bytes: new Uint8Array(content) });
    const there = await this.#registry.digestAt(to, tag);
    if (there !== digest)
      throw invalid(`${this.#registry.address.shown}: ${to} names ${there} after it took ${digest}`);
  }

  /** All of them end before the first fault is told, so that none goes on unseen. */
  async #all(works: readonly Promise<void>[]): Promise<void> {
    const failed = (await Promise.allSettled(works)).find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}
