import { sql } from 'kysely';
import type { Digest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import type { Reference, RepositoryName } from '../oci/names.ts';
import { readBlob } from './blobs.ts';
import type { RegistryContext } from './context.ts';
import { readConfig } from './image-config.ts';
import { blobSizes, getDocument, saidOfImage } from './image-documents.ts';
import { describeManifests, type ManifestFacts } from './image-facts.ts';
import { type ImageReferrer, partsOf, referrersOf } from './image-referrers.ts';
import { unknownManifest } from './manifests.ts';
import { type ImageLayer, layersOf, type RunConfig, runConfigOf } from './run-config.ts';

/** A manifest as people look at it. */
export interface Image extends ManifestFacts {
  /** The first 100 that point at it now. */
  tags: string[];
  annotations: Record<string, string>;
  /** These are `org.opencontainers.image.…` of its annotations or labels. */
  revision: string | null;
  source: string | null;
  version: string | null;
  /** Of an image whose config can be read. */
  config: RunConfig | null;
  /** Of an image, the base first; of an artifact its parts. */
  layers: ImageLayer[];
  referrers: ImageReferrer[];
}

const MOST_TAGS = 100;
/** So much of a blob is shown. */
export const CONTENT_MAX_BYTES = 1024 * 1024;

/** @throws OciError NAME_UNKNOWN, MANIFEST_UNKNOWN */
export async function getImage(context: RegistryContext, name: RepositoryName, reference: Reference): Promise<Image> {
  const { repositoryId, digest, document } = await getDocument(context, name, reference);
  const facts = (await describeManifests(context, repositoryId, [digest])).get(digest);
  if (facts === undefined) throw unknownManifest(name, reference);
  const config = facts.kind === 'image' ? await readConfig(context, document.config) : undefined;
  const said = (await saidOfImage(context, repositoryId, document, config)).annotations;
  const sizes = await blobSizes(context, repositoryId, digest);
  return {
    ...facts,
    // Of an image it is only the type of its config.
    artifactType: document.artifactType ?? (facts.kind === 'artifact' ? facts.artifactType : null),
    tags: await tagsOn(context, repositoryId, digest),
    annotations: document.annotations ?? {},
    revision: said['org.opencontainers.image.revision'] ?? null,
    source: said['org.opencontainers.image.source'] ?? null,
    version: said['org.opencontainers.image.version'] ?? null,
    config: config === undefined ? null : runConfigOf(config),
    layers: facts.kind === 'index' ? [] : layersOf(partsOf(document), config, sizes),
    referrers: await referrersOf(context, repositoryId, digest, document),
  };
}

async function tagsOn(context: RegistryContext, repositoryId: number, digest: Digest): Promise<string[]> {
  const rows = await context.database.read
    .selectFrom('tags')
    .select('name')
    .where('repository_id', '=', repositoryId)
    .where('digest', '=', digest)
    // Not the column alone: SQLite would walk all names in their order to save the sort.
    .orderBy(sql`name || ''`)
    .limit(MOST_TAGS)
    .execute();
  return rows.map((row) => row.name);
}

export interface ImageContent {
  mediaType: string;
  size: number;
  /** null when it is not text. */
  text: string | null;
  /** Whether there is more than `text` has. */
  truncated: boolean;
}

/**
 * The beginning of a config or a layer, as text.
 *
 * @throws OciError NAME_UNKNOWN, MANIFEST_UNKNOWN; BLOB_UNKNOWN for what the manifest does not name or is not here; StoreUnavailableError
 */
export async function getImageContent(
  context: RegistryContext,
  name: RepositoryName,
  reference: Reference,
  digest: Digest,
): Promise<ImageContent> {
  const { document, digest: manifest } = await getDocument(context, name, reference);
  const named = [document.config, ...partsOf(document)].find((part) => part?.digest === digest);
  if (named === undefined) {
    throw new OciError('BLOB_UNKNOWN', `digest: ${digest} is no config and no layer of ${name}@${manifest}`, {
      digest,
    });
  }
  const blob = await readBlob(context, name, digest);
  // A store that gives an address keeps the bytes elsewhere; they are the client's to get.
  const bytes = blob.kind === 'bytes' ? await blob.bytes.slice(0, CONTENT_MAX_BYTES).bytes() : undefined;
  const truncated = blob.size > CONTENT_MAX_BYTES;
  return {
    mediaType: named.mediaType,
    size: blob.size,
    text: bytes === undefined ? null : textOf(bytes, truncated),
    truncated,
  };
}

/** @param cut whether more follows: then the bytes may end within a character, which is left out */
function textOf(bytes: Uint8Array, cut: boolean): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: cut });
    return text.includes('\0') ? null : text;
  } catch {
    return null;
  }
}
