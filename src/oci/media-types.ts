/** Media types of OCI Image 1.1 and Docker Image Manifest v2 schema 2. */
export const MEDIA = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociArtifact: 'application/vnd.oci.artifact.manifest.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  octets: 'application/octet-stream',
} as const;

/** What a manifest of each accepted media type holds: an image's config and layers, other manifests, or blobs. */
export const MANIFEST_SHAPES = {
  [MEDIA.ociManifest]: 'image',
  [MEDIA.dockerManifest]: 'image',
  [MEDIA.ociIndex]: 'index',
  [MEDIA.dockerList]: 'index',
  [MEDIA.ociArtifact]: 'artifact',
} as const;

export type ManifestMediaType = keyof typeof MANIFEST_SHAPES;

export function isManifestMediaType(text: string): text is ManifestMediaType {
  return Object.hasOwn(MANIFEST_SHAPES, text);
}

/** Layers that live elsewhere: a manifest may name them without their bytes being in the repository. */
const FOREIGN = new Set([
  'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
  'application/vnd.docker.image.rootfs.foreign.diff.tar',
  'application/vnd.oci.image.layer.nondistributable.v1.tar',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd',
]);

export function isForeignLayer(mediaType: string): boolean {
  return FOREIGN.has(mediaType);
}

/** The type without its parameters, trimmed and in lower case; '' for none. */
export function bareMediaType(header: string | null): string {
  return (header ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}
