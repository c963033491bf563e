import type { Digest } from '../oci/digest.ts';
import type {
  BlobStore,
  StoredBlob,
  StoredBlobInfo,
  StoredUploadInfo,
  StoreSpace,
  UploadWriter,
} from '../storage/blob-store.ts';
import { failed, type PartSpan, type Tracing } from './tracing.ts';

/** A blob store whose work is spans of the requests that it is for. Walks are not: no request walks. */
export class TracedBlobStore implements BlobStore {
  readonly #inner: BlobStore;
  readonly #tracing: Tracing;

  constructor(inner: BlobStore, tracing: Tracing) {
    this.#inner = inner;
    this.#tracing = tracing;
  }

  stat(digest: Digest): Promise<number | undefined> {
    return this.#part('stat blob', digest, () => this.#inner.stat(digest));
  }

  read(digest: Digest): Promise<StoredBlob | undefined> {
    return this.#part('open blob', digest, async (span) => {
      const blob = await this.#inner.read(digest);
      if (blob !== undefined) span?.set({ 'berth.bytes': blob.size });
      return blob;
    });
  }

  remove(digest: Digest, mayGo?: () => Promise<boolean>): Promise<void> {
    return this.#part('remove blob', digest, () => this.#inner.remove(digest, mayGo));
  }

  finishRemovals(mayGo: (digest: Digest) => Promise<boolean>): Promise<void> {
    return this.#inner.finishRemovals(mayGo);
  }

  list(): AsyncIterable<StoredBlobInfo> {
    return this.#inner.list();
  }

  /** The span lasts from here until the writer is closed; how much of it the store took is in it, the rest is the client's. */
  async openUpload(id: string, offset: number): Promise<UploadWriter> {
    const span = this.#tracing.begin('write upload', { 'berth.upload': id, 'berth.offset': offset });
    if (span === undefined) return this.#inner.openUpload(id, offset);
    let ms = 0;
    let bytes = 0;
    const timed = async <T>(work: () => Promise<T>): Promise<T> => {
      const started = performance.now();
      try {
        return await work();
      } catch (error) {
        failed(span, error);
        throw error;
      } finally {
        ms += performance.now() - started;
      }
    };
    const end = () => {
      span.setAttributes({ 'berth.bytes': bytes, 'berth.store_seconds': ms / 1_000 });
      span.end();
    };
    try {
      const writer = await timed(() => this.#inner.openUpload(id, offset));
      return {
        write: async (chunk) => {
          const size = chunk.byteLength;
          await timed(() => writer.write(chunk));
          bytes += size;
        },
        close: () => timed(() => writer.close()).finally(end),
      };
    } catch (error) {
      end();
      throw error;
    }
  }

  uploadSize(id: string): Promise<number | undefined> {
    return this.#upload('stat upload', id, () => this.#inner.uploadSize(id));
  }

  readUpload(id: string): Promise<ReadableStream<Uint8Array> | undefined> {
    return this.#upload('open upload', id, () => this.#inner.readUpload(id));
  }

  readUploadPart(id: string, offset: number, most: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#upload('read upload', id, () => this.#inner.readUploadPart(id, offset, most));
  }

  commitUpload(id: string, digest: Digest): Promise<void> {
    return this.#part('commit upload', digest, () => this.#inner.commitUpload(id, digest));
  }

  importFile(path: string, digest: Digest, size: number): Promise<'linked' | 'copied'> {
    return this.#part('import file', digest, () => this.#inner.importFile(path, digest, size));
  }

  discardUpload(id: string): Promise<void> {
    return this.#upload('discard upload', id, () => this.#inner.discardUpload(id));
  }

  listUploads(): AsyncIterable<StoredUploadInfo> {
    return this.#inner.listUploads();
  }

  check(): Promise<void> {
    return this.#inner.check();
  }

  space(): Promise<StoreSpace | undefined> {
    return this.#inner.space();
  }

  #part<T>(name: string, digest: Digest, work: (span: PartSpan | undefined) => Promise<T>): Promise<T> {
    return this.#tracing.part(name, { 'berth.digest': digest }, work);
  }

  #upload<T>(name: string, id: string, work: () => Promise<T>): Promise<T> {
    return this.#tracing.part(name, { 'berth.upload': id }, work);
  }
}
