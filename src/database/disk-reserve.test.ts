import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { existsSync, rmSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { testFolder } from '../storage/contract.ts';
import { DiskReserve } from './disk-reserve.ts';

describe('the reserve of a disk', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = testFolder('reserve');
    path = join(folder, 'reserve');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** What it takes of this disk. */
  const wanted = () => {
    const { bsize, blocks } = statfsSync(folder);
    return Math.floor(Math.min(4 * 1024 * 1024, (bsize * blocks) / 32) / 65_536) * 65_536;
  };

  test('that was never made stands in nobody’s way, and is nothing to spend', () => {
    const reserve = new DiskReserve(path);
    expect([reserve.isWhole(), reserve.spend(), existsSync(path)]).toEqual([true, false, false]);
  });

  test('takes room on the disk, not only a length', () => {
    new DiskReserve(path).make();
    const { size, blocks } = statSync(path);
    expect(size).toBe(wanted());
    expect(blocks * 512).toBeGreaterThanOrEqual(size);
  });

  test('is given away in four pieces, and then there is none', () => {
    const reserve = new DiskReserve(path);
    reserve.make();
    const sizes = [];
    while (reserve.spend()) sizes.push(statSync(path).size);
    expect(sizes).toEqual([3, 2, 1, 0].map((quarters) => (wanted() / 4) * quarters));
    expect(reserve.spend()).toBe(false);
  });

  test('is whole again as soon as somebody asks and there is room, also for a process that did not spend it', () => {
    const reserve = new DiskReserve(path);
    reserve.make();
    reserve.spend();
    expect(new DiskReserve(path).isWhole()).toBe(true);
    expect(statSync(path).size).toBe(wanted());
    expect(reserve.isWhole()).toBe(true);
  });
});
