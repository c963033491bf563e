import type { Digest } from '../oci/digest.ts';

/**
 * Where blob bytes are kept: the port that every driver implements and `contract.ts` tests clause by clause.
 *
 * A driver knows no repositories and no database. It keeps two kinds of things: uploads, which grow by appending under
 * an id, and blobs, which are whole, named by their digest and never change. Nothing here assumes paths or renames:
 * an object store completes a multipart upload where the filesystem driver renames.
 *
 * Errors: `StoreFullError` when there is no space, `StoreUnavailableError` when the store cannot answer. "Not there" is
 * always a value (undefined, 0), never an error, so that the two cannot be confused.
 */
export interface BlobStore {
  /** The size of a blob in bytes, or undefined when it is not there. */
  stat(digest: Digest): Promise<number | undefined>;

  /**
   * A blob to send: its bytes (read lazily, sliceable) or an address to redirect to. Undefined when it is not there. Blobs
   * never change: a reading that has begun ends as it began, even if the blob is removed meanwhile.
   */
  read(digest: Digest): Promise<StoredBlob | undefined>;

  /**
   * Removes a blob. Idempotent: removing what is not there is success.
   *
   * With `mayGo` the bytes are first taken out of reach, and then it is asked whether they may go. They are put back when it says no or
   * throws, unless others have taken their place. So only bytes go that nobody could reach when `mayGo` said so, however long this
   * process stood still between its caller's decision and the end of the removal.
   */
  remove(digest: Digest, mayGo?: () => Promise<boolean>): Promise<void>;

  /** Ends the removals that were begun by a process which died, each as `remove` would have: the bytes go, or are put back. */
  finishRemovals(mayGo: (digest: Digest) => Promise<boolean>): Promise<void>;

  /** Every blob, in no given order. Blobs that come or go during the walk may be seen or not. */
  list(): AsyncIterable<StoredBlobInfo>;

  /**
   * Opens an upload for appending at `offset` bytes, creating it when `offset` is 0 and it is not there. Bytes
   * beyond `offset` are cut off, so that a chunk that was not acknowledged can be sent again. The caller makes sure
   * that one writer at a time is open. Throws RangeError when the upload holds fewer than `offset` bytes.
   */
  openUpload(id: string, offset: number): Promise<UploadWriter>;

  /** Bytes held by an upload; undefined when it is not there. Survives a restart of the process. */
  uploadSize(id: string): Promise<number | undefined>;

  /** The bytes of an upload from the beginning, to rebuild a hash. Undefined when it is not there. */
  readUpload(id: string): Promise<ReadableStream<Uint8Array> | undefined>;

  /**
   * Bytes of an upload from `offset` on, `most` at most, also while it grows; none when it is no longer than that. Undefined when it is
   * not there.
   */
  readUploadPart(id: string, offset: number, most: number): Promise<Uint8Array<ArrayBuffer> | undefined>;

  /**
   * Makes an upload the blob `digest`, atomically: the blob is there whole or not at all. Durable on return: a power
   * cut after it loses nothing. The caller has verified the digest. Replaces an equal blob; the
   * upload is gone after, also when its bytes could not be made durable.
   */
  commitUpload(id: string, digest: Digest): Promise<void>;

  /**
   * Makes a file of this machine the blob `digest`: as a second name of the same bytes where the store can do that (`linked`),
   * else as a copy. Atomic, durable and replacing as `commitUpload`; the file stays, and must never change. The caller has
   * verified the digest; the size is compared. Throws FileRefusedError when the file is not there or may not be read, RangeError
   * when it has another size; then nothing is changed.
   */
  importFile(path: string, digest: Digest, size: number): Promise<'linked' | 'copied'>;

  /** Removes an upload. Idempotent. */
  discardUpload(id: string): Promise<void>;

  /** Every upload, in no given order. */
  listUploads(): AsyncIterable<StoredUploadInfo>;

  /** Whether it answers and takes writes; one that is full is well. Throws StoreUnavailableError that says why not. */
  check(): Promise<void>;

  /**
   * What the place can hold in all and what is left of it for this process, in bytes; others may use the same place. Undefined
   * where a store has no such bound.
   */
  space(): Promise<StoreSpace | undefined>;
}

export interface StoreSpace {
  total: number;
  free: number;
}

export interface UploadWriter {
  /** Appends; resolves when the store has taken the bytes (they may not be durable yet) and `chunk` may be reused. */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Must be called, also after a failed write. What was written stays, unless the store finds that it may be lost: then it
   * throws, and the upload is empty. Idempotent.
   */
  close(): Promise<void>;
}

export type StoredBlob = { kind: 'bytes'; bytes: Blob; size: number } | { kind: 'redirect'; url: string; size: number };

export interface StoredBlobInfo {
  digest: Digest;
  size: number;
  /** When it was stored, ms since 1970. */
  modifiedAt: number;
}

export interface StoredUploadInfo {
  id: string;
  /** When bytes were last appended, ms since 1970. */
  modifiedAt: number;
}

/** What a store takes as an upload's id. A driver also tells by it what others left among its uploads. */
export function isUploadId(id: string): boolean {
  return /^[a-z0-9-]{8,64}$/.test(id);
}

/** No space, quota or inodes left. Nothing that was acknowledged is affected. */
export class StoreFullError extends Error {
  override readonly name = 'StoreFullError';
}

/** A file outside the store can't be taken over; the store itself is well. */
export class FileRefusedError extends Error {
  override readonly name = 'FileRefusedError';
}

/** The store did not answer, or refused: says nothing about whether a blob is there. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError';
}
