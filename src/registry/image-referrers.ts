import { type Digest, digestAlgorithm, digestHex } from '../oci/digest.ts';
import { isManifestMediaType } from '../oci/media-types.ts';
import type { Tag } from '../oci/names.ts';
import type { RegistryContext } from './context.ts';
import { blobSizes, findDocument, indexesWith } from './image-documents.ts';
import { type Descriptor, isAttestation, type ManifestDocument } from './image-facts.ts';

/** What is said about an image elsewhere: a signature, an SBOM, an attestation. */
export interface ImageReferrer {
  digest: Digest;
  mediaType: string;
  /** Its own, else its config's media type. */
  artifactType: string | null;
  /** Bytes of its manifest and of what that names. */
  size: number;
  annotations: Record<string, string>;
  /** Its `subject`, BuildKit's entry in the index, or cosign's tag. */
  how: 'subject' | 'index' | 'tag';
  /** ms since 1970 */
  pushedAt: number;
  pushedBy: string;
  parts: { digest: Digest; mediaType: string; size: number; annotations: Record<string, string> }[];
}

/** How one is bound, and what the binding says of it. */
interface Bound {
  how: ImageReferrer['how'];
  annotations: Record<string, string>;
}

const MOST_REFERRERS = 100;
const MOST_PARTS = 50;
/** Indexes in which one image is looked for. */
const MOST_INDEXES = 20;
/** All manifests of referrers together; what is beyond is left out. */
const MOST_BYTES = 16 * 1024 * 1024;

/** What a manifest names beside its config: layers, an OCI artifact manifest's blobs, the entries of BuildKit's registry cache. */
export function partsOf({ layers, blobs, manifests = [] }: ManifestDocument): Descriptor[] {
  return layers ?? blobs ?? manifests.filter((entry) => !isManifestMediaType(entry.mediaType));
}

/** What is said about a manifest in its repository, at most 100: of an image also in indexes that have it. */
export async function referrersOf(
  context: RegistryContext,
  repositoryId: number,
  subject: Digest,
  document: ManifestDocument,
): Promise<ImageReferrer[]> {
  const bound = new Map<Digest, Bound>();
  const add = (digest: Digest, how: Bound['how'], annotations: Record<string, string> = {}) => {
    if (digest !== subject && !bound.has(digest)) bound.set(digest, { how, annotations });
  };
  for (const digest of await withSubject(context, repositoryId, subject)) add(digest, 'subject');
  for (const entry of await attestations(context, repositoryId, subject, document)) {
    add(entry.digest, 'index', entry.annotations ?? {});
  }
  for (const digest of await tagged(context, repositoryId, subject)) add(digest, 'tag');

  const referrers: ImageReferrer[] = [];
  let read = 0;
  for (const [digest, { how, annotations }] of [...bound].slice(0, MOST_REFERRERS)) {
    const found = await findDocument(context, repositoryId, digest);
    if (found === undefined) continue;
    read += found.size;
    if (read > MOST_BYTES) break;
    const sizes = await blobSizes(context, repositoryId, digest);
    referrers.push({
      digest,
      mediaType: found.mediaType,
      artifactType: found.artifactType,
      size: [...sizes.values()].reduce((sum, size) => sum + size, found.size),
      annotations: { ...found.document.annotations, ...annotations },
      how,
      pushedAt: found.pushedAt,
      pushedBy: found.pushedBy,
      parts: partsOf(found.document)
        .slice(0, MOST_PARTS)
        .map((part) => ({
          digest: part.digest,
          mediaType: part.mediaType,
          size: sizes.get(part.digest) ?? part.size,
          annotations: part.annotations ?? {},
        })),
    });
  }
  return referrers;
}

/** OCI Distribution 1.1 "Listing Referrers". */
async function withSubject(context: RegistryContext, repositoryId: number, subject: Digest): Promise<Digest[]> {
  const rows = await context.database.read
    .selectFrom('manifests')
    .select('digest')
    .where('repository_id', '=', repositoryId)
    .where('subject', '=', subject)
    .orderBy('digest')
    .limit(MOST_REFERRERS)
    .execute();
  return rows.map((row) => row.digest);
}

/** Which image of the same index an attestation of BuildKit's is about. */
const ABOUT = 'vnd.docker.reference.digest';

/** BuildKit's attestations are entries of the index beside the images that they are about. */
async function attestations(
  context: RegistryContext,
  repositoryId: number,
  subject: Digest,
  { manifests }: ManifestDocument,
): Promise<Descriptor[]> {
  if (manifests !== undefined) return manifests.filter(isAttestation);
  const found: Descriptor[] = [];
  for (const digest of await indexesWith(context, repositoryId, subject, MOST_INDEXES)) {
    const index = await findDocument(context, repositoryId, digest);
    const entries = index?.document.manifests ?? [];
    found.push(...entries.filter((entry) => isAttestation(entry) && entry.annotations?.[ABOUT] === subject));
  }
  return found;
}

/** What cosign makes of a digest where a registry has no referrers; the tag without an ending is that of OCI Distribution 1.1. */
const TAG_ENDINGS = ['', '.sig', '.att', '.sbom'];

async function tagged(context: RegistryContext, repositoryId: number, digest: Digest): Promise<Digest[]> {
  const name = `${digestAlgorithm(digest)}-${digestHex(digest)}`;
  const rows = await context.database.read
    .selectFrom('tags')
    .select('digest')
    .where('repository_id', '=', repositoryId)
    .where(
      'name',
      'in',
      TAG_ENDINGS.map((ending) => `${name}${ending}` as Tag),
    )
    .orderBy('name')
    .execute();
  const found: Digest[] = [];
  for (const row of rows) {
    const entries = (await findDocument(context, repositoryId, row.digest))?.document.manifests;
    // "Referrers Tag Schema": an index of what refers to it.
    found.push(...(entries?.map((entry) => entry.digest) ?? [row.digest]));
  }
  return found;
}
