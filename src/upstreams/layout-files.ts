import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestAlgorithm, digestHex } from '../oci/digest.ts';
import { FileRefusedError } from '../storage/blob-store.ts';
import type { SourceBlob } from './import-source.ts';
import { indexTar, type TarEntry } from './tar-index.ts';
import { invalid } from './upstream-error.ts';

/** The files of a layout, in a folder or in a tar archive. */
export interface LayoutFiles {
  /** A small file; undefined when it is not there. */
  small(name: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  blob(digest: Digest): Promise<(SourceBlob & { size: number }) | undefined>;
}

const SMALL_MOST_BYTES = 16 * 1024 * 1024;

/** @throws FileRefusedError, UpstreamError invalid */
export async function openLayoutFiles(path: string): Promise<LayoutFiles> {
  const found = await stat(path).catch((error: unknown) => {
    throw new FileRefusedError(`${path} cannot be read: ${error instanceof Error ? error.message : 'unknown'}`);
  });
  return found.isDirectory() ? folderFiles(path) : tarFiles(path, await indexTar(path));
}

export function blobName(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

function folderFiles(folder: string): LayoutFiles {
  return {
    async small(name) {
      const path = join(folder, name);
      const size = await sizeOf(path);
      if (size === undefined) return undefined;
      if (size > SMALL_MOST_BYTES) throw invalid(`${path}: ${size} bytes are too many`);
      return new Uint8Array(await readFile(path));
    },
    async blob(digest) {
      const path = join(folder, blobName(digest));
      const size = await sizeOf(path);
      // Tools write into a layout again, so a blob of it is not shared with them.
      return size === undefined ? undefined : { kind: 'bytes', stream: Bun.file(path).stream(), size };
    },
  };
}

function tarFiles(path: string, entries: Map<string, TarEntry>): LayoutFiles {
  const slice = ({ offset, size }: TarEntry) => Bun.file(path).slice(offset, offset + size);
  return {
    async small(name) {
      const entry = entries.get(name);
      if (entry === undefined) return undefined;
      if (entry.size > SMALL_MOST_BYTES) throw invalid(`${path}: ${name} has ${entry.size} bytes, which are too many`);
      return new Uint8Array(await slice(entry).arrayBuffer());
    },
    async blob(digest) {
      const entry = entries.get(blobName(digest));
      return entry && { kind: 'bytes', stream: slice(entry).stream(), size: entry.size };
    },
  };
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new FileRefusedError(`${path} cannot be read (${code})`, { cause: error });
  }
}
