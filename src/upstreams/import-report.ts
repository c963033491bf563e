import { OciError } from '../oci/errors.ts';
import { FileRefusedError, StoreFullError, StoreUnavailableError } from '../storage/blob-store.ts';
import { UpstreamError } from './upstream-error.ts';

export interface ImportFault {
  /** A repository, `repository:tag` or `repository@digest`, as it is called here. */
  subject: string;
  why: string;
}

/** What an import did; of a dry run, what it would do. */
export interface ImportResult {
  source: string;
  dryRun: boolean;
  repositories: number;
  /** Tags that were made or moved. */
  tags: number;
  /** Tags that named the same already. */
  tagsPresent: number;
  manifests: number;
  manifestsPresent: number;
  blobs: { copied: number; linked: number; mounted: number; present: number };
  /** Bytes that were read and stored anew; not those of links. */
  bytesCopied: number;
  bytesLinked: number;
  /** What could not be imported. */
  faults: ImportFault[];
  /** What was left out, though nothing is wrong. */
  notes: ImportFault[];
  /** Why it ended before everything was tried. */
  stopped?: string;
  /** When the source said that it answers again, ms since 1970. */
  retryAt?: number;
  seconds: number;
}

export function emptyResult(source: string, dryRun: boolean): ImportResult {
  return {
    source,
    dryRun,
    repositories: 0,
    tags: 0,
    tagsPresent: 0,
    manifests: 0,
    manifestsPresent: 0,
    blobs: { copied: 0, linked: 0, mounted: 0, present: 0 },
    bytesCopied: 0,
    bytesLinked: 0,
    faults: [],
    notes: [],
    seconds: 0,
  };
}

/** Whether what went wrong concerns one image, so that the others can be gone on with. */
export function concernsOne(error: unknown): boolean {
  if (error instanceof StoreFullError || error instanceof StoreUnavailableError) return false;
  return (
    error instanceof OciError ||
    error instanceof UpstreamError ||
    error instanceof FileRefusedError ||
    error instanceof RangeError
  );
}
