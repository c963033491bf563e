import { type Digest, digestAlgorithm, digestOf } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import { type ParsedManifest, parseManifest } from '../oci/manifest.ts';
import { type RepositoryName, referenceText, type Tag } from '../oci/names.ts';
import type { Actor, RegistryContext } from '../registry/context.ts';
import { getManifest, putManifest, statManifest } from '../registry/manifests.ts';
import { BlobImporter } from './blob-importer.ts';
import { concernsOne, emptyResult, type ImportResult } from './import-report.ts';
import type { ImportSource, SourceImage, SourceManifest, SourceRepository } from './import-source.ts';
import { eachOf } from './limiter.ts';
import { invalid, isNotFound, UpstreamError } from './upstream-error.ts';

export interface ImportOptions {
  /** Images, and blobs, that are worked on at once. */
  jobs: number;
  dryRun: boolean;
  /** Whether files are hashed before they are taken over; without it their size is compared alone. */
  verify: boolean;
  /** Whether what has an image as its subject comes along. */
  referrers: boolean;
  signal?: AbortSignal;
  /** Who pushes, for the histories; `import` without it. */
  actor?: Actor;
  /** Whether an error of one image is so of all others, too: then no other is tried. */
  stops?: (error: unknown) => boolean;
  /** Told of each tag and digest that is done. */
  onImage?: (subject: string, digest: Digest, outcome: 'imported' | 'present') => void;
  /** Bytes done, of those that are known of so far. */
  onProgress?: (done: number, total: number) => void;
}

/** A source that did not answer for so many images in a row is left alone. */
const MOST_SILENCES = 5;
/** Indexes in indexes, and referrers of referrers. */
const DEEPEST = 16;

/**
 * Brings images from a source into the registry, by the same functions as a push: blobs are claimed, durable and linked, then manifests
 * with everything they name, then tags. What is there already is left as it is, so a second run goes on where the first ended. What
 * fails is written down, and the rest goes on.
 */
export async function importImages(
  context: RegistryContext,
  source: ImportSource,
  options: ImportOptions,
): Promise<ImportResult> {
  return new Importer(context, source, options).run();
}

class Importer {
  readonly #context: RegistryContext;
  readonly #source: ImportSource;
  readonly #options: ImportOptions;
  readonly #actor: Actor;
  readonly #result: ImportResult;
  readonly #blobs: BlobImporter;
  /** By repository and digest: what is done, or being done, in this run. */
  readonly #trees = new Map<string, Promise<Digest[]>>();
  /** By repository and digest: what belongs to it is done, or being done. */
  readonly #visited = new Set<string>();
  #silences = 0;

  constructor(context: RegistryContext, source: ImportSource, options: ImportOptions) {
    this.#context = context;
    this.#source = source;
    this.#options = options;
    this.#actor = options.actor ?? { name: 'import', source: source.where };
    this.#result = emptyResult(source.where, options.dryRun);
    this.#blobs = new BlobImporter(context, this.#actor, options, this.#result);
  }

  async run(): Promise<ImportResult> {
    const started = performance.now();
    try {
      await eachOf(this.#images(), this.#options.jobs, ([repository, image]) => this.#attempt(repository, image));
    } catch (error) {
      if (!(error instanceof Stopped || error instanceof UpstreamError)) throw error;
      this.#result.stopped = error.message;
    }
    this.#result.seconds = Math.round((performance.now() - started) / 100) / 10;
    return this.#result;
  }

  async *#images(): AsyncGenerator<[SourceRepository, SourceImage]> {
    for await (const repository of this.#source.repositories()) {
      if (repository.kind === 'fault') {
        this.#result.faults.push({ subject: repository.subject, why: repository.why });
        continue;
      }
      this.#result.repositories++;
      try {
        for await (const image of repository.images()) {
          this.#options.signal?.throwIfAborted();
          yield [repository, image];
        }
      } catch (error) {
        this.#fault(repository.to, error);
      }
    }
  }

  async #attempt(repository: SourceRepository, image: SourceImage): Promise<void> {
    const subject = subjectOf(repository.to, image);
    try {
      this.#options.signal?.throwIfAborted();
      await this.#image(repository, image);
      this.#silences = 0;
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      this.#fault(subject, error);
    }
  }

  /** @throws Stopped when there is no use in going on; the error itself when it concerns more than one image */
  #fault(subject: string, error: unknown): void {
    if (!concernsOne(error)) throw error;
    const why = error instanceof Error ? error.message : String(error);
    this.#result.faults.push({ subject, why });
    if (this.#options.stops?.(error)) throw new Stopped(why);
    if (!(error instanceof UpstreamError)) return;
    const { kind } = error.failure;
    const retryAt = 'retryAt' in error.failure ? error.failure.retryAt : undefined;
    if (retryAt !== undefined) this.#result.retryAt = Math.max(retryAt, this.#result.retryAt ?? 0);
    if (kind === 'rate-limited') throw new Stopped(`${why}; run it again then, it goes on where it ended`);
    if (kind === 'unavailable' && error.status !== 404) this.#silences++;
    if (this.#silences >= MOST_SILENCES)
      throw new Stopped(`the source did not answer ${MOST_SILENCES} times in a row: ${why}`);
  }

  async #image(repository: SourceRepository, image: SourceImage): Promise<void> {
    const { reference } = image;
    const { to } = repository;
    const current = reference.kind === 'tag' ? await this.#tagged(to, reference.tag) : undefined;
    if (reference.kind === 'tag' && current === undefined)
      await this.#former(repository, reference.tag, image.former ?? []);
    const digest = await repository.digestOf(reference);
    await this.#tree(repository, digest, 0);
    const present = reference.kind === 'digest' || current === digest;
    if (reference.kind === 'tag' && !present) await this.#tag(to, reference.tag, digest);
    if (reference.kind === 'tag') this.#result[present ? 'tagsPresent' : 'tags']++;
    await this.#belongings(repository, digest);
    this.#options.onImage?.(subjectOf(to, image), digest, present ? 'present' : 'imported');
  }

  /** What a tag named before, so that it can be rolled back. What the source has lost of it is left out. */
  async #former(repository: SourceRepository, tag: Tag, former: readonly Digest[]): Promise<void> {
    for (const digest of former) {
      try {
        await this.#tree(repository, digest, 0);
        await this.#tag(repository.to, tag, digest);
      } catch (error) {
        if (!isNotFound(error)) throw error;
        this.#result.notes.push({
          subject: `${repository.to}:${tag}`,
          why: `its former ${digest} is left out: it is not whole`,
        });
      }
    }
  }

  /** A manifest with all that it names; returns the manifests among that. Once a run. */
  #tree(repository: SourceRepository, digest: Digest, depth: number): Promise<Digest[]> {
    const key = `${repository.to}@${digest}`;
    const running = this.#trees.get(key);
    if (running !== undefined) return running;
    const started = this.#manifest(repository, digest, depth);
    this.#trees.set(key, started);
    return started;
  }

  async #manifest(repository: SourceRepository, digest: Digest, depth: number): Promise<Digest[]> {
    const { targets } = (await this.#stored(repository.to, digest)) ?? (await this.#fetch(repository, digest, depth));
    return targets.filter((target) => target.kind === 'manifest').map((target) => target.digest);
  }

  /**
   * What belongs to a manifest and to all that it names, by a subject or by a tag. Apart from `#tree`, where one waits for another:
   * manifests can't name each other in a circle, but a referrer may name what its subject is part of.
   */
  async #belongings(repository: SourceRepository, root: Digest): Promise<void> {
    const queue = [root];
    for (let digest = queue.pop(); digest !== undefined; digest = queue.pop()) {
      const key = `${repository.to}@${digest}`;
      if (this.#visited.has(key)) continue;
      this.#visited.add(key);
      queue.push(...(await this.#tree(repository, digest, 0)));
      if (this.#options.referrers) queue.push(...(await repository.referrers(digest)));
      for (const tag of repository.companions(digest)) {
        const { to } = repository;
        const companion = await repository.digestOf({ kind: 'tag', tag });
        queue.push(...(await this.#tree(repository, companion, 0)));
        if ((await this.#tagged(to, tag)) === companion) this.#result.tagsPresent++;
        else {
          await this.#tag(to, tag, companion);
          this.#result.tags++;
        }
      }
    }
  }

  async #stored(to: RepositoryName, digest: Digest): Promise<ParsedManifest | undefined> {
    const stat = this.#options.dryRun ? getManifest : statManifest;
    try {
      const found = await stat(this.#context, to, { kind: 'digest', digest });
      this.#result.manifestsPresent++;
      return parseManifest(found.content, found.mediaType);
    } catch (error) {
      if (isUnknown(error)) return undefined;
      throw error;
    }
  }

  async #fetch(repository: SourceRepository, digest: Digest, depth: number): Promise<ParsedManifest> {
    if (depth > DEEPEST) throw invalid(`${digest}: manifests in manifests, more than ${DEEPEST} deep`);
    const found = await repository.manifest(digest);
    const actual = digestOf(found.bytes, digestAlgorithm(digest));
    if (actual !== digest) throw invalid(`the manifest ${digest} is damaged in the source: its bytes are ${actual}`);
    const manifest = parseManifest(found.bytes, found.mediaType);
    const sizes = sizesIn(found.bytes);
    const below = manifest.targets.map((target) =>
      target.kind === 'manifest'
        ? this.#tree(repository, target.digest, depth + 1)
        : this.#blobs.bring(repository, target.digest, sizes.get(target.digest) ?? 0),
    );
    // All of them end before the first fault is told, so that none goes on unseen.
    const failed = (await Promise.allSettled<unknown>(below)).find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    await this.#put(repository.to, digest, found);
    this.#result.manifests++;
    return manifest;
  }

  async #put(to: RepositoryName, digest: Digest, { bytes, mediaType }: SourceManifest): Promise<void> {
    if (this.#options.dryRun) return;
    await putManifest(this.#context, {
      name: to,
      reference: { kind: 'digest', digest },
      bytes,
      contentType: mediaType,
      precondition: {},
      actor: this.#actor,
    });
  }

  async #tag(to: RepositoryName, tag: Tag, digest: Digest): Promise<void> {
    if (this.#options.dryRun) return;
    const { content, mediaType } = await getManifest(this.#context, to, { kind: 'digest', digest });
    await putManifest(this.#context, {
      name: to,
      reference: { kind: 'tag', tag },
      bytes: content,
      contentType: mediaType,
      precondition: {},
      actor: this.#actor,
    });
  }

  async #tagged(to: RepositoryName, tag: Tag): Promise<Digest | undefined> {
    try {
      return (await getManifest(this.#context, to, { kind: 'tag', tag })).digest;
    } catch (error) {
      if (isUnknown(error)) return undefined;
      throw error;
    }
  }
}

/** There is no use in going on. */
class Stopped extends Error {}

function subjectOf(to: RepositoryName, { reference }: SourceImage): string {
  return `${to}${reference.kind === 'tag' ? ':' : '@'}${referenceText(reference)}`;
}

function isUnknown(error: unknown): boolean {
  return error instanceof OciError && (error.code === 'MANIFEST_UNKNOWN' || error.code === 'NAME_UNKNOWN');
}

/** The sizes that a manifest says of what it names; `parseManifest` has checked that they are sizes. */
function sizesIn(bytes: Uint8Array): Map<string, number> {
  const document = JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<string, unknown>;
  const named = [document.config, document.layers, document.manifests, document.blobs].flat();
  return new Map(
    (named as ({ digest: string; size: number } | undefined)[]).flatMap((entry) =>
      entry ? [[entry.digest, entry.size]] : [],
    ),
  );
}
