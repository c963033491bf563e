import { mkdirSync } from 'node:fs';
import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { type Digest, digestAlgorithm } from '../oci/digest.ts';
import { FileRefusedError } from '../storage/blob-store.ts';
import { blobName } from './layout-files.ts';
import { padding, tarHeader } from './tar-header.ts';

export interface LayoutEntry {
  mediaType: string;
  digest: Digest;
  size: number;
  artifactType?: string;
  annotations?: Record<string, string>;
}

/** Writes an OCI layout (OCI Image 1.1 "Image Layout"). */
export interface LayoutWriter {
  /** Whether a blob is there already. */
  has(digest: Digest, size: number): Promise<boolean>;
  /** Compares digest and size on the way; a blob that differs is not written. */
  blob(digest: Digest, size: number, bytes: AsyncIterable<Uint8Array>): Promise<void>;
  /** Writes `index.json`, and ends. What another export put there stays, unless it has the same names. */
  finish(entries: LayoutEntry[]): Promise<void>;
  /** Ends without; what is half written is removed. */
  abandon(): Promise<void>;
}

const OCI_LAYOUT = JSON.stringify({ imageLayoutVersion: '1.0.0' });
const existing = z.looseObject({
  manifests: z.array(z.looseObject({ digest: z.string(), annotations: z.record(z.string(), z.string()).optional() })),
});

/** A folder unless the path ends in `.tar`. @throws FileRefusedError */
export async function createLayout(path: string): Promise<LayoutWriter> {
  return path.endsWith('.tar') ? createTar(path) : createFolder(path);
}

async function createFolder(folder: string): Promise<LayoutWriter> {
  const index = join(folder, 'index.json');
  const before = await previousEntries(folder, index);
  await writing(folder, async () => {
    mkdirSync(join(folder, 'blobs'), { recursive: true });
    await replace(join(folder, 'oci-layout'), OCI_LAYOUT);
  });
  return {
    async has(digest, size) {
      const found = await stat(join(folder, blobName(digest))).catch(() => undefined);
      return found?.size === size;
    },
    async blob(digest, size, bytes) {
      const path = join(folder, blobName(digest));
      const partial = `${path}.${process.pid}.partial`;
      await writing(path, async () => {
        mkdirSync(dirname(path), { recursive: true });
        const file = await open(partial, 'w');
        try {
          await pour(file, digest, size, bytes);
        } catch (error) {
          await rm(partial, { force: true });
          throw error;
        } finally {
          await file.close();
        }
        await rename(partial, path);
      });
    },
    async finish(entries) {
      const names = new Set(entries.map(keyOf));
      const manifests = [...before.filter((entry) => !names.has(keyOf(entry))), ...entries];
      await writing(index, () => replace(index, JSON.stringify({ schemaVersion: 2, manifests })));
    },
    abandon: async () => {},
  };
}

/** What has a name is known by it, the rest by its digest. */
function keyOf({ digest, annotations }: { digest: string; annotations?: Record<string, string> | undefined }): string {
  const name = annotations?.['org.opencontainers.image.ref.name'];
  return name === undefined ? digest : `${annotations?.['io.containerd.image.name'] ?? ''} ${name}`;
}

async function previousEntries(folder: string, index: string) {
  const text = await readFile(index, 'utf8').catch(() => undefined);
  if (text === undefined) {
    const found = await stat(folder).catch(() => undefined);
    if (found !== undefined && !found.isDirectory()) throw new FileRefusedError(`${folder} is a file, and no folder`);
    return [];
  }
  try {
    return existing.parse(JSON.parse(text)).manifests;
  } catch {
    throw new FileRefusedError(`${index} is there and is no index of a layout; export to another folder`);
  }
}

/** One archive, written from its beginning to its end, and there under its name when it is whole. */
async function createTar(path: string): Promise<LayoutWriter> {
  const partial = `${path}.${process.pid}.partial`;
  const file = await writing(path, () => open(partial, 'w'));
  const written = new Set<Digest>();
  const small = async (name: string, text: string) => {
    const bytes = Buffer.from(text);
    await file.write(tarHeader(name, bytes.byteLength));
    await file.write(bytes);
    await file.write(padding(bytes.byteLength));
  };
  const abandon = async () => {
    await file.close().catch(() => {});
    await rm(partial, { force: true });
  };
  await writing(path, () => small('oci-layout', OCI_LAYOUT));
  return {
    has: async (digest) => written.has(digest),
    blob: (digest, size, bytes) =>
      writing(path, async () => {
        await file.write(tarHeader(blobName(digest), size));
        await pour(file, digest, size, bytes);
        await file.write(padding(size));
        written.add(digest);
      }),
    finish: (entries) =>
      writing(path, async () => {
        await small('index.json', JSON.stringify({ schemaVersion: 2, manifests: entries }));
        // Two empty blocks end an archive.
        await file.write(Buffer.alloc(1024));
        await file.sync();
        await file.close();
        await rename(partial, path);
      }),
    abandon,
  };
}

async function pour(file: FileHandle, digest: Digest, size: number, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const hasher = new Bun.CryptoHasher(digestAlgorithm(digest));
  let written = 0;
  for await (const piece of bytes) {
    hasher.update(piece);
    for (let done = 0; done < piece.byteLength; ) {
      done += (await file.write(piece, done, piece.byteLength - done)).bytesWritten;
    }
    written += piece.byteLength;
  }
  const found = `${digestAlgorithm(digest)}:${hasher.digest('hex')}`;
  if (found === digest && written === size) return;
  throw new FileRefusedError(`the stored bytes of ${digest} are damaged (${found}); run berth verify`);
}

async function replace(path: string, text: string): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  await writeFile(partial, text);
  await rename(partial, path);
}

async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    throw new FileRefusedError(`${path} cannot be written: ${error.message}`, { cause: error });
  }
}
