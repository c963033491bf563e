import type { Digest } from '../../oci/digest.ts';
import type { TagPrecondition } from '../../registry/tags.ts';
import type { BerthRequest } from '../request.ts';

/** `If-Match` and `If-None-Match` of a change to a tag: quoted digests, or `*` (RFC 9110 §13.1). */
export function tagPrecondition(request: BerthRequest): TagPrecondition {
  const match = request.header('if-match');
  const none = request.header('if-none-match');
  return { match: match === null ? undefined : entities(match), none: none === null ? undefined : entities(none) };
}

/** Whether `If-None-Match` of a read names `digest` (RFC 9110 §13.1.2). */
export function matchesEntity(header: string | null, digest: Digest): boolean {
  if (header === null) return false;
  const tags = entities(header);
  return tags.includes('*') || tags.includes(digest);
}

/** The entity tags of a list, without quotes and weakness. */
function entities(header: string): string[] {
  return header.split(',').map((tag) =>
    tag
      .trim()
      .replace(/^W\//, '')
      .replace(/^"(.*)"$/, '$1'),
  );
}
