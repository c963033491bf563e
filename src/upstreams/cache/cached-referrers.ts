import type { Digest } from '../../oci/digest.ts';
import type { Referrer } from '../../registry/referrers.ts';
import { UpstreamError } from '../upstream-error.ts';
import type { CachedRepository } from './cache-context.ts';
import type { UpstreamRequests } from './upstream-requests.ts';

/**
 * What the upstream says refers to a manifest: asked each time, since a signature may come at any time. Undefined when it can't be
 * asked, or knows nothing of it: then what is here is all there is to say.
 */
export async function referrersThere(
  requests: UpstreamRequests,
  { cache, remoteName }: CachedRepository,
  subject: Digest,
): Promise<Referrer[] | undefined> {
  try {
    const found = await requests.ask(cache, 'manifests', (client, signal) =>
      client.referrers(remoteName, subject, signal),
    );
    return found.map(({ mediaType, digest, size, artifactType, annotations }) => ({
      mediaType,
      digest,
      size,
      ...(artifactType === undefined ? {} : { artifactType }),
      ...(annotations === undefined ? {} : { annotations }),
    }));
  } catch (error) {
    if (error instanceof UpstreamError) return undefined;
    throw error;
  }
}
