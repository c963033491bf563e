import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { type Digest, digestOf } from '../oci/digest.ts';
import type { BlobStore } from './blob-store.ts';
import { removals } from './removal-contract.ts';
import { all, append, bytes, content, failureName, put, testFolder, text, UPLOAD } from './testing.ts';

export { append, content, failureName, put, testFolder };

/** One empty place to store in, as a driver's test makes it. */
export interface StoreUnderTest {
  store: BlobStore;
  /** Another instance over the same place: what another process, or this one after a restart, has. */
  reopen(): BlobStore;
  remove(): Promise<void>;
}

/** What every driver of `BlobStore` must do: a test a clause of the port's comments. */
export function blobStoreContract(driver: string, open: () => Promise<StoreUnderTest>): void {
  describe(`the blob store contract, ${driver}`, () => {
    let place: StoreUnderTest;
    let store: BlobStore;
    beforeEach(async () => {
      place = await open();
      store = place.store;
    });
    afterEach(() => place.remove());
    const current = () => ({ place, store });
    missing(current);
    uploads(current);
    commits(current);
    removals(current);
    imports(current);
    reads(current);
    lists(current);
    spaces(current);
  });
}

export type Current = () => { place: StoreUnderTest; store: BlobStore };

const OTHER = '0199e0aa-0000-7000-8000-000000000002';
const ABSENT = digestOf(bytes('never stored'));

function missing(current: Current): void {
  test('what is not there is a value and never an error', async () => {
    const { store } = current();
    expect(await store.stat(ABSENT)).toBeUndefined();
    expect(await store.read(ABSENT)).toBeUndefined();
    expect(await store.uploadSize(UPLOAD)).toBeUndefined();
    expect(await store.readUpload(UPLOAD)).toBeUndefined();
    expect(await all(store.list())).toEqual([]);
    expect(await all(store.listUploads())).toEqual([]);
  });

  test('removing a blob that is not there is success', async () => {
    const { store } = current();
    await store.remove(ABSENT);
    const digest = await put(store, bytes('x'));
    await store.remove(digest);
    await store.remove(digest);
    expect(await store.stat(digest)).toBeUndefined();
  });

  test('discarding an upload that is not there is success', async () => {
    const { store } = current();
    await store.discardUpload(UPLOAD);
    await append(store, UPLOAD, 0, bytes('x'));
    await store.discardUpload(UPLOAD);
    await store.discardUpload(UPLOAD);
    expect(await store.uploadSize(UPLOAD)).toBeUndefined();
  });
}

function uploads(current: Current): void {
  test('opening an upload at 0 creates it', async () => {
    const { store } = current();
    await (await store.openUpload(UPLOAD, 0)).close();
    expect(await store.uploadSize(UPLOAD)).toBe(0);
    expect(await text(await store.readUpload(UPLOAD))).toBe('');
  });

  test('bytes are appended where the upload was opened', async () => {
    const { store } = current();
    await append(store, UPLOAD, 0, bytes('one '));
    await append(store, UPLOAD, 4, bytes('two '), bytes('three'));
    expect(await store.uploadSize(UPLOAD)).toBe(13);
    expect(await text(await store.readUpload(UPLOAD))).toBe('one two three');
  });

  test('a part of an upload is read while it grows; none beyond its end, undefined without one', async () => {
    const { store } = current();
    expect(await store.readUploadPart(UPLOAD, 0, 4)).toBeUndefined();
    const writer = await store.openUpload(UPLOAD, 0);
    await writer.write(bytes('one two'));
    const part = async (offset: number, most: number) =>
      String(Buffer.from((await store.readUploadPart(UPLOAD, offset, most)) ?? []));
    expect([await part(4, 100), await part(1, 2), await part(7, 4), await part(50, 4)]).toEqual(['two', 'ne', '', '']);
    await writer.close();
  });

  test('bytes beyond the offset are cut off, also when nothing is written after', async () => {
    const { store } = current();
    await append(store, UPLOAD, 0, bytes('kept, not acknowledged'));
    await (await store.openUpload(UPLOAD, 5)).close();
    expect(await text(await store.readUpload(UPLOAD))).toBe('kept,');
    await append(store, UPLOAD, 0, bytes('a'));
    expect(await text(await store.readUpload(UPLOAD))).toBe('a');
  });

  test('opening beyond the end of an upload is a RangeError and changes nothing', async () => {
    const { store } = current();
    await append(store, UPLOAD, 0, bytes('12345'));
    expect(await failureName(store.openUpload(UPLOAD, 6))).toBe('RangeError');
    expect(await text(await store.readUpload(UPLOAD))).toBe('12345');
  });

  test('opening an upload that is not there beyond 0 is a RangeError and makes nothing', async () => {
    const { store } = current();
    expect(await failureName(store.openUpload(UPLOAD, 1))).toBe('RangeError');
    expect(await store.uploadSize(UPLOAD)).toBeUndefined();
  });

  test('a chunk may be reused once write has resolved', async () => {
    const { store } = current();
    const writer = await store.openUpload(UPLOAD, 0);
    const chunk = bytes('aaaa');
    await writer.write(chunk);
    chunk.fill(0x62);
    await writer.write(chunk);
    await writer.close();
    expect(await text(await store.readUpload(UPLOAD))).toBe('aaaabbbb');
  });

  test('closing a writer twice is success', async () => {
    const { store } = current();
    const writer = await store.openUpload(UPLOAD, 0);
    await writer.write(bytes('x'));
    await writer.close();
    await writer.close();
    expect(await store.uploadSize(UPLOAD)).toBe(1);
  });

  test('an upload survives a new instance, which can go on with it', async () => {
    const { store, place } = current();
    await append(store, UPLOAD, 0, bytes('before '));
    const later = place.reopen();
    expect(await later.uploadSize(UPLOAD)).toBe(7);
    await append(later, UPLOAD, 7, bytes('after'));
    const digest = digestOf(bytes('before after'));
    await later.commitUpload(UPLOAD, digest);
    expect(await content(store, digest)).toBe('before after');
  });

  test('uploads do not touch each other', async () => {
    const { store } = current();
    await append(store, UPLOAD, 0, bytes('mine'));
    await append(store, OTHER, 0, bytes('yours'));
    await store.discardUpload(OTHER);
    expect(await text(await store.readUpload(UPLOAD))).toBe('mine');
  });

  test('any sequence of appends, cuts and reopenings holds the bytes that a plain array would', async () => {
    const { place } = current();
    const step = fc.record({
      keep: fc.double({ min: 0, max: 1, noNaN: true }),
      chunks: fc.array(fc.uint8Array({ maxLength: 3_000 }), { maxLength: 4 }),
      reopen: fc.boolean(),
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
        const id = `property-${run++}`;
        let store = place.reopen();
        let model = Buffer.alloc(0);
        for (const { keep, chunks, reopen } of steps) {
          if (reopen) store = place.reopen();
          const offset = Math.floor(model.byteLength * keep);
          await append(store, id, offset, ...chunks);
          model = Buffer.concat([model.subarray(0, offset), ...chunks]);
          expect(await store.uploadSize(id)).toBe(model.byteLength);
        }
        const digest = digestOf(model);
        await store.commitUpload(id, digest);
        const blob = await place.reopen().read(digest);
        if (blob?.kind !== 'bytes') throw new Error('this property reads bytes');
        expect(Buffer.from(await blob.bytes.arrayBuffer()).equals(model)).toBe(true);
      }),
      { numRuns: 25 },
    );
  });
}

function commits(current: Current): void {
  for (const algorithm of ['sha256', 'sha512'] as const) {
    test(`a committed upload is the ${algorithm} blob and no upload any more`, async () => {
      const { store, place } = current();
      const digest = await put(store, bytes('whole'), algorithm);
      expect(await store.stat(digest)).toBe(5);
      expect(await content(place.reopen(), digest)).toBe('whole');
      expect(await store.uploadSize(UPLOAD)).toBeUndefined();
      expect(await all(store.listUploads())).toEqual([]);
    });
  }

  test('a commit replaces an equal blob', async () => {
    const { store } = current();
    const digest = await put(store, bytes('twice'));
    expect(await put(store, bytes('twice'))).toBe(digest);
    expect(await content(store, digest)).toBe('twice');
    expect((await all(store.list())).map((found) => found.digest)).toEqual([digest]);
  });

  test('a blob is there whole or not at all while it is being committed', async () => {
    const { store, place } = current();
    const large = new Uint8Array(4_000_000).fill(7);
    const digest = digestOf(large);
    await append(store, UPLOAD, 0, large);
    const reader = place.reopen();
    let over = false;
    const seen = new Set<number | undefined>();
    const commit = store.commitUpload(UPLOAD, digest).then(() => {
      over = true;
    });
    for (let i = 0; i < 10_000 && !over; i++) seen.add(await reader.stat(digest));
    await commit;
    seen.add(await reader.stat(digest));
    expect([...seen].filter((size) => size !== undefined)).toEqual([large.byteLength]);
  });

  test('an empty upload is a blob of 0 bytes', async () => {
    const { store } = current();
    const digest = await put(store, bytes(''));
    expect(await store.stat(digest)).toBe(0);
    expect(await content(store, digest)).toBe('');
  });

  test('two uploads of the same bytes may be committed at once', async () => {
    const { store } = current();
    await append(store, UPLOAD, 0, bytes('same'));
    await append(store, OTHER, 0, bytes('same'));
    const digest = digestOf(bytes('same'));
    await Promise.all([store.commitUpload(UPLOAD, digest), store.commitUpload(OTHER, digest)]);
    expect(await content(store, digest)).toBe('same');
  });
}

function reads(current: Current): void {
  test('bytes to send can be sliced', async () => {
    const { store } = current();
    const blob = await store.read(await put(store, bytes('0123456789')));
    expect(blob?.size).toBe(10);
    if (blob?.kind === 'bytes') expect(await blob.bytes.slice(2, 5).text()).toBe('234');
  });

  test('what is being read stays readable when the blob is removed meanwhile', async () => {
    const { store } = current();
    const large = new Uint8Array(3_000_000).map((_, i) => i % 251);
    const digest = await put(store, large);
    const blob = await store.read(digest);
    if (blob?.kind !== 'bytes') return;
    const reader = blob.bytes.stream().getReader();
    const hasher = new Bun.CryptoHasher('sha256');
    const first = await reader.read();
    if (first.value !== undefined) hasher.update(first.value);
    await store.remove(digest);
    expect(await store.stat(digest)).toBeUndefined();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) hasher.update(piece.value);
    expect(`sha256:${hasher.digest('hex')}`).toBe(digest);
  });

  test('a removed blob can be stored again', async () => {
    const { store } = current();
    const digest = await put(store, bytes('again'));
    await store.remove(digest);
    await put(store, bytes('again'));
    expect(await content(store, digest)).toBe('again');
  });
}

function lists(current: Current): void {
  test('the list has every blob once, with its size and when it was stored', async () => {
    const { store } = current();
    const from = Date.now() - 2_000;
    const expected = new Map<Digest, number>();
    for (let i = 0; i < 20; i++) {
      const algorithm = i % 5 === 0 ? 'sha512' : 'sha256';
      expected.set(await put(store, new Uint8Array(i).fill(i), algorithm), i);
    }
    const found = await all(store.list());
    expect(found).toHaveLength(20);
    expect(new Map(found.map((blob) => [blob.digest, blob.size]))).toEqual(expected);
    for (const { modifiedAt } of found) expect(modifiedAt).toBeWithin(from, Date.now() + 2_000);
  });

  test('the list does not have what was removed, nor uploads', async () => {
    const { store } = current();
    await store.remove(await put(store, bytes('gone')));
    await append(store, UPLOAD, 0, bytes('growing'));
    expect(await all(store.list())).toEqual([]);
  });

  test('a blob may be removed while the list is walked', async () => {
    const { store } = current();
    const stored: Digest[] = [];
    for (let i = 0; i < 8; i++) stored.push(await put(store, new Uint8Array(i)));
    let seen = 0;
    for await (const { digest } of store.list()) {
      seen++;
      for (const other of stored) if (other !== digest) await store.remove(other);
    }
    expect(seen).toBe(1);
  });

  test('the list of uploads has every upload, and when bytes were last appended', async () => {
    const { store } = current();
    const from = Date.now() - 2_000;
    await append(store, UPLOAD, 0, bytes('a'));
    await append(store, OTHER, 0, bytes('b'));
    const found = await all(store.listUploads());
    expect(found.map((upload) => upload.id).sort()).toEqual([UPLOAD, OTHER]);
    for (const { modifiedAt } of found) expect(modifiedAt).toBeWithin(from, Date.now() + 2_000);
  });
}

function imports(current: Current): void {
  let folder: string;
  beforeEach(() => {
    folder = testFolder('import');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const file = (value: string, name = 'file') => {
    const path = join(folder, name);
    writeFileSync(path, value);
    return path;
  };
  const digest = digestOf(bytes('taken over'));

  test('a file of this machine becomes a blob, and stays', async () => {
    const { store, place } = current();
    const path = file('taken over');
    expect(['linked', 'copied']).toContain(await store.importFile(path, digest, 10));
    expect(readFileSync(path, 'utf8')).toBe('taken over');
    rmSync(path);
    expect(await content(place.reopen(), digest)).toBe('taken over');
    expect(await store.stat(digest)).toBe(10);
    expect(await all(store.listUploads())).toEqual([]);
  });

  test('taking a file over again is success, and replaces an equal blob', async () => {
    const { store } = current();
    const path = file('taken over');
    await put(store, bytes('taken over'));
    await store.importFile(path, digest, 10);
    await store.importFile(path, digest, 10);
    await store.importFile(file('taken over', 'another'), digest, 10);
    expect(await content(store, digest)).toBe('taken over');
    expect(await all(store.listUploads())).toEqual([]);
  });

  test('a file of another size is a RangeError, one that is not there is refused, and nothing is changed', async () => {
    const { store } = current();
    expect(await failureName(store.importFile(file('cut'), digest, 10))).toBe('RangeError');
    expect(await failureName(store.importFile(join(folder, 'none'), digest, 10))).toBe('FileRefusedError');
    expect(await failureName(store.importFile(folder, digest, 10))).toBe('FileRefusedError');
    expect(await store.stat(digest)).toBeUndefined();
    expect(await all(store.listUploads())).toEqual([]);
  });

  test('a blob that was a file is removed without the file', async () => {
    const { store } = current();
    const path = file('taken over');
    await store.importFile(path, digest, 10);
    await store.remove(digest);
    expect(await store.stat(digest)).toBeUndefined();
    expect(readFileSync(path, 'utf8')).toBe('taken over');
  });
}

function spaces(current: Current): void {
  test('the space that is left is a part of all there is, and less after bytes were stored', async () => {
    const { store } = current();
    const before = await store.space();
    if (before === undefined) return;
    expect(before.total).toBeGreaterThan(0);
    expect(before.free).toBeWithin(0, before.total + 1);
    expect(Number.isSafeInteger(before.total) && Number.isSafeInteger(before.free)).toBe(true);
    // Others use the same place, and may give back more in a moment than is stored here.
    let less = false;
    for (let i = 0; i < 5 && !less; i++) {
      const free = (await store.space())?.free ?? 0;
      await put(store, new Uint8Array(8 * 1024 * 1024).fill(i + 1));
      less = ((await store.space())?.free ?? 0) < free;
    }
    expect(less).toBe(true);
  });
}
