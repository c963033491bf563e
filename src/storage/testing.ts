import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Digest, type DigestAlgorithm, digestOf } from '../oci/digest.ts';
import type { BlobStore } from './blob-store.ts';

/**
 * A new folder for a test's data: in memory where the system has that, since what is tested here is not the disk.
 * The caller removes it.
 */
export function testFolder(purpose: string): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), `berth-${purpose}-`));
}

/** The upload that blobs of a test go through. */
export const UPLOAD = '0199e0aa-0000-7000-8000-000000000001';

/** Stores bytes as a blob through an upload. */
export async function put(
  store: BlobStore,
  content: Uint8Array,
  algorithm: DigestAlgorithm = 'sha256',
): Promise<Digest> {
  await append(store, UPLOAD, 0, content);
  const digest = digestOf(content, algorithm);
  await store.commitUpload(UPLOAD, digest);
  return digest;
}

export async function append(store: BlobStore, id: string, offset: number, ...chunks: Uint8Array[]): Promise<void> {
  const writer = await store.openUpload(id, offset);
  try {
    for (const chunk of chunks) await writer.write(chunk);
  } finally {
    await writer.close();
  }
}

/** The name of the error that `work` ends with. */
export async function failureName(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (error: unknown) => (error instanceof Error ? error.name : 'not an error'),
  );
}

export async function content(store: BlobStore, digest: Digest): Promise<string | undefined> {
  const blob = await store.read(digest);
  if (blob === undefined) return undefined;
  return blob.kind === 'bytes' ? blob.bytes.text() : (await fetch(blob.url)).text();
}

export function bytes(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

export async function text(stream: ReadableStream<Uint8Array> | undefined): Promise<string | undefined> {
  return stream === undefined ? undefined : new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).text();
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
