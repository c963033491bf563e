import type { Digest } from '../oci/digest.ts';
import { isManifestMediaType, MANIFEST_SHAPES } from '../oci/media-types.ts';
import type { RegistryContext } from './context.ts';
import type { Summary } from './fact-cache.ts';
import { isImageConfig, platformText, readConfig } from './image-config.ts';

export type ManifestKind = Summary['kind'];

/** An image of an index, or the one of a manifest that is an image. */
export interface PlatformFacts {
  /** `linux/arm64/v8`; null when it is not said. */
  platform: string | null;
  digest: Digest;
  /** Bytes of its config and layers, each once, as they are stored; 0 when its manifest is not here. */
  size: number;
  /** Whether its manifest is here. */
  available: boolean;
}

/** What lists say of a manifest. Times are ms since 1970. */
export interface ManifestFacts {
  digest: Digest;
  kind: ManifestKind;
  mediaType: string;
  /** Its own, else its config's media type. */
  artifactType: string | null;
  subject: Digest | null;
  /** Bytes of the manifest and of all that it names, each once: of an index also what its images name. */
  size: number;
  /** Of an index its images, of an image itself, of an artifact nothing. The first `MOST_PLATFORMS`. */
  platforms: PlatformFacts[];
  pushedAt: number;
  pushedBy: string;
  pulledAt: number | null;
}

/** What a manifest says of something that it names. The size nobody has checked. */
export interface Descriptor {
  mediaType: string;
  digest: Digest;
  size: number;
  annotations?: Record<string, string> | null;
  platform?: { os?: string; architecture?: string; variant?: string } | null;
}

/** A manifest as it was checked when it was pushed. */
export interface ManifestDocument {
  artifactType?: string;
  annotations?: Record<string, string> | null;
  config?: Descriptor;
  layers?: Descriptor[];
  manifests?: Descriptor[];
  blobs?: Descriptor[] | null;
}

export function parseDocument(content: Uint8Array): ManifestDocument {
  return JSON.parse(new TextDecoder().decode(content)) as ManifestDocument;
}

/** BuildKit's attestation is an entry of the platform unknown/unknown, which says what it is. */
export function isAttestation({ platform, annotations }: Descriptor): boolean {
  return platform?.os === 'unknown' || annotations?.['vnd.docker.reference.type'] !== undefined;
}

export const MOST_PLATFORMS = 100;
/** An index in an index in an index. */
const MOST_LEVELS = 4;
/** Digests that one statement names. */
const BATCH = 500;
/** Bytes of manifests that are parsed before other requests get their turn. */
const READ_BYTES = 8 * 1024 * 1024;
const CONFIGS_AT_ONCE = 16;
const FILESYSTEM_LAYER = /^application\/vnd\.(?:oci\.image\.layer\.|docker\.image\.rootfs\.)/;

interface Row {
  digest: Digest;
  media_type: string;
  artifact_type: string | null;
  subject: Digest | null;
  size: number;
  pushed_at: number;
  pushed_by: string;
  pulled_at: number | null;
}

/** The manifests that were asked for and those that they name, each once. */
interface Found {
  rows: Map<Digest, Row>;
  summaries: Map<Digest, Summary>;
}

/**
 * What manifests of one repository are; those that are not there are left out. Costs some statements for all of them together, and a
 * file for each image's config that this process has not read before.
 *
 * @throws StoreUnavailableError
 */
export async function describeManifests(
  context: RegistryContext,
  repositoryId: number,
  digests: readonly Digest[],
): Promise<Map<Digest, ManifestFacts>> {
  const found: Found = { rows: new Map(), summaries: new Map() };
  let wanted = [...new Set(digests)];
  for (let level = 0; level < MOST_LEVELS && wanted.length > 0; level++) {
    const rows = await readRows(context, repositoryId, wanted);
    for (const row of rows) found.rows.set(row.digest, row);
    await summarize(context, repositoryId, rows, found.summaries);
    const named = new Set(rows.flatMap(({ digest }) => entriesOf(found.summaries.get(digest))));
    wanted = [...named].filter((digest) => !found.rows.has(digest));
  }
  const platforms = await readPlatforms(context, digests, found.summaries);
  const facts = new Map<Digest, ManifestFacts>();
  for (const digest of digests) {
    const row = found.rows.get(digest);
    const summary = found.summaries.get(digest);
    if (row === undefined || summary === undefined) continue;
    facts.set(digest, {
      digest,
      kind: summary.kind,
      mediaType: row.media_type,
      artifactType: row.artifact_type,
      subject: row.subject,
      size: row.size + namedBytes(summary, found),
      platforms:
        summary.kind === 'image'
          ? [{ platform: platforms.get(digest) ?? null, digest, size: blobBytes(summary), available: true }]
          : imagesOf(summary, found),
      pushedAt: row.pushed_at,
      pushedBy: row.pushed_by,
      pulledAt: row.pulled_at,
    });
  }
  return facts;
}

function entriesOf(summary: Summary | undefined): Digest[] {
  return (summary?.entries ?? []).map((entry) => entry.digest);
}

async function readRows(context: RegistryContext, repositoryId: number, digests: readonly Digest[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (let i = 0; i < digests.length; i += BATCH) {
    const batch = await context.database.read
      .selectFrom('manifests')
      .select(['digest', 'media_type', 'artifact_type', 'subject', 'size', 'pushed_at', 'pushed_by', 'pulled_at'])
      .where('repository_id', '=', repositoryId)
      .where('digest', 'in', digests.slice(i, i + BATCH))
      .execute();
    rows.push(...batch);
  }
  return rows;
}

async function summarize(
  context: RegistryContext,
  repositoryId: number,
  rows: readonly Row[],
  summaries: Map<Digest, Summary>,
): Promise<void> {
  const cache = context.facts.summaries;
  const unread: Row[] = [];
  for (const row of rows) {
    const known = cache.get(row.digest);
    // The same bytes, when they name no media type, may have been pushed as another one elsewhere.
    if (known?.mediaType === row.media_type) summaries.set(row.digest, known);
    else unread.push(row);
  }
  for (const batch of bySize(unread)) {
    for (const [digest, summary] of await readSummaries(context, repositoryId, batch)) {
      cache.set(digest, summary);
      summaries.set(digest, summary);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function bySize(rows: readonly Row[]): Digest[][] {
  const batches: Digest[][] = [];
  let bytes = 0;
  for (const { digest, size } of rows) {
    const last = batches.at(-1);
    if (last === undefined || last.length >= BATCH || bytes + size > READ_BYTES) {
      batches.push([digest]);
      bytes = size;
    } else {
      last.push(digest);
      bytes += size;
    }
  }
  return batches;
}

async function readSummaries(
  context: RegistryContext,
  repositoryId: number,
  digests: readonly Digest[],
): Promise<Map<Digest, Summary>> {
  const { read } = context.database;
  const manifests = await read
    .selectFrom('manifests')
    .select(['digest', 'media_type', 'content'])
    .where('repository_id', '=', repositoryId)
    .where('digest', 'in', digests)
    .execute();
  // The sizes of what is stored: what a manifest says of them, nobody has checked.
  const blobs = await read
    .selectFrom('manifest_references as l')
    .innerJoin('blobs as b', 'b.digest', 'l.target')
    .select(['l.manifest', 'b.digest', 'b.size'])
    .where('l.repository_id', '=', repositoryId)
    .where('l.manifest', 'in', digests)
    .where('l.kind', '<>', 'manifest')
    .execute();
  const summaries = new Map<Digest, Summary>();
  for (const { digest, media_type, content } of manifests) {
    const document = parseDocument(content);
    const kind = kindOf(media_type, document);
    const { config } = document;
    summaries.set(digest, {
      mediaType: media_type,
      kind,
      config: kind === 'image' && config !== undefined ? { digest: config.digest, size: config.size } : undefined,
      entries: manifestsOf(document).map((entry) => ({
        digest: entry.digest,
        platform: platformText(entry.platform),
        isImage: !isAttestation(entry),
      })),
      blobs: [],
    });
  }
  for (const { manifest, digest, size } of blobs) summaries.get(manifest)?.blobs.push({ digest, size });
  return summaries;
}

/** BuildKit's registry cache is an index whose entries are layers and a config, not manifests. */
function manifestsOf({ manifests = [] }: ManifestDocument): Descriptor[] {
  return manifests.filter((entry) => isManifestMediaType(entry.mediaType));
}

/** By its config alone a signature of cosign and an attestation of BuildKit would be images too: their layers are no file systems. */
function kindOf(mediaType: string, document: ManifestDocument): ManifestKind {
  const shape = isManifestMediaType(mediaType) ? MANIFEST_SHAPES[mediaType] : 'artifact';
  if (shape === 'index') {
    return manifestsOf(document).length === 0 && document.manifests?.length !== 0 ? 'artifact' : 'index';
  }
  if (shape === 'artifact' || !isImageConfig(document.config?.mediaType)) return 'artifact';
  const layers = document.layers ?? [];
  return layers.length === 0 || layers.some((layer) => FILESYSTEM_LAYER.test(layer.mediaType)) ? 'image' : 'artifact';
}

function blobBytes({ blobs }: Summary): number {
  return blobs.reduce((sum, blob) => sum + blob.size, 0);
}

/** Bytes of all that a manifest names and of what that names, each once. */
function namedBytes(summary: Summary, { rows, summaries }: Found): number {
  const sizes = new Map<Digest, number>();
  const add = ({ blobs, entries }: Summary): void => {
    for (const blob of blobs) sizes.set(blob.digest, blob.size);
    for (const { digest } of entries) {
      if (sizes.has(digest)) continue;
      sizes.set(digest, rows.get(digest)?.size ?? 0);
      const child = summaries.get(digest);
      if (child !== undefined) add(child);
    }
  };
  add(summary);
  let sum = 0;
  for (const size of sizes.values()) sum += size;
  return sum;
}

/** The images of an index and of the indexes in it, in their order. */
function imagesOf(index: Summary, { summaries }: Found): PlatformFacts[] {
  const images: PlatformFacts[] = [];
  const indexes = new Set<Digest>();
  const add = ({ entries }: Summary): void => {
    for (const { digest, platform, isImage } of entries) {
      if (images.length >= MOST_PLATFORMS) return;
      const child = summaries.get(digest);
      if (!isImage || child?.kind === 'artifact') continue;
      if (child?.kind !== 'index') {
        const size = child === undefined ? 0 : blobBytes(child);
        images.push({ platform, digest, size, available: child !== undefined });
      } else if (!indexes.has(digest)) {
        indexes.add(digest);
        add(child);
      }
    }
  };
  if (index.kind === 'index') add(index);
  return images;
}

/** What the config of each image says, by the image's digest. */
async function readPlatforms(
  context: RegistryContext,
  digests: readonly Digest[],
  summaries: ReadonlyMap<Digest, Summary>,
): Promise<Map<Digest, string | null>> {
  const cache = context.facts.platforms;
  const platforms = new Map<Digest, string | null>();
  const unread: { digest: Digest; config: { digest: Digest; size: number } }[] = [];
  for (const digest of new Set(digests)) {
    const config = summaries.get(digest)?.config;
    if (config === undefined) continue;
    const known = cache.get(config.digest);
    if (known === undefined) unread.push({ digest, config });
    else platforms.set(digest, known === '' ? null : known);
  }
  for (let i = 0; i < unread.length; i += CONFIGS_AT_ONCE) {
    await Promise.all(
      unread.slice(i, i + CONFIGS_AT_ONCE).map(async ({ digest, config }) => {
        const platform = platformText(await readConfig(context, config));
        cache.set(config.digest, platform ?? '');
        platforms.set(digest, platform);
      }),
    );
  }
  return platforms;
}
