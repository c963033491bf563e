import type { Digest } from '../oci/digest.ts';
import { MANIFEST_MAX_BYTES } from '../oci/manifest.ts';
import type { RepositoryName } from '../oci/names.ts';
import type { RegistryContext } from './context.ts';
import { findRepository, renamedRepository } from './repositories.ts';

/** A descriptor of OCI Image 1.1, as the referrers list has it. */
export interface Referrer {
  mediaType: string;
  digest: Digest;
  size: number;
  artifactType?: string;
  annotations?: Record<string, string>;
}

/** Clients read a list as they read a manifest, with the same limit of 4 MiB. */
const PAGE_MAX_BYTES = MANIFEST_MAX_BYTES - 1_024;

/**
 * One page of the manifests whose subject is `subject`, by digest (end-12). Empty for a subject or repository that is not there.
 *
 * @throws OciError NAME_UNKNOWN for a former name of a repository
 */
export async function listReferrers(
  context: RegistryContext,
  name: RepositoryName,
  subject: Digest,
  page: { artifactType?: string | undefined; last?: string | undefined; limit: number },
): Promise<{ referrers: Referrer[]; more: boolean }> {
  const repository = await findRepository(context, name);
  if (repository === undefined) {
    const renamed = await renamedRepository(context, name);
    if (renamed !== undefined) throw renamed;
    return { referrers: [], more: false };
  }
  let query = context.database.read
    .selectFrom('manifests')
    .select(['media_type', 'digest', 'size', 'artifact_type', 'annotations'])
    .where('repository_id', '=', repository.id)
    .where('subject', '=', subject)
    .where('digest', '>', (page.last ?? '') as Digest)
    .orderBy('digest')
    .limit(page.limit + 1);
  if (page.artifactType !== undefined) query = query.where('artifact_type', '=', page.artifactType);
  const rows = await query.execute();
  const referrers: Referrer[] = [];
  let bytes = 0;
  for (const row of rows.slice(0, page.limit)) {
    const referrer = {
      mediaType: row.media_type,
      digest: row.digest,
      size: row.size,
      ...(row.artifact_type === null ? {} : { artifactType: row.artifact_type }),
      ...(row.annotations === null ? {} : { annotations: JSON.parse(row.annotations) as Record<string, string> }),
    };
    bytes += Buffer.byteLength(JSON.stringify(referrer)) + 1;
    if (bytes > PAGE_MAX_BYTES && referrers.length > 0) break;
    referrers.push(referrer);
  }
  return { referrers, more: rows.length > referrers.length };
}
