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
 *
 * The folders by first two hex digits are made once, at start, so that a commit has one directory to fsync.
 */
export function layout(root: string) {
  const blobs = join(root, 'blobs');
  const uploads = join(root, 'uploads');
  return {
    root,
    blobs,
    uploads,
    blobDirectory: (digest: Digest) => join(blobs, digestAlgorithm(digest), digestHex(digest).slice(0, 2)),
    blob: (digest: Digest) => join(blobs, digestAlgorithm(digest), digestHex(digest).slice(0, 2), digestHex(digest)),
    upload: (id: string) => {
      if (!isUploadId(id)) throw new TypeError(`not an upload id: ${JSON.stringify(id.slice(0, 100))}`);
      return join(uploads, id);
    },
  };
}

/** The digest that a file below blobs/ALGORITHM/ is named for; undefined for a file that is none of ours. */
export function digestOfFile(algorithm: string, file: string): Digest | undefined {
  const text = `${algorithm}:${file}`;
  return isDigest(text) ? text : undefined;
}
