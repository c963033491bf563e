import { type Digest, isDigest, parseDigest } from './digest.ts';
import { OciError } from './errors.ts';

declare const nameBrand: unique symbol;
declare const tagBrand: unique symbol;

/** OCI Distribution 1.1 "Pulling manifests": path components in lower case joined by `/`, at most 255 characters. */
export type RepositoryName = string & { readonly [nameBrand]: 'RepositoryName' };
/** OCI Distribution 1.1 "Pulling manifests": at most 128 of `[a-zA-Z0-9._-]`, not beginning with `.` or `-`. */
export type Tag = string & { readonly [tagBrand]: 'Tag' };
/** What stands behind `/manifests/`: a tag or a digest. */
export type Reference = { kind: 'tag'; tag: Tag } | { kind: 'digest'; digest: Digest };

const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const NAME_MAX = 255;

export function isRepositoryName(text: string): text is RepositoryName {
  return text.length <= NAME_MAX && NAME.test(text);
}

/** The first component of a name; '' for a name at the root, which has no slash. */
export function namespaceOf(name: RepositoryName): string {
  return name.slice(0, Math.max(0, name.indexOf('/')));
}

/** @throws OciError NAME_INVALID */
export function parseRepositoryName(text: string): RepositoryName {
  if (isRepositoryName(text)) return text;
  throw new OciError(
    'NAME_INVALID',
    text.length > NAME_MAX
      ? `name: longer than ${NAME_MAX} characters`
      : `name: ${JSON.stringify(clip(text))} is not lower-case path components joined by "/" (each [a-z0-9] with single ".", "_", "__" or "-" between)`,
    { name: clip(text) },
  );
}

export function isTag(text: string): text is Tag {
  return TAG.test(text);
}

/** @throws OciError TAG_INVALID */
export function parseTag(text: string): Tag {
  if (isTag(text)) return text;
  throw new OciError(
    'TAG_INVALID',
    `tag: ${JSON.stringify(clip(text))} is not 1 to 128 of [a-zA-Z0-9._-], or begins with "." or "-"`,
    { tag: clip(text) },
  );
}

/** @throws OciError DIGEST_INVALID when there is a colon, TAG_INVALID otherwise */
export function parseReference(text: string): Reference {
  if (isDigest(text)) return { kind: 'digest', digest: text };
  if (text.includes(':')) return { kind: 'digest', digest: parseDigest(text, 'reference') };
  return { kind: 'tag', tag: parseTag(text) };
}

export function referenceText(reference: Reference): string {
  return reference.kind === 'tag' ? reference.tag : reference.digest;
}

function clip(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
