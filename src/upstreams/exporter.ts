import type { Digest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import type { Reference, RepositoryName } from '../oci/names.ts';
import { readBlob } from '../registry/blobs.ts';
import type { RegistryContext } from '../registry/context.ts';
import { getManifest } from '../registry/manifests.ts';
import { listReferrers } from '../registry/referrers.ts';
import { listTags } from '../registry/tags.ts';
import type { LayoutEntry, LayoutWriter } from './layout-writer.ts';
import { unavailable } from './upstream-error.ts';

export interface ExportSelection {
  name: RepositoryName;
  /** Every tag without one. */
  reference?: Reference;
}

export interface ExportResult {
  images: number;
  manifests: number;
  blobs: number;
  /** Bytes that were written; what the layout had already is not among them. */
  bytes: number;
}

export interface ExportOptions {
  referrers: boolean;
  onImage?: (subject: string, digest: Digest) => void;
  onProgress?: (bytes: number) => void;
}

const PAGE = 500;

/**
 * Writes images to a layout with all that they name, byte for byte as they were pushed; each blob once.
 *
 * @throws OciError for what is not there, FileRefusedError
 */
export async function exportImages(
  context: RegistryContext,
  selections: readonly ExportSelection[],
  layout: LayoutWriter,
  options: ExportOptions,
): Promise<ExportResult> {
  const result: ExportResult = { images: 0, manifests: 0, blobs: 0, bytes: 0 };
  const alone = new Set(selections.map(({ name }) => name)).size === 1;
  const entries: LayoutEntry[] = [];
  const listed = new Set<string>();
  const written = new Set<string>();
  const list = (name: RepositoryName, entry: LayoutEntry) => {
    const key = `${name} ${entry.annotations?.[REF_NAME] ?? entry.digest}`;
    if (!listed.has(key)) entries.push(entry);
    listed.add(key);
  };

  const image = async (name: RepositoryName, reference: Reference): Promise<LayoutEntry> => {
    const { digest, mediaType, content } = await getManifest(context, name, reference);
    const entry = { mediaType, digest, size: content.byteLength };
    const key = `${name}@${digest}`;
    if (written.has(key)) return entry;
    written.add(key);
    const { targets } = parseManifest(content, mediaType);
    for (const target of targets) {
      if (target.kind === 'manifest') await image(name, { kind: 'digest', digest: target.digest });
      else await blob(name, target.digest);
    }
    result.manifests++;
    if (!(await layout.has(digest, entry.size))) await layout.blob(digest, entry.size, pieces([content]));
    if (options.referrers)
      for (const referrer of await referrersOf(context, name, digest)) await attached(name, referrer);
    return entry;
  };

  const attached = async (name: RepositoryName, digest: Digest) => {
    const entry = await image(name, { kind: 'digest', digest });
    list(name, { ...entry, annotations: { [IMAGE_NAME]: `${name}@${digest}` } });
  };

  const blob = async (name: RepositoryName, digest: Digest) => {
    const stored = await readBlob(context, name, digest);
    if (await layout.has(digest, stored.size)) return;
    const bytes = stored.kind === 'bytes' ? stored.bytes.stream() : (await fetch(stored.url)).body;
    if (bytes === null) throw unavailable(`the bytes of ${digest} do not come`);
    await layout.blob(
      digest,
      stored.size,
      counted(bytes, (count) => options.onProgress?.(result.bytes + count)),
    );
    result.blobs++;
    result.bytes += stored.size;
  };

  for (const { name, reference } of selections) {
    for await (const wanted of reference === undefined ? tagsOf(context, name) : pieces([reference])) {
      const entry = await image(name, wanted);
      const text = wanted.kind === 'tag' ? `${name}:${wanted.tag}` : `${name}@${wanted.digest}`;
      // Alone, a tag is what skopeo and others ask for; beside other repositories it would stand for several.
      const short = wanted.kind === 'tag' ? { [REF_NAME]: alone ? wanted.tag : text } : {};
      list(name, { ...entry, annotations: { ...short, [IMAGE_NAME]: text } });
      result.images++;
      options.onImage?.(text, entry.digest);
    }
  }
  await layout.finish(entries);
  return result;
}

const REF_NAME = 'org.opencontainers.image.ref.name';
const IMAGE_NAME = 'io.containerd.image.name';

export async function* tagsOf(context: RegistryContext, name: RepositoryName): AsyncGenerator<Reference> {
  for (let last: string | undefined = ''; last !== undefined; ) {
    const page = await listTags(context, name, { last, limit: PAGE });
    for (const tag of page.tags) yield { kind: 'tag', tag };
    last = page.more ? page.tags.at(-1) : undefined;
  }
}

export async function referrersOf(context: RegistryContext, name: RepositoryName, subject: Digest): Promise<Digest[]> {
  const found: Digest[] = [];
  for (let last: string | undefined = ''; last !== undefined; ) {
    const page = await listReferrers(context, name, subject, { last, limit: PAGE });
    found.push(...page.referrers.map((referrer) => referrer.digest));
    last = page.more ? page.referrers.at(-1)?.digest : undefined;
  }
  return found;
}

async function* pieces<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

async function* counted(
  bytes: AsyncIterable<Uint8Array>,
  onCount: (count: number) => void,
): AsyncGenerator<Uint8Array> {
  let count = 0;
  for await (const piece of bytes) {
    count += piece.byteLength;
    onCount(count);
    yield piece;
  }
}
