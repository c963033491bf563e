import { type Digest, digestAlgorithm } from '../oci/digest.ts';
import { reading } from './body-reading.ts';
import type { RegistryTransport } from './registry-transport.ts';
import { invalid, UpstreamError, unavailable } from './upstream-error.ts';

export interface BlobDownload {
  path: string;
  scope: string;
  digest: Digest;
  /** As the manifest says; undefined when it is not known. */
  size: number | undefined;
  /** Where to begin; beyond the beginning the digest is not compared, which is the caller's then. */
  from?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** How often a transfer is taken up again that did bring something on each time. */
const MOST_RESUMPTIONS = 100;

/**
 * The bytes of a blob. A connection that is cut or silent is taken up again where it ended, with `Range`; the end is reached only with
 * the right size and digest, and is an `UpstreamError` otherwise.
 */
export async function* downloadBlob(transport: RegistryTransport, blob: BlobDownload): AsyncGenerator<Uint8Array> {
  const hasher = new Bun.CryptoHasher(digestAlgorithm(blob.digest));
  const first = blob.from ?? 0;
  let offset = first;
  let total = blob.size;
  let fruitless = 0;
  for (let resumptions = 0; ; resumptions++) {
    const before = offset;
    try {
      const { body, skip, size } = await open(transport, blob, offset);
      if (size !== undefined) {
        if (total !== undefined && size !== total)
          throw invalid(`${named(blob)}: it sends ${size} bytes instead of ${total}`);
        total = size;
      }
      let unwanted = skip;
      for await (const piece of reading(body, transport.patience.idleMs, blob.signal)) {
        const bytes = piece.subarray(Math.min(unwanted, piece.byteLength));
        unwanted -= piece.byteLength - bytes.byteLength;
        if (bytes.byteLength === 0) continue;
        offset += bytes.byteLength;
        if (total !== undefined && offset > total) throw invalid(`${named(blob)}: it sends more than ${total} bytes`);
        hasher.update(bytes);
        yield bytes;
      }
      if (total === undefined || offset === total) break;
      throw unavailable(`${named(blob)}: the connection ended after ${offset} of ${total} bytes`);
    } catch (error) {
      blob.signal?.throwIfAborted();
      const failure =
        error instanceof UpstreamError ? error : unavailable(`${named(blob)}: the connection was cut`, error);
      fruitless = offset > before ? 1 : fruitless + 1;
      const pause = transport.pauseAfter(failure, fruitless);
      if (pause === undefined || fruitless >= transport.patience.tries || resumptions >= MOST_RESUMPTIONS)
        throw failure;
      await transport.sleep(pause);
    }
  }
  if (first > 0) return;
  const found = `${digestAlgorithm(blob.digest)}:${hasher.digest('hex')}`;
  if (found !== blob.digest) throw invalid(`${named(blob)}: the ${offset} bytes that it sends are ${found}`);
}

/** @returns how many bytes of the body are there already, when the registry does not do ranges */
async function open(
  transport: RegistryTransport,
  blob: BlobDownload,
  offset: number,
): Promise<{ body: ReadableStream<Uint8Array> | null; skip: number; size: number | undefined }> {
  const headers: Record<string, string> = offset === 0 ? {} : { range: `bytes=${offset}-` };
  const { path, scope, signal } = blob;
  // Tries are counted here, where it is known whether anything came.
  const response = await transport.send({ path, scope, headers, signal, once: offset > 0 });
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
  if (response.status === 206 && range !== null) {
    if (Number(range[1]) !== offset) throw invalid(`${named(blob)}: it sends another range than asked for`);
    return { body: response.body, skip: 0, size: range[2] === '*' ? undefined : Number(range[2]) };
  }
  const length = response.headers.get('content-length');
  return { body: response.body, skip: offset, size: length === null ? undefined : Number(length) };
}

function named({ path }: BlobDownload): string {
  return path.replace(/^\/v2\//, '');
}
