import type { Digest } from '../oci/digest.ts';
import type { Reference, RepositoryName, Tag } from '../oci/names.ts';

/** Where images are imported from. Nothing is trusted: the importer compares every digest and size. */
export interface ImportSource {
  /** For histories and messages: an address or a path. */
  readonly where: string;
  /** What was asked for and found, in the source's order. What can't be imported at all comes as a fault. */
  repositories(): AsyncIterable<SourceRepository | SourceFault>;
}

export interface SourceFault {
  kind: 'fault';
  /** What it is about: a repository, `repository:tag`, a file. */
  subject: string;
  why: string;
}

export interface SourceRepository {
  kind: 'repository';
  /** As the source calls it. */
  name: string;
  /** What it is called here. */
  to: RepositoryName;
  images(): AsyncIterable<SourceImage>;
  /** What a reference names now. @throws UpstreamError not-found */
  digestOf(reference: Reference): Promise<Digest>;
  /** @throws UpstreamError not-found */
  manifest(digest: Digest): Promise<SourceManifest>;
  /** The bytes of a blob of `size` bytes. May fail while they are read. @throws UpstreamError not-found */
  blob(digest: Digest, size: number): Promise<SourceBlob>;
  /** Manifests whose subject is `digest`. */
  referrers(digest: Digest): Promise<Digest[]>;
  /** Tags that stand for what belongs to `digest`, as cosign's `sha256-….sig`, and are not among `images`. */
  companions(digest: Digest): Tag[];
}

export interface SourceImage {
  reference: Reference;
  /** What the tag named before, oldest first. */
  former?: Digest[];
}

export interface SourceManifest {
  bytes: Uint8Array<ArrayBuffer>;
  mediaType: string;
}

/** `file`: may be taken over as it is. */
export type SourceBlob =
  | { kind: 'file'; path: string; size: number }
  | { kind: 'bytes'; stream: ReadableStream<Uint8Array> };

/** Cosign and the referrers tag schema name what belongs to a digest by a tag. */
export function isCompanionOf(tag: Tag, digest: Digest): boolean {
  const stem = digest.replace(':', '-');
  return tag === stem || tag.startsWith(`${stem}.`);
}
