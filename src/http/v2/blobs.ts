import { type Digest, parseDigest } from '../../oci/digest.ts';
import { isRepositoryName, parseRepositoryName, type RepositoryName } from '../../oci/names.ts';
import { parseContentRange, parseRange } from '../../oci/ranges.ts';
import { deleteBlob, mountBlob, readBlob, repositoriesWithBlob, statBlob } from '../../registry/blobs.ts';
import type { RegistryContext } from '../../registry/context.ts';
import {
  appendUpload,
  cancelUpload,
  completeUpload,
  startUpload,
  type UploadChunk,
  uploadStatus,
} from '../../registry/uploads.ts';
import type { StoredBlob } from '../../storage/blob-store.ts';
import type { CachedBlob } from '../../upstreams/cache/cached-blobs.ts';
import { type BerthRequest, contentLength } from '../request.ts';
import type { V2Context } from './context.ts';
import type { Outcome } from './outcome.ts';
import { matchesEntity } from './preconditions.ts';

/** Repositories looked at for a mount that does not say where from. */
const MOUNT_CANDIDATES = 50;

export async function pullBlob(registry: V2Context, request: BerthRequest): Promise<Outcome> {
  const name = parseRepositoryName(request.param('name'));
  const digest = parseDigest(request.param('digest'));
  const found = registry.through.cacheOf(name);
  const cache = found instanceof Promise ? await found : found;
  let blob: StoredBlob;
  if (cache === undefined) blob = await readBlob(registry, name, digest);
  else {
    const cached = await registry.through.blob(cache, name, digest, request.raw.signal);
    if (cached.kind !== 'stored') return growingBlob(request, digest, cached);
    blob = cached.blob;
  }
  if (matchesEntity(request.header('if-none-match'), digest)) return { kind: 'not-modified', digest };
  const range = wantsRange(request, digest) ? parseRange(request.header('range'), blob.size) : undefined;
  return { kind: 'blob', digest, blob, range };
}

function growingBlob(request: BerthRequest, digest: Digest, cached: Exclude<CachedBlob, { kind: 'stored' }>): Outcome {
  if (matchesEntity(request.header('if-none-match'), digest)) return { kind: 'not-modified', digest };
  const { size } = cached;
  // A range needs to know where the end is. Whoever asked for one takes the whole, too (RFC 9110 §14.2).
  if (cached.kind === 'passing' || size === undefined || !wantsRange(request, digest)) {
    return { kind: 'blob-stream', digest, size, bytes: cached.open(), range: undefined };
  }
  const range = parseRange(request.header('range'), size);
  const bytes = cached.open(range && { start: range.start, end: range.end + 1 });
  return { kind: 'blob-stream', digest, size, bytes, range };
}

export async function headBlob(registry: V2Context, request: BerthRequest): Promise<Outcome> {
  const name = parseRepositoryName(request.param('name'));
  const digest = parseDigest(request.param('digest'));
  const found = registry.through.cacheOf(name);
  const cache = found instanceof Promise ? await found : found;
  const size =
    cache === undefined ? await statBlob(registry, name, digest) : await registry.through.blobSize(cache, name, digest);
  if (matchesEntity(request.header('if-none-match'), digest)) return { kind: 'not-modified', digest };
  return { kind: 'blob-size', digest, size };
}

export async function removeBlob(registry: RegistryContext, request: BerthRequest): Promise<Outcome> {
  const name = parseRepositoryName(request.param('name'));
  await deleteBlob(registry, name, parseDigest(request.param('digest')), request.actor);
  return { kind: 'deleted' };
}

/** POST of an upload: a mount when it can be, a whole blob when the digest is there, else a session. */
export async function beginUpload(registry: RegistryContext, request: BerthRequest): Promise<Outcome> {
  const name = parseRepositoryName(request.param('name'));
  const mount = request.query('mount');
  if (mount !== undefined) {
    const digest = parseDigest(mount, 'mount');
    for (const from of await mountSources(registry, request)) {
      if (await mountBlob(registry, name, digest, from, request.actor)) return { kind: 'blob-put', name, digest };
    }
  }
  const whole = request.query('digest');
  const digest = whole === undefined ? undefined : parseDigest(whole);
  const upload = await startUpload(registry, name, request.actor);
  if (digest === undefined || mount !== undefined) return { kind: 'upload-accepted', name, upload };
  try {
    await completeUpload(registry, name, upload.id, digest, chunkOf(request));
  } catch (error) {
    // The client never learns this upload's address, so nobody could go on with it.
    await cancelUpload(registry, name, upload.id).catch(() => {});
    throw error;
  }
  return { kind: 'blob-put', name, digest };
}

export async function showUpload(registry: RegistryContext, request: BerthRequest): Promise<Outcome> {
  const name = parseRepositoryName(request.param('name'));
  return { kind: 'upload-status', name, upload: await uploadStatus(registry, name, request.param('upload')) };
}

export async function pushChunk(registry: RegistryContext, request: BerthRequest): Promise<Outcome> {
  const name = parseRepositoryName(request.param('name'));
  return {
    kind: 'upload-accepted',
    name,
    upload: await appendUpload(registry, name, request.param('upload'), chunkOf(request)),
  };
}

export async function finishUpload(registry: RegistryContext, request: BerthRequest): Promise<Outcome> {
  const name = parseRepositoryName(request.param('name'));
  const digest = parseDigest(request.query('digest') ?? '');
  await completeUpload(registry, name, request.param('upload'), digest, chunkOf(request));
  return { kind: 'blob-put', name, digest };
}

export async function stopUpload(registry: RegistryContext, request: BerthRequest): Promise<Outcome> {
  await cancelUpload(registry, parseRepositoryName(request.param('name')), request.param('upload'));
  return { kind: 'upload-cancelled' };
}

/** Only from where the caller may read: else a mount would show what is in a private repository. */
async function mountSources(registry: RegistryContext, request: BerthRequest): Promise<RepositoryName[]> {
  const from = request.query('from');
  if (from === undefined) {
    const candidates = await repositoriesWithBlob(
      registry,
      parseDigest(request.query('mount') ?? ''),
      MOUNT_CANDIDATES,
    );
    const readable: RepositoryName[] = [];
    for (const name of candidates) if (await request.may('read', name)) readable.push(name);
    return readable;
  }
  // A mount that can't be done opens a session, whatever the reason (OCI Distribution 1.1 "Mounting a blob").
  return isRepositoryName(from) && (await request.may('read', from)) ? [from] : [];
}

/** RFC 9110 §13.1.5: with another entity in `If-Range`, the whole. */
function wantsRange(request: BerthRequest, digest: Digest): boolean {
  const condition = request.header('if-range');
  return condition === null || condition.trim() === `"${digest}"`;
}

function chunkOf(request: BerthRequest): UploadChunk {
  return {
    body: request.raw.body,
    length: contentLength(request),
    range: parseContentRange(request.header('content-range')),
    signal: request.raw.signal,
  };
}
