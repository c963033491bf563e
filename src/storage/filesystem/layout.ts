import { join } from 'node:path';
import { type Digest, digestAlgorithm, digestHex, isDigest } from '../../oci/digest.ts';
import { isUploadId } from '../blob-store.ts';

/**
 * The disk layout of blobs and uploads, below the data directory:
 *
 *     blobs/
 *       sha256/
 *         3f/
 *           3f…64 hex         a whole blob, named by its digest; never changed, only removed
 *       sha512/
 *         …
 *     uploads/
 *       <id>                  a growing upload; renamed into blobs/ when its digest is verified
 *     removing/
 *       <algorithm>-<hex>.<id>  a blob out of reach, for the moment in which it is asked whether it may go
 *
 * The folders by first two hex digits are made once, at start, so that a commit has one directory to fsync.
 */
export function layout(root: string) {
  const blobs = join(root, 'blobs');
  const uploads = join(root, 'uploads');
  const removing = join(root, 'removing');
  return {
    root,
    blobs,
    uploads,
    removing,
    blobDirectory: (digest: Digest) => join(blobs, digestAlgorithm(digest), digestHex(digest).slice(0, 2)),
    blob: (digest: Digest) => join(blobs, digestAlgorithm(digest), digestHex(digest).slice(0, 2), digestHex(digest)),
    upload: (id: string) => {
      if (!isUploadId(id)) throw new TypeError(`not an upload id: ${JSON.stringify(id.slice(0, 100))}`);
      return join(uploads, id);
    },
    outOfReach: (digest: Digest, id: string) => join(removing, `${digestAlgorithm(digest)}-${digestHex(digest)}.${id}`),
  };
}

/** The digest that a file of removing/ was named for; undefined for a file that is none of ours. */
export function digestOfRemoving(file: string): Digest | undefined {
  const text = file.replace(/\..*$/, '').replace('-', ':');
  return isDigest(text) ? text : undefined;
}

/** The digest that a file below blobs/ALGORITHM/ is named for; undefined for a file that is none of ours. */
export function digestOfFile(algorithm: string, file: string): Digest | undefined {
  const text = `${algorithm}:${file}`;
  return isDigest(text) ? text : undefined;
}
