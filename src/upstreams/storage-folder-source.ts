import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestAlgorithm, digestHex, isDigest } from '../oci/digest.ts';
import { MANIFEST_MAX_BYTES } from '../oci/manifest.ts';
import { MEDIA } from '../oci/media-types.ts';
import { isRepositoryName, isTag, type Reference, type RepositoryName, type Tag } from '../oci/names.ts';
import { matchesPattern } from '../oci/tag-pattern.ts';
import { FileRefusedError } from '../storage/blob-store.ts';
import {
  type ImportSource,
  isCompanionOf,
  type SourceBlob,
  type SourceFault,
  type SourceImage,
  type SourceManifest,
  type SourceRepository,
} from './import-source.ts';
import { UpstreamError } from './upstream-error.ts';

export interface FolderSelection {
  /** Patterns of repositories; none takes all. */
  repositories: string[];
  /** Patterns of tags; none takes all. */
  tags: string[];
  /** Also manifests without a tag. */
  untagged: boolean;
  /** Also what tags named before. */
  history: boolean;
  rename: (name: RepositoryName) => RepositoryName;
}

const LINK_MOST_BYTES = 200;

/**
 * The folder in which `registry` (Distribution) keeps its images, read beside it or after it:
 *
 *     docker/registry/v2/
 *       blobs/sha256/3f/3f…/data                            every blob and manifest
 *       repositories/NAME/_layers/sha256/HEX/link           which blobs a repository has
 *       repositories/NAME/_manifests/revisions/sha256/HEX/link
 *       repositories/NAME/_manifests/tags/TAG/current/link  what a tag names
 *       repositories/NAME/_manifests/tags/TAG/index/sha256/HEX/link   and what it named before
 *
 * A link is a file that holds a digest. The registry never changes a blob's `data`: it moves it there whole, and its garbage collection
 * unlinks it.
 */
export class StorageFolderSource implements ImportSource {
  readonly where: string;
  readonly #root: string;
  readonly #selection: FolderSelection;

  /** @param folder what the registry has as its `rootdirectory`, or the `v2` below it. @throws FileRefusedError when it is neither */
  constructor(folder: string, selection: FolderSelection) {
    const root = [join(folder, 'docker/registry/v2'), folder].find((path) => existsSync(join(path, 'repositories')));
    if (root === undefined) {
      throw new FileRefusedError(
        `${folder} is no storage folder of registry: it holds no docker/registry/v2/repositories`,
      );
    }
    this.#root = root;
    this.#selection = selection;
    this.where = folder;
  }

  async *repositories(): AsyncGenerator<SourceRepository | SourceFault> {
    yield* this.#below('');
  }

  async *#below(prefix: string): AsyncGenerator<SourceRepository | SourceFault> {
    const entries = await folders(join(this.#root, 'repositories', prefix));
    if (entries.includes('_manifests') && this.#wants(prefix)) {
      if (isRepositoryName(prefix)) {
        yield new StoredRepository(this.#root, prefix, this.#selection.rename(prefix), this.#selection);
      } else {
        yield { kind: 'fault', subject: prefix, why: 'it is no name for a repository here' };
      }
    }
    for (const entry of entries)
      if (!entry.startsWith('_')) yield* this.#below(prefix === '' ? entry : `${prefix}/${entry}`);
  }

  #wants(name: string): boolean {
    const { repositories } = this.#selection;
    return repositories.length === 0 || repositories.some((pattern) => matchesPattern(pattern, name));
  }
}

class StoredRepository implements SourceRepository {
  readonly kind = 'repository';
  readonly name: RepositoryName;
  readonly to: RepositoryName;
  readonly #root: string;
  readonly #folder: string;
  readonly #selection: FolderSelection;
  readonly #others: Tag[] = [];
  #subjects: Promise<Map<string, Digest[]>> | undefined;

  constructor(root: string, name: RepositoryName, to: RepositoryName, selection: FolderSelection) {
    this.name = name;
    this.to = to;
    this.#root = root;
    this.#folder = join(root, 'repositories', name);
    this.#selection = selection;
  }

  async *images(): AsyncGenerator<SourceImage> {
    const { tags, untagged, history } = this.#selection;
    const chosen: Tag[] = [];
    for (const tag of await folders(join(this.#folder, '_manifests/tags'))) {
      if (!isTag(tag)) continue;
      const taken = tags.length === 0 || tags.some((pattern) => matchesPattern(pattern, tag));
      (taken ? chosen : this.#others).push(tag);
    }
    for (const tag of chosen) {
      yield { reference: { kind: 'tag', tag }, ...(history ? { former: await this.#former(tag) } : {}) };
    }
    if (untagged) for (const digest of await this.#revisions()) yield { reference: { kind: 'digest', digest } };
  }

  async digestOf(reference: Reference): Promise<Digest> {
    if (reference.kind === 'digest') return reference.digest;
    const path = join(this.#folder, '_manifests/tags', reference.tag, 'current/link');
    const digest = await readLink(path);
    if (digest === undefined) throw notFound(`${this.name}:${reference.tag} names nothing: ${path} is not there`);
    return digest;
  }

  async manifest(digest: Digest): Promise<SourceManifest> {
    const link = join(this.#folder, '_manifests/revisions', digestAlgorithm(digest), digestHex(digest), 'link');
    if ((await readLink(link)) === undefined) {
      throw notFound(`the manifest ${digest} was deleted from ${this.name}; registry does not serve it either`);
    }
    const path = this.#data(digest);
    const size = await sizeOf(path);
    if (size === undefined) throw notFound(`the manifest ${digest} is not there: no ${path}`);
    if (size > MANIFEST_MAX_BYTES)
      throw new RangeError(`the manifest ${digest} has ${size} bytes; the limit is ${MANIFEST_MAX_BYTES}`);
    const bytes = new Uint8Array(await reading(path, readFile(path)));
    return { bytes, mediaType: mediaTypeOf(bytes) };
  }

  async blob(digest: Digest): Promise<SourceBlob> {
    const path = this.#data(digest);
    const size = await sizeOf(path);
    if (size === undefined) throw notFound(`the blob ${digest} is not there: no ${path}`);
    return { kind: 'file', path, size };
  }

  async referrers(digest: Digest): Promise<Digest[]> {
    this.#subjects ??= this.#readSubjects();
    return (await this.#subjects).get(digest) ?? [];
  }

  companions(digest: Digest): Tag[] {
    return this.#others.filter((tag) => isCompanionOf(tag, digest));
  }

  /** registry keeps no list of referrers: who has which subject stands in the manifests alone. */
  async #readSubjects(): Promise<Map<string, Digest[]>> {
    const subjects = new Map<string, Digest[]>();
    for (const digest of await this.#revisions()) {
      const path = this.#data(digest);
      const size = await sizeOf(path);
      if (size === undefined || size > MANIFEST_MAX_BYTES) continue;
      const subject = subjectOf(await reading(path, readFile(path)));
      if (subject !== undefined) subjects.set(subject, [...(subjects.get(subject) ?? []), digest]);
    }
    return subjects;
  }

  async #revisions(): Promise<Digest[]> {
    return digestsBelow(join(this.#folder, '_manifests/revisions'));
  }

  /** The folder has no times of its own; a link's is when the tag was first put there. */
  async #former(tag: Tag): Promise<Digest[]> {
    const folder = join(this.#folder, '_manifests/tags', tag, 'index');
    const current = await readLink(join(this.#folder, '_manifests/tags', tag, 'current/link'));
    const found: { digest: Digest; at: number }[] = [];
    for (const digest of await digestsBelow(folder)) {
      if (digest === current) continue;
      const link = join(folder, digestAlgorithm(digest), digestHex(digest), 'link');
      const stats = await reading(link, stat(link)).catch(() => undefined);
      if (stats !== undefined) found.push({ digest, at: stats.mtimeMs });
    }
    return found.sort((a, b) => a.at - b.at).map(({ digest }) => digest);
  }

  #data(digest: Digest): string {
    const hex = digestHex(digest);
    return join(this.#root, 'blobs', digestAlgorithm(digest), hex.slice(0, 2), hex, 'data');
  }
}

/** `…/ALGORITHM/HEX` as digests. */
async function digestsBelow(folder: string): Promise<Digest[]> {
  const found: Digest[] = [];
  for (const algorithm of await folders(folder)) {
    for (const hex of await folders(join(folder, algorithm))) {
      const digest = `${algorithm}:${hex}`;
      if (isDigest(digest)) found.push(digest);
    }
  }
  return found;
}

async function folders(path: string): Promise<string[]> {
  const entries = await reading(path, readdir(path, { withFileTypes: true })).catch((error: unknown) => {
    if (isAbsent(error)) return [];
    throw error;
  });
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

async function readLink(path: string): Promise<Digest | undefined> {
  try {
    const text = (await reading(path, readFile(path, 'utf8'))).slice(0, LINK_MOST_BYTES).trim();
    return isDigest(text) ? text : undefined;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await reading(path, stat(path))).size;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** An OCI manifest need not say its type; the registry told it by what is in it. */
function mediaTypeOf(bytes: Uint8Array): string {
  const document = parsed(bytes);
  if (typeof document?.mediaType === 'string') return document.mediaType;
  return document !== undefined && 'manifests' in document ? MEDIA.ociIndex : MEDIA.ociManifest;
}

function subjectOf(bytes: Uint8Array): string | undefined {
  const subject = parsed(bytes)?.subject;
  const digest = typeof subject === 'object' && subject !== null && 'digest' in subject ? subject.digest : undefined;
  return typeof digest === 'string' ? digest : undefined;
}

function parsed(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const document: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return typeof document === 'object' && document !== null ? (document as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

async function reading<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isAbsent(error)) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    const who = process.getuid?.() ?? 'this user';
    const advice =
      code === 'EACCES' || code === 'EPERM' ? `; run it as the owner of the files, not as user ${who}` : '';
    throw new FileRefusedError(`${path} cannot be read (${code})${advice}`, { cause: error });
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function notFound(message: string): UpstreamError {
  return new UpstreamError({ kind: 'not-found' }, message);
}
