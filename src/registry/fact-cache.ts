import { LRUCache } from 'lru-cache';
import type { Digest } from '../oci/digest.ts';

/** What never changes of a manifest, as far as lists need it. */
export interface Summary {
  mediaType: string;
  kind: 'image' | 'index' | 'artifact';
  /** Of an image. */
  config: { digest: Digest; size: number } | undefined;
  /** Manifests that it names. */
  entries: { digest: Digest; platform: string | null; isImage: boolean }[];
  /** Its config and layers, as they are stored. */
  blobs: { digest: Digest; size: number }[];
}

/** What this process has read of manifests and configs for lists. By digest, so that nothing in it goes stale. */
export class FactCache {
  /** Counted in descriptors, of about 200 bytes each. */
  readonly summaries = new LRUCache<Digest, Summary>({
    maxSize: 40_000,
    sizeCalculation: ({ blobs, entries }) => 1 + blobs.length + entries.length,
  });
  /** By the config's digest; '' when it says none. */
  readonly platforms = new LRUCache<Digest, string>({ max: 20_000 });
}
