import { type Digest, digestAlgorithm, digestOf } from '../oci/digest.ts';
import type { RegistryContext } from './context.ts';

export interface Fault {
  kind: 'blob-missing' | 'blob-damaged' | 'blob-size' | 'manifest-damaged' | 'reference-missing' | 'tag-dangling';
  digest: Digest;
  repository?: string;
  detail: string;
}

/** What is read. */
type Verified = Pick<RegistryContext, 'database' | 'store'>;

export interface VerifyResult {
  blobs: number;
  bytes: number;
  manifests: number;
  references: number;
  tags: number;
  /** Bytes in the store without a row: garbage collection removes them; not a fault. */
  orphans: number;
  faults: Fault[];
}

const PAGE = 500;

/**
 * Reads back everything that is stored and compares: each blob's bytes with its digest and size, each manifest with its digest,
 * each reference and tag with what it names. May run beside a server: what vanishes meanwhile is no fault.
 *
 * @param onProgress bytes hashed so far, of how many
 */
export async function verify(
  context: Verified,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<VerifyResult> {
  const result: VerifyResult = { blobs: 0, bytes: 0, manifests: 0, references: 0, tags: 0, orphans: 0, faults: [] };
  await verifyBlobs(context, result, onProgress);
  await verifyManifests(context, result);
  await verifyTags(context, result);
  for await (const { digest } of context.store.list()) {
    const row = await context.database.read
      .selectFrom('blobs')
      .select('digest')
      .where('digest', '=', digest)
      .executeTakeFirst();
    if (row === undefined) result.orphans++;
  }
  return result;
}

async function verifyBlobs(
  context: Verified,
  result: VerifyResult,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  const { read } = context.database;
  const stored = read.selectFrom('blobs').where('state', '=', 'stored');
  const sum = await stored.select((select) => select.fn.sum<number | string>('size').as('bytes')).executeTakeFirst();
  const total = Number(sum?.bytes ?? 0);
  for (let last = '' as Digest | undefined; last !== undefined; ) {
    const rows: { digest: Digest; size: number }[] = await stored
      .select(['digest', 'size'])
      .where('digest', '>', last)
      .orderBy('digest')
      .limit(PAGE)
      .execute();
    last = rows.length < PAGE ? undefined : rows.at(-1)?.digest;
    for (const { digest, size } of rows) {
      const fault = await blobFault(context, digest, size, (bytes) => {
        result.bytes += bytes;
        onProgress(result.bytes, total);
      });
      result.blobs++;
      if (fault !== undefined && (await stillStored(context, digest))) result.faults.push(fault);
    }
  }
}

async function blobFault(
  context: Verified,
  digest: Digest,
  size: number,
  onBytes: (bytes: number) => void,
): Promise<Fault | undefined> {
  const blob = await context.store.read(digest);
  if (blob === undefined) return { kind: 'blob-missing', digest, detail: `${size} bytes are not in the store` };
  if (blob.size !== size) return { kind: 'blob-size', digest, detail: `${blob.size} bytes instead of ${size}` };
  const bytes = blob.kind === 'bytes' ? blob.bytes.stream() : (await fetch(blob.url)).body;
  const hasher = new Bun.CryptoHasher(digestAlgorithm(digest));
  try {
    for await (const piece of bytes ?? []) {
      hasher.update(piece);
      onBytes(piece.byteLength);
    }
  } catch (error) {
    return {
      kind: 'blob-damaged',
      digest,
      detail: `cannot be read: ${error instanceof Error ? error.message : 'unknown'}`,
    };
  }
  const found = `${digestAlgorithm(digest)}:${hasher.digest('hex')}`;
  return found === digest ? undefined : { kind: 'blob-damaged', digest, detail: `the bytes hash to ${found}` };
}

async function stillStored(context: Verified, digest: Digest): Promise<boolean> {
  const row = await context.database.read
    .selectFrom('blobs')
    .select('state')
    .where('digest', '=', digest)
    .executeTakeFirst();
  return row?.state === 'stored';
}

async function verifyManifests(context: Verified, result: VerifyResult): Promise<void> {
  const { read } = context.database;
  const repositories = await read.selectFrom('repositories').select(['id', 'name']).execute();
  for (const repository of repositories) {
    for (let last = '' as Digest | undefined; last !== undefined; ) {
      const rows: { digest: Digest; content: Uint8Array }[] = await read
        .selectFrom('manifests')
        .select(['digest', 'content'])
        .where('repository_id', '=', repository.id)
        .where('digest', '>', last)
        .orderBy('digest')
        .limit(PAGE)
        .execute();
      last = rows.length < PAGE ? undefined : rows.at(-1)?.digest;
      for (const { digest, content } of rows) {
        result.manifests++;
        const found = digestOf(content, digestAlgorithm(digest));
        if (found === digest) continue;
        const detail = `the manifest hashes to ${found}`;
        result.faults.push({ kind: 'manifest-damaged', digest, repository: repository.name, detail });
      }
    }
    await verifyReferences(context, result, repository);
  }
}

async function verifyReferences(
  context: Verified,
  result: VerifyResult,
  repository: { id: number; name: string },
): Promise<void> {
  const references = context.database.read
    .selectFrom('manifest_references as r')
    .where('r.repository_id', '=', repository.id);
  const count = await references.select((select) => select.fn.countAll<number | string>().as('n')).executeTakeFirst();
  result.references += Number(count?.n ?? 0);
  const dangling = await references
    .leftJoin('repository_blobs as l', (join) =>
      join
        .onRef('l.repository_id', '=', 'r.repository_id')
        .onRef('l.digest', '=', 'r.target')
        .on('r.kind', '<>', 'manifest'),
    )
    .leftJoin('manifests as m', (join) =>
      join
        .onRef('m.repository_id', '=', 'r.repository_id')
        .onRef('m.digest', '=', 'r.target')
        .on('r.kind', '=', 'manifest'),
    )
    .leftJoin('cache_repositories as c', 'c.repository_id', 'r.repository_id')
    .select(['r.manifest', 'r.target', 'r.kind'])
    .where('l.digest', 'is', null)
    .where('m.digest', 'is', null)
    // What a cache has fetched a part of is whole as it is.
    .where('c.repository_id', 'is', null)
    .execute();
  for (const { manifest, target, kind } of dangling) {
    const detail = `${kind} ${target} is not in the repository`;
    result.faults.push({ kind: 'reference-missing', digest: manifest, repository: repository.name, detail });
  }
}

async function verifyTags(context: Verified, result: VerifyResult): Promise<void> {
  const tags = context.database.read.selectFrom('tags as t');
  const count = await tags.select((select) => select.fn.countAll<number | string>().as('n')).executeTakeFirst();
  result.tags = Number(count?.n ?? 0);
  const dangling = await tags
    .innerJoin('repositories as r', 'r.id', 't.repository_id')
    .leftJoin('manifests as m', (join) =>
      join.onRef('m.repository_id', '=', 't.repository_id').onRef('m.digest', '=', 't.digest'),
    )
    .select(['t.name as tag', 't.digest', 'r.name as repository'])
    .where('m.digest', 'is', null)
    .execute();
  for (const { tag, digest, repository } of dangling) {
    result.faults.push({
      kind: 'tag-dangling',
      digest,
      repository,
      detail: `tag ${tag} names a manifest that is not there`,
    });
  }
}
