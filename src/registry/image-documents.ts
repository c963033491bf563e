import type { Digest } from '../oci/digest.ts';
import type { Reference, RepositoryName } from '../oci/names.ts';
import type { RegistryContext } from './context.ts';
import { readConfig } from './image-config.ts';
import { isAttestation, type ManifestDocument, parseDocument } from './image-facts.ts';
import { textEntriesOf } from './json-values.ts';
import { unknownManifest } from './manifests.ts';
import { getRepository } from './repositories.ts';

/** A manifest of a repository, read. */
export interface StoredDocument {
  digest: Digest;
  mediaType: string;
  /** Its own, else its config's media type. */
  artifactType: string | null;
  /** Of the manifest alone. */
  size: number;
  /** ms since 1970 */
  pushedAt: number;
  pushedBy: string;
  document: ManifestDocument;
}

/** What a reference names now. @throws OciError NAME_UNKNOWN, MANIFEST_UNKNOWN */
export async function getDocument(
  context: RegistryContext,
  name: RepositoryName,
  reference: Reference,
): Promise<StoredDocument & { repositoryId: number }> {
  const { id } = await getRepository(context, name);
  const digest = reference.kind === 'digest' ? reference.digest : await digestOfTag(context, id, reference);
  const found = digest && (await findDocument(context, id, digest));
  if (found === undefined) throw unknownManifest(name, reference);
  return { ...found, repositoryId: id };
}

async function digestOfTag(
  context: RegistryContext,
  repositoryId: number,
  { tag }: Reference & { kind: 'tag' },
): Promise<Digest | undefined> {
  const row = await context.database.read
    .selectFrom('tags')
    .select('digest')
    .where('repository_id', '=', repositoryId)
    .where('name', '=', tag)
    .executeTakeFirst();
  return row?.digest;
}

export async function findDocument(
  context: RegistryContext,
  repositoryId: number,
  digest: Digest,
): Promise<StoredDocument | undefined> {
  const row = await context.database.read
    .selectFrom('manifests')
    .select(['media_type', 'artifact_type', 'size', 'pushed_at', 'pushed_by', 'content'])
    .where('repository_id', '=', repositoryId)
    .where('digest', '=', digest)
    .executeTakeFirst();
  return (
    row && {
      digest,
      mediaType: row.media_type,
      artifactType: row.artifact_type,
      size: row.size,
      pushedAt: row.pushed_at,
      pushedBy: row.pushed_by,
      document: parseDocument(row.content),
    }
  );
}

/** Up to `most` indexes of the repository that name a manifest, in no given order. */
export async function indexesWith(
  context: RegistryContext,
  repositoryId: number,
  digest: Digest,
  most: number,
): Promise<Digest[]> {
  const rows = await context.database.read
    .selectFrom('manifest_references')
    .select('manifest')
    .where('repository_id', '=', repositoryId)
    .where('target', '=', digest)
    .where('kind', '=', 'manifest')
    .limit(most)
    .execute();
  return rows.map((row) => row.manifest);
}

/** More than anybody writes. */
const MOST_LABELS = 1_000;

/** The labels of an image's config, and of an artifact's where it has such. */
export function labelsOf(config: Record<string, unknown> | undefined): Record<string, string> {
  const run = config?.config;
  return typeof run === 'object' && run !== null && 'Labels' in run ? textEntriesOf(run.Labels, MOST_LABELS) : {};
}

/**
 * What an image says of itself: the annotations of its index come before those of its manifest, and these before its config's labels. Of
 * an index, its first image speaks.
 *
 * @param known the config of an image, when it was read before
 */
export async function saidOfImage(
  context: RegistryContext,
  repositoryId: number,
  top: ManifestDocument,
  known?: Record<string, unknown>,
): Promise<{ annotations: Record<string, string>; image: ManifestDocument | undefined }> {
  const first = top.manifests?.find((entry) => !isAttestation(entry));
  const image = first === undefined ? top : (await findDocument(context, repositoryId, first.digest))?.document;
  const config = known ?? (await readConfig(context, image?.config));
  return { annotations: { ...labelsOf(config), ...image?.annotations, ...top.annotations }, image };
}

/** The stored size of each blob that a manifest names: what it says of them itself, nobody has checked. */
export async function blobSizes(
  context: RegistryContext,
  repositoryId: number,
  manifest: Digest,
): Promise<Map<Digest, number>> {
  const rows = await context.database.read
    .selectFrom('manifest_references as l')
    .innerJoin('blobs as b', 'b.digest', 'l.target')
    .select(['b.digest', 'b.size'])
    .where('l.repository_id', '=', repositoryId)
    .where('l.manifest', '=', manifest)
    .where('l.kind', '<>', 'manifest')
    .execute();
  return new Map(rows.map((row) => [row.digest, row.size]));
}
