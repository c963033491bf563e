import type { Digest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import type { Reference, Tag } from '../oci/names.ts';
import type { RegistryContext } from '../registry/context.ts';
import { getManifest } from '../registry/manifests.ts';
import { findRepository, isImmutable } from '../registry/repositories.ts';
import type { ImportFault } from './import-report.ts';
import type {
  ImportSource,
  SourceBlob,
  SourceFault,
  SourceImage,
  SourceManifest,
  SourceRepository,
} from './import-source.ts';
import type { Throttle } from './throttle.ts';

/**
 * What a mirror copies: what the source has, no faster than the limit, and without the tags that may not be moved here. Those are left
 * before anything of them is copied, since nothing would keep it.
 */
export class MirrorSource implements ImportSource {
  readonly where: string;
  /** Immutable tags that name something else there. */
  readonly kept: ImportFault[] = [];
  readonly #context: RegistryContext;
  readonly #source: ImportSource;
  readonly #throttle: Throttle | undefined;
  readonly #signal: AbortSignal;

  constructor(context: RegistryContext, source: ImportSource, throttle: Throttle | undefined, signal: AbortSignal) {
    this.where = source.where;
    this.#context = context;
    this.#source = source;
    this.#throttle = throttle;
    this.#signal = signal;
  }

  async *repositories(): AsyncGenerator<SourceRepository | SourceFault> {
    for await (const found of this.#source.repositories()) {
      yield found.kind === 'fault' ? found : this.#mirrored(found);
    }
  }

  #mirrored(repository: SourceRepository): SourceRepository {
    return {
      kind: 'repository',
      name: repository.name,
      to: repository.to,
      images: () => this.#movable(repository),
      digestOf: (reference: Reference): Promise<Digest> => repository.digestOf(reference),
      manifest: (digest: Digest): Promise<SourceManifest> => repository.manifest(digest),
      blob: async (digest: Digest, size: number): Promise<SourceBlob> => {
        const blob = await repository.blob(digest, size);
        if (blob.kind === 'file' || this.#throttle === undefined) return blob;
        return { kind: 'bytes', stream: this.#throttle.slowed(blob.stream, this.#signal) };
      },
      referrers: (digest: Digest): Promise<Digest[]> => repository.referrers(digest),
      companions: (digest: Digest): Tag[] => repository.companions(digest),
    };
  }

  async *#movable(repository: SourceRepository): AsyncGenerator<SourceImage> {
    const here = await findRepository(this.#context, repository.to);
    for await (const image of repository.images()) {
      const { reference } = image;
      if (reference.kind === 'tag' && here !== undefined && isImmutable(here, reference.tag)) {
        const current = await this.#current(repository, reference);
        // What cannot be asked for is tried, and then told as any other fault.
        const there = current === undefined ? undefined : await repository.digestOf(reference).catch(() => current);
        if (current !== there) {
          const why = `it is immutable here and names ${current}; there it names ${there} now`;
          this.kept.push({ subject: `${repository.to}:${reference.tag}`, why });
          continue;
        }
      }
      yield image;
    }
  }

  async #current({ to }: SourceRepository, reference: Reference): Promise<Digest | undefined> {
    try {
      return (await getManifest(this.#context, to, reference)).digest;
    } catch (error) {
      if (error instanceof OciError && (error.code === 'MANIFEST_UNKNOWN' || error.code === 'NAME_UNKNOWN')) return;
      throw error;
    }
  }
}
