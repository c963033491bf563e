import type { Digest } from '../../oci/digest.ts';
import type { Reference, RepositoryName, Tag } from '../../oci/names.ts';
import type { ByteRange } from '../../oci/ranges.ts';
import type { PulledManifest } from '../../registry/pull-reader.ts';
import type { Referrer } from '../../registry/referrers.ts';
import type { TagHistoryEntry } from '../../registry/tags.ts';
import type { Upload } from '../../registry/uploads.ts';
import type { StoredBlob } from '../../storage/blob-store.ts';

/** What a handler of /v2/ found or did. `render.ts` alone knows the status and headers of each. */
export type Outcome =
  | { kind: 'version' }
  /** `stale`: why it may be old. */
  | { kind: 'manifest'; manifest: PulledManifest; head: boolean; stale: string | undefined }
  | { kind: 'not-modified'; digest: Digest }
  | { kind: 'manifest-put'; name: RepositoryName; reference: Reference; digest: Digest; subject: Digest | undefined }
  | { kind: 'blob'; digest: Digest; blob: StoredBlob; range: ByteRange | undefined }
  /** Not here as a whole yet; its end comes when it is. */
  | {
      kind: 'blob-stream';
      digest: Digest;
      size: number | undefined;
      bytes: ReadableStream<Uint8Array>;
      range: ByteRange | undefined;
    }
  | { kind: 'blob-size'; digest: Digest; size: number | undefined }
  | { kind: 'blob-put'; name: RepositoryName; digest: Digest }
  | { kind: 'upload-accepted'; name: RepositoryName; upload: Upload }
  | { kind: 'upload-status'; name: RepositoryName; upload: Upload }
  | { kind: 'upload-cancelled' }
  | { kind: 'deleted' }
  | { kind: 'tags'; name: RepositoryName; tags: readonly Tag[]; next: string | undefined }
  | { kind: 'catalog'; repositories: readonly RepositoryName[]; next: string | undefined }
  | { kind: 'referrers'; referrers: readonly Referrer[]; filtered: boolean; next: string | undefined }
  | {
      kind: 'tag-history';
      name: RepositoryName;
      tag: Tag;
      entries: readonly TagHistoryEntry[];
      next: string | undefined;
    };
