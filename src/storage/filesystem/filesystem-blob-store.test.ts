import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireTools, run } from '../../../tests/support/tools.ts';
import { type Digest, digestHex, digestOf } from '../../oci/digest.ts';
import { StoreFullError, StoreUnavailableError } from '../blob-store.ts';
import { append, blobStoreContract, content, failureName, put, testFolder } from '../contract.ts';
import { FilesystemBlobStore, type StoreStep } from './filesystem-blob-store.ts';

blobStoreContract('on the filesystem', async () => {
  const root = testFolder('store');
  const store = new FilesystemBlobStore({ root });
  await store.prepare();
  return {
    store,
    reopen: () => new FilesystemBlobStore({ root }),
    remove: async () => rmSync(root, { recursive: true, force: true }),
  };
});

const UPLOAD = 'an-upload-of-this-test';
const BYTES = new TextEncoder().encode('some bytes');

describe('the filesystem store', () => {
  let root: string;
  let store: FilesystemBlobStore;
  beforeEach(async () => {
    root = testFolder('store');
    store = new FilesystemBlobStore({ root });
    await store.prepare();
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  /** Where the layout puts a blob. */
  const pathOf = (digest: ReturnType<typeof digestOf>) =>
    join(root, 'blobs/sha256', digestHex(digest).slice(0, 2), digestHex(digest));

  test('a blob is a file named by its digest, as the layout says', async () => {
    const digest = await put(store, BYTES);
    expect(await Bun.file(pathOf(digest)).text()).toBe('some bytes');
  });

  test('preparing a directory again keeps what is in it', async () => {
    const digest = await put(store, BYTES);
    await new FilesystemBlobStore({ root }).prepare();
    expect(await content(store, digest)).toBe('some bytes');
    expect(readdirSync(join(root, 'blobs/sha256'))).toHaveLength(256);
  });

  test('a commit syncs the file, renames it and syncs the folder, in this order', async () => {
    const steps: string[] = [];
    const digest = digestOf(BYTES);
    const watched = new FilesystemBlobStore({
      root,
      onStep: (step: StoreStep) => steps.push(`${step} ${existsSync(pathOf(digest)) ? 'there' : 'not yet'}`),
    });
    await put(watched, BYTES);
    expect(steps).toEqual(['upload-synced not yet', 'upload-renamed there', 'directory-synced there']);
  });

  test('a commit that ends before the rename leaves the upload and no blob', async () => {
    const failing = new FilesystemBlobStore({
      root,
      onStep: (step) => {
        if (step === 'upload-synced') throw new Error('power cut');
      },
    });
    await append(failing, UPLOAD, 0, BYTES);
    await expect(failing.commitUpload(UPLOAD, digestOf(BYTES))).rejects.toThrow('power cut');
    expect(await store.stat(digestOf(BYTES))).toBeUndefined();
    expect(await store.uploadSize(UPLOAD)).toBe(BYTES.byteLength);
  });

  for (const algorithm of ['sha256', 'sha512'] as const) {
    test(`a ${algorithm} blob whose removal died half way is put back or removed by the next process`, async () => {
      const dying = new FilesystemBlobStore({
        root,
        onStep: (step) => {
          if (step === 'blob-out-of-reach') throw new Error('killed');
        },
      });
      const digest = await put(store, BYTES, algorithm);
      const asked: Digest[] = [];
      for (const answer of [false, true]) {
        await expect(dying.remove(digest, async () => true)).rejects.toThrow('killed');
        expect([await store.stat(digest), readdirSync(join(root, 'removing')).length]).toEqual([undefined, 1]);
        await new FilesystemBlobStore({ root }).finishRemovals(async (of) => {
          asked.push(of);
          return answer;
        });
        expect(await store.stat(digest)).toBe(answer ? undefined : BYTES.byteLength);
        expect(readdirSync(join(root, 'removing'))).toEqual([]);
      }
      expect(asked).toEqual([digest, digest]);
    });
  }

  test('a directory of an earlier version, without a place for what is out of reach, is given one', async () => {
    const digest = await put(store, BYTES);
    rmdirSync(join(root, 'removing'));
    await store.finishRemovals(async () => true);
    await store.remove(digest, async () => false);
    expect(await content(store, digest)).toBe('some bytes');
    await store.remove(digest, async () => true);
    expect(await store.stat(digest)).toBeUndefined();
  });

  test('files that are none of ours are no removals', async () => {
    writeFileSync(join(root, 'removing/.nfs0001'), 'x');
    writeFileSync(join(root, 'removing/sha256-short.x'), 'x');
    await store.finishRemovals(() => Promise.reject(new Error('asked')));
    expect(readdirSync(join(root, 'removing'))).toHaveLength(2);
  });

  test('files that are none of ours are no blobs', async () => {
    const digest = await put(store, BYTES);
    writeFileSync(join(root, 'blobs/sha256/00/.nfs0001'), 'x');
    writeFileSync(join(root, 'blobs/sha256/00', 'A'.repeat(64)), 'x');
    const found = [];
    for await (const blob of store.list()) found.push(blob.digest);
    expect(found).toEqual([digest]);
  });

  test('files that are none of ours are no uploads, and folders neither', async () => {
    writeFileSync(join(root, 'uploads/.nfs0001'), 'x');
    mkdirSync(join(root, 'uploads/lost+found'));
    await append(store, UPLOAD, 0, BYTES);
    const found = [];
    for await (const upload of store.listUploads()) found.push(upload.id);
    expect(found).toEqual([UPLOAD]);
  });

  test('an id that would leave the folder of uploads is refused', async () => {
    for (const id of ['../../etc/passwd', '..', '', 'a/b', 'UPPER-CASE-ID', 'x'.repeat(65)]) {
      expect(await failureName(store.openUpload(id, 0))).toBe('TypeError');
    }
    expect(readdirSync(join(root, 'uploads'))).toEqual([]);
  });

  test('a file where a folder should be (ENOTDIR) is an unavailable store and never "not there"', async () => {
    const digest = await put(store, BYTES);
    rmSync(join(root, 'blobs/sha256'), { recursive: true });
    writeFileSync(join(root, 'blobs/sha256'), '');
    expect(await failureName(store.stat(digest))).toBe('StoreUnavailableError');
    expect(await failureName(store.read(digest))).toBe('StoreUnavailableError');
    expect(await failureName(store.remove(digest))).toBe('StoreUnavailableError');
    const walk = async () => {
      for await (const _ of store.list()) throw new Error('nothing to list');
    };
    expect(await failureName(walk())).toBe('StoreUnavailableError');
  });

  test('an uploads folder that is a file is an unavailable store', async () => {
    rmSync(join(root, 'uploads'), { recursive: true });
    writeFileSync(join(root, 'uploads'), '');
    expect(await failureName(store.openUpload(UPLOAD, 0))).toBe('StoreUnavailableError');
    expect(await failureName(store.uploadSize(UPLOAD))).toBe('StoreUnavailableError');
    expect(await failureName(store.readUpload(UPLOAD))).toBe('StoreUnavailableError');
    expect(await failureName(store.discardUpload(UPLOAD))).toBe('StoreUnavailableError');
  });

  test('a store without its folders is unavailable for a commit', async () => {
    await append(store, UPLOAD, 0, BYTES);
    rmSync(join(root, 'blobs'), { recursive: true });
    expect(await failureName(store.commitUpload(UPLOAD, digestOf(BYTES)))).toBe('StoreUnavailableError');
    expect(await store.uploadSize(UPLOAD)).toBe(BYTES.byteLength);
  });

  test.skipIf(process.getuid?.() === 0)('a folder that may not be read (EACCES) is an unavailable store', async () => {
    const digest = await put(store, BYTES);
    chmodSync(join(root, 'blobs/sha256'), 0);
    try {
      expect(await failureName(store.stat(digest))).toBe('StoreUnavailableError');
    } finally {
      chmodSync(join(root, 'blobs/sha256'), 0o755);
    }
  });
});

describe.skipIf(!requireTools('disks that fail', ['mount', 'umount', 'root']))('on a disk of its own', () => {
  let disk: string;
  let store: FilesystemBlobStore;
  beforeEach(async () => {
    disk = mkdtempSync(join(tmpdir(), 'berth-disk-'));
    await run(['mount', '-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk]);
    store = new FilesystemBlobStore({ root: disk });
    await store.prepare();
  });
  afterEach(async () => {
    await run(['umount', '--lazy', disk]);
    rmSync(disk, { recursive: true, force: true });
  });
  const remount = (how: 'ro' | 'rw') => run(['mount', '-o', `remount,${how}`, disk]);

  test('a full disk is a StoreFullError; what is stored stays, and room makes it work again', async () => {
    const kept = await put(store, BYTES);
    const writer = await store.openUpload(UPLOAD, 0);
    let failure: unknown;
    try {
      for (let i = 0; i < 64 && failure === undefined; i++) {
        await writer.write(new Uint8Array(512 * 1024)).catch((error) => {
          failure = error;
        });
      }
    } finally {
      await writer.close().catch(() => {});
    }
    expect(failure).toBeInstanceOf(StoreFullError);
    expect(await content(store, kept)).toBe('some bytes');
    await store.discardUpload(UPLOAD);
    const after = await put(store, new Uint8Array(100_000));
    expect(await store.stat(after)).toBe(100_000);
  });

  test('a read-only disk is a StoreUnavailableError for writes, and can still be read', async () => {
    const digest = await put(store, BYTES);
    await append(store, UPLOAD, 0, BYTES);
    await remount('ro');
    try {
      await expect(store.openUpload('another-upload', 0)).rejects.toBeInstanceOf(StoreUnavailableError);
      await expect(store.openUpload(UPLOAD, 3)).rejects.toBeInstanceOf(StoreUnavailableError);
      await expect(store.commitUpload(UPLOAD, digestOf(BYTES))).rejects.toBeInstanceOf(StoreUnavailableError);
      await expect(store.remove(digest)).rejects.toBeInstanceOf(StoreUnavailableError);
      await expect(store.discardUpload(UPLOAD)).rejects.toBeInstanceOf(StoreUnavailableError);
      await expect(store.check()).rejects.toThrow('read-only');
      expect(await content(store, digest)).toBe('some bytes');
      expect(await store.uploadSize(UPLOAD)).toBe(BYTES.byteLength);
    } finally {
      await remount('rw');
    }
    await store.check();
  });

  test('no inode left is a StoreFullError', async () => {
    await run(['mount', '-o', 'remount,nr_inodes=560', disk]);
    const made: string[] = [];
    let failure = 'none';
    for (let i = 0; i < 200 && failure === 'none'; i++) {
      const id = `upload-number-${i}`;
      failure = await failureName(append(store, id, 0, BYTES));
      made.push(id);
    }
    expect(failure).toBe('StoreFullError');
    // What it has can be read, and room can be made.
    await store.check();
    for (const id of made.slice(0, 3)) unlinkSync(join(disk, 'uploads', id));
    expect(await put(store, BYTES)).toBe(digestOf(BYTES));
  });
});
