import type { RegistryContext } from '../../registry/context.ts';
import type { BlobFetch } from './blob-fetch.ts';

const PIECE = 256 * 1024;
const LOOK_EVERY_MS = 30;

/**
 * The bytes of a blob from `start` to `end` (exclusive; undefined: to its end), as far as they have come, while they come. The last byte, and
 * the end of the stream, come when the whole blob is verified and stored: with wrong bytes, or when the fetch fails, the stream is
 * cut before. One piece is in memory at a time, however slow the client is.
 */
export function followBlob(
  registry: RegistryContext,
  fetch: BlobFetch,
  range: { start: number; end: number | undefined },
): ReadableStream<Uint8Array> {
  const follower = new Follower(registry, fetch, range);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const piece = await follower.next();
          if (piece === undefined) controller.close();
          else controller.enqueue(piece);
        } catch (error) {
          follower.end();
          controller.error(error);
        }
      },
      cancel: () => follower.end(),
    },
    { highWaterMark: 0 },
  );
}

class Follower {
  readonly #registry: RegistryContext;
  readonly #fetch: BlobFetch;
  readonly #start: number;
  #offset: number;
  #end: number | undefined;
  /** Whose bytes were sent. */
  #upload: string | undefined;
  /** Of what was sent before the blob was stored, when another process fetched it. */
  #sent: InstanceType<typeof Bun.CryptoHasher> | undefined;
  #over = false;

  constructor(registry: RegistryContext, fetch: BlobFetch, range: { start: number; end: number | undefined }) {
    this.#registry = registry;
    this.#fetch = fetch;
    this.#start = range.start;
    this.#offset = range.start;
    this.#end = range.end;
    fetch.follow();
  }

  /** undefined at the end. Throws when the stream is to be cut. */
  async next(): Promise<Uint8Array | undefined> {
    while (!this.#over) {
      const { state } = this.#fetch;
      if (state.kind === 'failed') throw state.error;
      const piece = state.kind === 'stored' ? await this.#stored() : await this.#growing();
      if (piece === 'end') this.end();
      else if (piece !== undefined) {
        this.#offset += piece.byteLength;
        return piece;
      } else await Bun.sleep(LOOK_EVERY_MS);
    }
    return undefined;
  }

  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#fetch.leave();
  }

  async #growing(): Promise<Uint8Array | undefined> {
    const { upload } = this.#fetch;
    if (upload === undefined) return undefined;
    // Other bytes than those that were sent: nobody would have verified these.
    if (this.#upload !== undefined && this.#upload !== upload) throw new Error('the fetch began anew');
    const most = this.#end === undefined ? PIECE : Math.min(PIECE, this.#end - 1 - this.#offset);
    if (most <= 0) return undefined;
    const piece = await this.#registry.store.readUploadPart(upload, this.#offset, most);
    if (piece === undefined || piece.byteLength === 0) return undefined;
    this.#upload = upload;
    if (this.#fetch.shared) {
      this.#sent ??= new Bun.CryptoHasher('sha256');
      this.#sent.update(piece);
    }
    return piece;
  }

  async #stored(): Promise<Uint8Array | 'end'> {
    const blob = await this.#registry.store.read(this.#fetch.wanted.digest);
    if (blob?.kind !== 'bytes') throw new Error('the blob was removed meanwhile');
    if (this.#upload !== undefined && this.#upload !== this.#fetch.upload) throw new Error('the fetch began anew');
    if (this.#sent !== undefined) await this.#compare(blob.bytes, this.#sent);
    this.#sent = undefined;
    const end = Math.min(this.#end ?? blob.size, blob.size);
    if (this.#offset >= end) return 'end';
    return new Uint8Array(await blob.bytes.slice(this.#offset, Math.min(this.#offset + PIECE, end)).arrayBuffer());
  }

  /** What was sent must be what was stored: another process may have begun anew between two looks. */
  async #compare(bytes: Blob, sent: InstanceType<typeof Bun.CryptoHasher>): Promise<void> {
    const hasher = new Bun.CryptoHasher('sha256');
    for (let at = this.#start; at < this.#offset; at += PIECE) {
      hasher.update(await bytes.slice(at, Math.min(at + PIECE, this.#offset)).arrayBuffer());
    }
    if (hasher.digest('hex') !== sent.digest('hex')) throw new Error('other bytes were sent than stored');
  }
}
