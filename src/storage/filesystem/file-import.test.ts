import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireTools } from '../../../tests/support/tools.ts';
import { digestHex, digestOf } from '../../oci/digest.ts';
import { content, testFolder } from '../testing.ts';
import { FilesystemBlobStore } from './filesystem-blob-store.ts';

const BYTES = new TextEncoder().encode('bytes of another registry');
const DIGEST = digestOf(BYTES);
const canChown = requireTools('files of other owners', ['root']);

describe('a file that the filesystem store takes over', () => {
  let root: string;
  let elsewhere: string;
  let store: FilesystemBlobStore;
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'berth-import-'));
    elsewhere = testFolder('import');
    store = new FilesystemBlobStore({ root });
    await store.prepare();
  });
  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
    rmSync(elsewhere, { recursive: true, force: true });
  });

  const blob = () => join(root, 'blobs/sha256', digestHex(DIGEST).slice(0, 2), digestHex(DIGEST));
  const written = (folder: string, name = 'file') => {
    const path = join(folder, name);
    writeFileSync(path, BYTES);
    return path;
  };

  test('is the same file on the same filesystem, also the second time', async () => {
    const path = written(root);
    expect(await store.importFile(path, DIGEST, BYTES.byteLength)).toBe('linked');
    expect(await store.importFile(path, DIGEST, BYTES.byteLength)).toBe('linked');
    expect(statSync(blob()).ino).toBe(statSync(path).ino);
    expect(statSync(path).nlink).toBe(2);
  });

  test('replaces the blob that was there by its own bytes', async () => {
    await store.importFile(written(root, 'first'), DIGEST, BYTES.byteLength);
    const path = written(root, 'second');
    expect(await store.importFile(path, DIGEST, BYTES.byteLength)).toBe('linked');
    expect(statSync(blob()).ino).toBe(statSync(path).ino);
    expect(statSync(join(root, 'first')).nlink).toBe(1);
  });

  test('is copied from another filesystem', async () => {
    if (statSync(root).dev === statSync(elsewhere).dev) throw new Error('there is one filesystem alone');
    const path = written(elsewhere);
    expect(await store.importFile(path, DIGEST, BYTES.byteLength)).toBe('copied');
    expect(statSync(path).nlink).toBe(1);
    expect(await content(store, DIGEST)).toBe('bytes of another registry');
  });

  test.if(canChown)(
    'is copied when the owner of the store could not read it under its own owner and mode',
    async () => {
      const path = written(root);
      chmodSync(path, 0o600);
      chownSync(join(root, 'blobs/sha256', digestHex(DIGEST).slice(0, 2)), 65_534, 65_534);
      expect(await store.importFile(path, DIGEST, BYTES.byteLength)).toBe('copied');
      expect(statSync(path).nlink).toBe(1);
    },
  );
});
