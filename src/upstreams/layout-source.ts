import { z } from 'zod';
import { type Digest, isDigest } from '../oci/digest.ts';
import { MEDIA } from '../oci/media-types.ts';
import { isRepositoryName, isTag, type Reference, type RepositoryName, type Tag } from '../oci/names.ts';
import type {
  ImportSource,
  SourceBlob,
  SourceFault,
  SourceImage,
  SourceManifest,
  SourceRepository,
} from './import-source.ts';
import { type LayoutFiles, openLayoutFiles } from './layout-files.ts';
import { invalid, UpstreamError } from './upstream-error.ts';

export interface LayoutSelection {
  /** The repository, instead of what the layout says. */
  to: RepositoryName | undefined;
  /** The tag of its one image. */
  tag: Tag | undefined;
}

const REF_NAME = 'org.opencontainers.image.ref.name';
const IMAGE_NAME = 'io.containerd.image.name';

const indexShape = z.object({
  manifests: z.array(
    z.object({
      mediaType: z.string().default(MEDIA.ociManifest),
      digest: z.string().refine(isDigest, 'not a digest'),
      annotations: z.record(z.string(), z.string()).nullish(),
    }),
  ),
});
const typed = z.object({
  mediaType: z.string().optional(),
  manifests: z.unknown().optional(),
  subject: z.object({ digest: z.string() }).nullish(),
});

type Entry = z.infer<typeof indexShape>['manifests'][number];

/**
 * OCI Image 1.1 "Image Layout", in a folder or a tar archive. Names come from the annotations of `index.json`: the one that containerd
 * and docker write is a whole name, the one of the specification is a tag, or a whole name.
 *
 * @throws UpstreamError invalid, FileRefusedError
 */
export async function openLayout(path: string, selection: LayoutSelection): Promise<ImportSource> {
  const files = await openLayoutFiles(path);
  const index = await files.small('index.json');
  if (index === undefined) {
    const old = (await files.small('manifest.json')) !== undefined;
    throw invalid(
      old
        ? `${path} is of a docker save before version 25, with no index.json; load it with docker and push it, or convert it with skopeo copy docker-archive:… oci:…`
        : `${path} is no OCI layout: it has no index.json`,
    );
  }
  const read = indexShape.safeParse(parsed(index));
  if (!read.success)
    throw invalid(`${path}: index.json: ${read.error.issues[0]?.path.join('.')}: ${read.error.issues[0]?.message}`);
  const entries = read.data.manifests;
  if (selection.tag !== undefined && new Set(entries.map((entry) => entry.digest)).size !== 1) {
    throw invalid(`${path} holds ${entries.length} images, so --tag can't name one; leave it out`);
  }
  return { where: path, repositories: () => repositories(files, entries, selection) };
}

async function* repositories(
  files: LayoutFiles,
  entries: readonly Entry[],
  selection: LayoutSelection,
): AsyncGenerator<SourceRepository | SourceFault> {
  const images = new Map<RepositoryName, SourceImage[]>();
  for (const entry of entries) {
    const named = nameOf(entry, selection);
    if (named.name === undefined) {
      const why = 'index.json does not say which repository it belongs to; give one with --to';
      yield { kind: 'fault', subject: entry.digest, why };
      continue;
    }
    const reference: Reference =
      named.tag === undefined ? { kind: 'digest', digest: entry.digest } : { kind: 'tag', tag: named.tag };
    images.set(named.name, [...(images.get(named.name) ?? []), { reference }]);
  }
  const subjects = new Map<string, Digest[]>();
  for (const { digest } of entries) {
    const subject = (await documentOf(files, digest))?.subject?.digest;
    if (subject !== undefined) subjects.set(subject, [...(subjects.get(subject) ?? []), digest]);
  }
  for (const [name, wanted] of images) {
    const tags = new Map(
      entries.flatMap((entry) => {
        const named = nameOf(entry, selection);
        return named.name === name && named.tag !== undefined ? [[named.tag, entry.digest] as const] : [];
      }),
    );
    yield new LayoutRepository(files, name, wanted, tags, subjects);
  }
}

class LayoutRepository implements SourceRepository {
  readonly kind = 'repository';
  readonly name: string;
  readonly to: RepositoryName;
  readonly #files: LayoutFiles;
  readonly #wanted: readonly SourceImage[];
  readonly #tags: ReadonlyMap<Tag, Digest>;
  readonly #subjects: ReadonlyMap<string, Digest[]>;

  constructor(
    files: LayoutFiles,
    name: RepositoryName,
    wanted: readonly SourceImage[],
    tags: ReadonlyMap<Tag, Digest>,
    subjects: ReadonlyMap<string, Digest[]>,
  ) {
    this.#files = files;
    this.name = name;
    this.to = name;
    this.#wanted = wanted;
    this.#tags = tags;
    this.#subjects = subjects;
  }

  async *images(): AsyncGenerator<SourceImage> {
    yield* this.#wanted;
  }

  async digestOf(reference: Reference): Promise<Digest> {
    const digest = reference.kind === 'digest' ? reference.digest : this.#tags.get(reference.tag);
    if (digest === undefined) throw notFound(`the layout has no such image`);
    return digest;
  }

  async manifest(digest: Digest): Promise<SourceManifest> {
    const bytes = await this.#files.small(`blobs/${digest.replace(':', '/')}`);
    if (bytes === undefined) throw notFound(`the manifest ${digest} is not in the layout`);
    const document = typed.safeParse(parsed(bytes)).data;
    const mediaType = document?.mediaType ?? (document?.manifests === undefined ? MEDIA.ociManifest : MEDIA.ociIndex);
    return { bytes, mediaType };
  }

  async blob(digest: Digest): Promise<SourceBlob> {
    const blob = await this.#files.blob(digest);
    if (blob === undefined) throw notFound(`the blob ${digest} is not in the layout`);
    return blob;
  }

  async referrers(digest: Digest): Promise<Digest[]> {
    return this.#subjects.get(digest) ?? [];
  }

  companions(): Tag[] {
    return [];
  }
}

function nameOf(entry: Entry, selection: LayoutSelection): { name: RepositoryName | undefined; tag: Tag | undefined } {
  const whole = entry.annotations?.[IMAGE_NAME];
  const reference = entry.annotations?.[REF_NAME];
  const said = [whole, reference].map((text) => wholeName(text ?? '')).find((found) => found !== undefined);
  const alone = reference !== undefined && isTag(reference) ? reference : undefined;
  return { name: selection.to ?? said?.name, tag: selection.tag ?? alone ?? said?.tag };
}

/** `docker.io/library/app:1.0` is `app`, tag `1.0`; a registry's host is no part of the name here. */
function wholeName(text: string): { name: RepositoryName; tag: Tag | undefined } | undefined {
  const [, path = '', tag] = /^([^@]*?)(?::([^/:@]+))?(?:@.*)?$/.exec(text) ?? [];
  const parts = path.split('/');
  const first = parts[0] ?? '';
  const host = parts.length > 1 && (/[.:]/.test(first) || first === 'localhost');
  const rest = host ? parts.slice(1) : parts;
  if (host && first === 'docker.io' && rest.length === 2 && rest[0] === 'library') rest.shift();
  const name = rest.join('/');
  // A single word without a tag is a tag of the specification.
  if (!isRepositoryName(name) || (!host && rest.length === 1 && tag === undefined)) return undefined;
  return { name, tag: tag !== undefined && isTag(tag) ? tag : undefined };
}

async function documentOf(files: LayoutFiles, digest: Digest) {
  const bytes = await files.small(`blobs/${digest.replace(':', '/')}`);
  return bytes === undefined ? undefined : typed.safeParse(parsed(bytes)).data;
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}

function notFound(message: string): UpstreamError {
  return new UpstreamError({ kind: 'not-found' }, message);
}
