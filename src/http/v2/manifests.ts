import { OciError } from '../../oci/errors.ts';
import { MANIFEST_MAX_BYTES } from '../../oci/manifest.ts';
import { parseReference, parseRepositoryName } from '../../oci/names.ts';
import type { RegistryContext } from '../../registry/context.ts';
import { deleteManifest, getManifest, putManifest, statManifest } from '../../registry/manifests.ts';
import { deleteTag } from '../../registry/tags.ts';
import { type BerthRequest, contentLength } from '../request.ts';
import type { V2Context } from './context.ts';
import type { Outcome } from './outcome.ts';
import { matchesEntity, tagPrecondition } from './preconditions.ts';

export async function pullManifest(registry: V2Context, request: BerthRequest): Promise<Outcome> {
  const name = parseRepositoryName(request.param('name'));
  const reference = parseReference(request.param('reference'));
  const found = registry.through.cacheOf(name);
  const cache = found instanceof Promise ? await found : found;
  const { manifest, stale } =
    cache === undefined
      ? { manifest: await getManifest(registry, name, reference), stale: undefined }
      : await registry.through.manifest(cache, name, reference);
  if (matchesEntity(request.header('if-none-match'), manifest.digest)) {
    return { kind: 'not-modified', digest: manifest.digest };
  }
  registry.pullTimes.note(manifest.repositoryId, manifest.digest, registry.now());
  registry.pulled(() => ({
    repository: name,
    reference,
    digest: manifest.digest,
    mediaType: manifest.mediaType,
    size: manifest.content.byteLength,
    actor: request.actor,
  }));
  return { kind: 'manifest', manifest, head: false, stale };
}

export async function headManifest(registry: V2Context, request: BerthRequest): Promise<Outcome> {
  const name = parseRepositoryName(request.param('name'));
  const reference = parseReference(request.param('reference'));
  const found = registry.through.cacheOf(name);
  const cache = found instanceof Promise ? await found : found;
  const { manifest, stale } =
    cache === undefined
      ? { manifest: await statManifest(registry, name, reference), stale: undefined }
      : await registry.through.manifest(cache, name, reference);
  if (matchesEntity(request.header('if-none-match'), manifest.digest)) {
    return { kind: 'not-modified', digest: manifest.digest };
  }
  return { kind: 'manifest', manifest, head: true, stale };
}

export async function pushManifest(registry: RegistryContext, request: BerthRequest): Promise<Outcome> {
  const name = parseRepositoryName(request.param('name'));
  const reference = parseReference(request.param('reference'));
  const precondition = tagPrecondition(request);
  const { digest, subject } = await putManifest(registry, {
    name,
    reference,
    bytes: await readManifest(request),
    contentType: request.header('content-type'),
    precondition,
    actor: request.actor,
  });
  return { kind: 'manifest-put', name, reference, digest, subject };
}

export async function removeManifest(registry: RegistryContext, request: BerthRequest): Promise<Outcome> {
  const name = parseRepositoryName(request.param('name'));
  const reference = parseReference(request.param('reference'));
  if (reference.kind === 'tag') {
    await deleteTag(registry, name, reference.tag, tagPrecondition(request), request.actor);
  } else {
    await deleteManifest(registry, name, reference.digest, request.actor);
  }
  return { kind: 'deleted' };
}

async function readManifest(request: BerthRequest): Promise<Uint8Array> {
  const announced = contentLength(request);
  const tooLarge = () =>
    new OciError('MANIFEST_TOO_LARGE', `manifest: larger than ${MANIFEST_MAX_BYTES} bytes`, {
      limit: MANIFEST_MAX_BYTES,
    });
  if (announced !== undefined && announced > MANIFEST_MAX_BYTES) throw tooLarge();
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of request.raw.body ?? []) {
    size += piece.byteLength;
    if (size > MANIFEST_MAX_BYTES) throw tooLarge();
    pieces.push(piece);
  }
  const only = pieces[0];
  return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces, size);
}
