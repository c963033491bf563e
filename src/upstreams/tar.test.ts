import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireTools, run } from '../../tests/support/tools.ts';
import { testFolder } from '../storage/testing.ts';
import { padding, tarHeader } from './tar-header.ts';
import { indexTar } from './tar-index.ts';

const canRun = requireTools('tar archives', ['tar']);

describe.if(canRun)('a tar archive', () => {
  let folder: string;
  beforeEach(() => {
    folder = testFolder('tar');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const long = `${'a'.repeat(90)}/${'b'.repeat(90)}`;

  for (const format of ['ustar', 'pax', 'gnu', 'v7']) {
    test(`that tar wrote as ${format} is read where its files lie`, async () => {
      const names = ['one', 'deep/two', 'empty', ...(format === 'v7' ? [] : [long])];
      for (const name of names) {
        mkdirSync(join(folder, 'in', name, '..'), { recursive: true });
        writeFileSync(join(folder, 'in', name), name === 'empty' ? '' : `bytes of ${name}`);
      }
      const path = join(folder, 'x.tar');
      await run(['tar', `--format=${format}`, '-C', join(folder, 'in'), '-cf', path, '.']);
      const entries = await indexTar(path);
      expect([...entries.keys()].sort()).toEqual([...names].sort());
      for (const [name, { offset, size }] of entries) {
        const text = await Bun.file(path)
          .slice(offset, offset + size)
          .text();
        expect(text).toBe(name === 'empty' ? '' : `bytes of ${name}`);
      }
    });
  }

  test('that we wrote is read by tar, also with more than 8 GiB in a file', async () => {
    const path = join(folder, 'ours.tar');
    const parts = [tarHeader(long, 5), Buffer.from('hello'), padding(5), tarHeader('x', 0), Buffer.alloc(1024)];
    writeFileSync(path, Buffer.concat(parts));
    expect(await run(['tar', '-xOf', path, long])).toBe('hello');
    expect([...(await indexTar(path)).keys()]).toEqual([long, 'x']);
    const large = 9 * 1024 ** 3;
    writeFileSync(path, tarHeader('large', large));
    // A hole takes no space.
    truncateSync(path, 512 + large + 1024);
    expect(await run(['tar', '--full-time', '-tvf', path])).toContain(` ${large} `);
    expect((await indexTar(path)).get('large')).toEqual({ offset: 512, size: large });
  });

  test('that is none, or is cut, is said to be so', async () => {
    const path = join(folder, 'no.tar');
    writeFileSync(path, 'x'.repeat(2_000));
    await expect(indexTar(path)).rejects.toThrow(/is no tar archive/);
    writeFileSync(path, Buffer.concat([tarHeader('one', 5_000), Buffer.alloc(100)]));
    await expect(indexTar(path)).rejects.toThrow(/is cut: it ends in one/);
  });
});
