import { afterAll, beforeAll, expect, test } from 'bun:test';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onEachDatabase } from '../database/test-databases.ts';
import { digestOf } from '../oci/digest.ts';
import { adoptFile } from './adopted-blobs.ts';
import { readBlob } from './blobs.ts';
import { setQuota } from './quotas.ts';
import {
  ACTOR,
  bytesOf,
  codeOf,
  collect,
  DAY,
  named,
  nextTurn,
  openTestRegistry,
  type TestRegistry,
} from './testing.ts';

onEachDatabase('adopted blobs', (newPlace) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace());
  });
  afterAll(() => registry?.remove());

  const fileOf = (text: string) => {
    const path = join(registry.root, `file-${digestOf(bytesOf(text)).slice(-8)}`);
    writeFileSync(path, text);
    return { path, digest: digestOf(bytesOf(text)), size: text.length };
  };

  test('a file becomes a blob of the repository, and collecting it leaves the file', async () => {
    const { context } = registry;
    const file = fileOf('a layer of another registry');
    expect(await adoptFile(context, named('adopted/app'), file, ACTOR)).toBe('linked');
    await nextTurn();
    const blob = await readBlob(context, named('adopted/app'), file.digest);
    expect(blob.kind === 'bytes' && (await blob.bytes.text())).toBe('a layer of another registry');
    registry.advance(2 * DAY);
    await collect(context);
    await nextTurn();
    expect(await codeOf(readBlob(context, named('adopted/app'), file.digest))).toBe('BLOB_UNKNOWN');
    expect(statSync(file.path).nlink).toBe(1);
  });

  test('a file for which the namespace has no room is refused before it is stored', async () => {
    const { context } = registry;
    await setQuota(context, 'small', 10, ACTOR);
    const file = fileOf('more than ten bytes of a layer');
    expect(await codeOf(adoptFile(context, named('small/app'), file, ACTOR))).toBe('DENIED');
    expect(await context.store.stat(file.digest)).toBeUndefined();
  });

  test('a file of another size than the manifest says is refused, and the repository does not have it', async () => {
    const { context } = registry;
    const file = { ...fileOf('cut'), size: 4 };
    await expect(adoptFile(context, named('adopted/cut'), file, ACTOR)).rejects.toBeInstanceOf(RangeError);
    await nextTurn();
    expect(await codeOf(readBlob(context, named('adopted/cut'), file.digest))).not.toBe('none');
  });
});
