import { type Digest, type DigestAlgorithm, digestAlgorithm, parseDigest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/names.ts';
import type { ByteRange } from '../oci/ranges.ts';
import { isUploadId } from '../storage/blob-store.ts';
import { claimBlob } from './blob-claims.ts';
import { linkBlob } from './blobs.ts';
import { refuseCached } from './cache-prefixes.ts';
import type { Actor, RegistryContext } from './context.ts';
import { checkRoom, mostUploadBytes, uploadTooLarge } from './quotas.ts';
import { ensureRepository } from './repositories.ts';
import type { RunningHash } from './upload-hashes.ts';
import { holdUpload, unknownUpload } from './upload-holder.ts';

export interface Upload {
  id: string;
  /** Bytes received so far. */
  size: number;
}

/** The bytes of a request that go into an upload. */
export interface UploadChunk {
  /** Consumed: the memory of its pieces is given back, so nobody else may hold them. */
  body: ReadableStream<Uint8Array> | null;
  /** From `Content-Range`: where the client believes the chunk belongs. */
  range?: ByteRange | undefined;
  /** From `Content-Length`. */
  length?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** OCI Distribution 1.1 "Pushing blobs", end-4a. @throws OciError DENIED for a former name of a repository, and below a cache */
export async function startUpload(context: RegistryContext, name: RepositoryName, actor: Actor): Promise<Upload> {
  await refuseCached(context.caches, name);
  context.database.requireRoom();
  const id = context.newId();
  const now = context.now();
  await context.database.relaxedTransaction(async (tx) => {
    const repository = await ensureRepository(context, tx, name, actor);
    await tx
      .insertInto('uploads')
      .values({
        id,
        repository_id: repository.id,
        started_at: now,
        touched_at: now,
        holder: null,
        holder_until: 0,
        asked_to_yield: 0,
        hashed_digest: null,
        hashed_bytes: 0,
      })
      .execute();
  }, 'growth');
  context.onStep('upload-started');
  return { id, size: 0 };
}

/**
 * What an upload holds, for a client that wants to go on (end-13).
 *
 * @throws OciError BLOB_UPLOAD_UNKNOWN
 */
export async function uploadStatus(context: RegistryContext, name: RepositoryName, id: string): Promise<Upload> {
  const row = await context.database.read
    .selectFrom('uploads as u')
    .innerJoin('repositories as r', 'r.id', 'u.repository_id')
    .select('u.id')
    .where('u.id', '=', isUploadId(id) ? id : '')
    .where('r.name', '=', name)
    .executeTakeFirst();
  if (row === undefined) throw unknownUpload(id);
  return { id, size: (await context.store.uploadSize(id)) ?? 0 };
}

/**
 * Appends a chunk (end-5). When the connection breaks, what had arrived stays, and the client can go on from there.
 *
 * @throws OciError BLOB_UPLOAD_UNKNOWN; CHUNK_OUT_OF_ORDER when the chunk does not begin where the upload ends; SIZE_INVALID when
 *   `Content-Range` and the body disagree
 */
export async function appendUpload(
  context: RegistryContext,
  name: RepositoryName,
  id: string,
  chunk: UploadChunk,
): Promise<Upload> {
  context.database.requireRoom();
  return holdUpload(context, { name, id }, async (signal, hold) => {
    const { size, running } = await append(context, { name, id }, chunk, signal);
    hold.hashed = running && { digest: digestFrom(running), bytes: size };
    if (running !== undefined) context.hashes.put(id, running);
    context.onStep('upload-appended');
    return { id, size };
  });
}

/**
 * Appends the last chunk, if there is one, verifies the whole and makes it a blob of the repository (end-6, end-4b). On return
 * it is durable. When the digest does not match, the upload is as it was before this request.
 *
 * @throws OciError as `appendUpload`, and DIGEST_INVALID
 */
export async function completeUpload(
  context: RegistryContext,
  name: RepositoryName,
  id: string,
  digest: Digest,
  chunk: UploadChunk,
): Promise<void> {
  context.database.requireRoom();
  await holdUpload(context, { name, id }, async (signal, hold) => {
    const before = (await context.store.uploadSize(id)) ?? 0;
    const { size, running } = await append(context, { name, id }, chunk, signal, digestAlgorithm(digest));
    await hold.keep();
    // What another worker, or this one before a restart, found when the last chunk ended.
    const known = size === before && hold.hashed?.bytes === size ? hold.hashed.digest : undefined;
    const found =
      known !== undefined && running === undefined && digestAlgorithm(known) === digestAlgorithm(digest)
        ? known
        : await hashOf(context, id, digestAlgorithm(digest), running);
    if (found !== digest) {
      await truncate(context, id, before);
      throw new OciError('DIGEST_INVALID', `digest: the ${size} bytes uploaded are ${found}, not ${digest}`, {
        digest,
        uploaded: found,
      });
    }
    await checkRoom(context, name, { digest, size }).catch(async (error) => {
      // Nobody goes on with an upload that does not fit; its bytes would lie here until it expires.
      await truncate(context, id, 0);
      throw error;
    });
    await claimBlob(context, digest, size);
    await context.store.commitUpload(id, digest);
    context.onStep('blob-committed');
    await context.database.transaction(async (tx) => {
      const { numDeletedRows } = await tx.deleteFrom('uploads').where('id', '=', id).executeTakeFirstOrThrow();
      // It went with its repository, which was deleted meanwhile.
      if (numDeletedRows === 0n) throw unknownUpload(id);
      await linkBlob(context, tx, hold.repositoryId, digest, size);
    }, 'growth');
    hold.ended = true;
    context.onStep('blob-linked');
  });
}

/** Ends an upload without a blob (Docker Registry v2 "Canceling an Upload"). @throws OciError BLOB_UPLOAD_UNKNOWN */
export async function cancelUpload(context: RegistryContext, name: RepositoryName, id: string): Promise<void> {
  await holdUpload(context, { name, id }, async (_signal, hold) => {
    context.hashes.forget(id);
    await context.store.discardUpload(id);
    await context.database.relaxedTransaction((tx) => tx.deleteFrom('uploads').where('id', '=', id).execute());
    hold.ended = true;
  });
}

/** Up to so many uploads of a process read ahead of the disk. */
const AHEAD = 4;

/**
 * Gives a piece's memory back at once. Left to the collector, which does not see the size of what Bun's sockets filled, 64
 * uploads hold 600 MB of pieces that are written already.
 */
function release({ buffer, byteOffset, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && byteOffset === 0 && byteLength === buffer.byteLength) buffer.transfer(0);
}

/** Streams the body, whose pieces it takes over, to the store, hashing on the way. `running` is undefined when the hash must be rebuilt. */
async function append(
  context: RegistryContext,
  { name, id }: { name: RepositoryName; id: string },
  chunk: UploadChunk,
  yielding: AbortSignal,
  algorithm: DigestAlgorithm = 'sha256',
): Promise<{ size: number; running: RunningHash | undefined }> {
  const start = (await context.store.uploadSize(id)) ?? 0;
  checkRange(chunk, start);
  let running = context.hashes.take(id, start);
  if (running !== undefined && running.algorithm !== algorithm) {
    running = start === 0 ? { hasher: new Bun.CryptoHasher(algorithm), algorithm, offset: 0 } : undefined;
  }
  const limit = chunk.range === undefined ? Number.POSITIVE_INFINITY : chunk.range.end - chunk.range.start + 1;
  if (chunk.body === null || chunk.length === 0) {
    if (limit !== Number.POSITIVE_INFINITY) throw wrongSize(limit);
    if (start === 0) await (await context.store.openUpload(id, 0)).close();
    return { size: start, running };
  }
  const most = await mostUploadBytes(context, name);
  if (start + (chunk.length ?? 0) > most) throw await tooLarge(context, { name, id }, start + (chunk.length ?? 0));
  const signal = chunk.signal === undefined ? yielding : AbortSignal.any([yielding, chunk.signal]);
  const writer = await context.store.openUpload(id, start);
  let size = start;
  let over = false;
  let beyondQuota = false;
  let writing: Promise<void> = Promise.resolve();
  context.hashes.appending++;
  try {
    for await (const bytes of abortable(chunk.body, signal)) {
      over = size - start + bytes.byteLength > limit;
      beyondQuota = size + bytes.byteLength > most;
      if (over || beyondQuota) break;
      context.database.requireRoom();
      await writing;
      const { byteLength } = bytes;
      writing = writer.write(bytes).then(() => release(bytes));
      writing.catch(() => {});
      running?.hasher.update(bytes);
      size += byteLength;
      if (running !== undefined) running.offset = size;
      // The disk takes one piece while the next is read and hashed; not when many uploads keep it busy anyway.
      if (context.hashes.appending > AHEAD) await writing;
    }
    await writing;
  } catch (error) {
    // What arrived before the connection broke stays, so its hash is worth keeping, unless a write failed.
    const written = await writing.then(
      () => true,
      () => false,
    );
    if (written && running !== undefined) context.hashes.put(id, running);
    throw error;
  } finally {
    context.hashes.appending--;
    await writing.catch(() => {});
    context.onReceived(size - start);
    await writer.close();
  }
  if (beyondQuota && !over) throw await tooLarge(context, { name, id }, most + 1);
  if (over || (limit !== Number.POSITIVE_INFINITY && size - start !== limit)) {
    await truncate(context, id, start);
    throw wrongSize(limit);
  }
  return { size, running };
}

/** Empties an upload that can't become a blob, whatever else the namespace gives up. */
async function tooLarge(
  context: RegistryContext,
  { name, id }: { name: RepositoryName; id: string },
  size: number,
): Promise<OciError> {
  await truncate(context, id, 0);
  return uploadTooLarge(context, name, size);
}

function wrongSize(covered: number): OciError {
  return new OciError('SIZE_INVALID', `content-range: covers ${covered} bytes, the body has another number`, {
    contentRange: covered,
  });
}

/** OCI Distribution 1.1 "Pushing a blob in chunks": a chunk out of order gets 416. */
function checkRange(chunk: UploadChunk, start: number): void {
  if (chunk.range === undefined) return;
  if (chunk.range.start !== start) {
    throw new OciError(
      'CHUNK_OUT_OF_ORDER',
      `content-range: begins at ${chunk.range.start}, but the upload has ${start} bytes`,
      {
        expected: start,
        received: chunk.range.start,
      },
    );
  }
  const covered = chunk.range.end - chunk.range.start + 1;
  if (chunk.length !== undefined && chunk.length !== covered) {
    throw new OciError('SIZE_INVALID', `content-length: ${chunk.length} bytes, but content-range covers ${covered}`, {
      contentLength: chunk.length,
      contentRange: covered,
    });
  }
}

/** The body's pieces; when `signal` fires, no further one is waited for and its reason is thrown. */
async function* abortable(body: ReadableStream<Uint8Array>, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const reader = body.getReader();
  const cancel = () => void reader.cancel(signal.reason).catch(() => {});
  signal.addEventListener('abort', cancel, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener('abort', cancel);
    cancel();
  }
}

async function hashOf(
  context: RegistryContext,
  id: string,
  algorithm: DigestAlgorithm,
  running: RunningHash | undefined,
): Promise<Digest> {
  if (running?.algorithm === algorithm) return digestFrom(running);
  const hasher = new Bun.CryptoHasher(algorithm);
  const bytes = await context.store.readUpload(id);
  if (bytes !== undefined) for await (const piece of bytes) hasher.update(piece);
  return parseDigest(`${algorithm}:${hasher.digest('hex')}`);
}

/** Leaves the hash open, so that more bytes may follow. */
function digestFrom({ hasher, algorithm }: RunningHash): Digest {
  return parseDigest(`${algorithm}:${hasher.copy().digest('hex')}`);
}

async function truncate(context: RegistryContext, id: string, size: number): Promise<void> {
  context.hashes.forget(id);
  await (await context.store.openUpload(id, size)).close();
}
