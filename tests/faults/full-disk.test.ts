// What happens when something that Berth stands on fails, and what it does by itself when that is over. After each fault, what was
// acknowledged is there, and `berth verify` says that all is well.
//
//     full-disk.test.ts   a disk that pushes and others fill: the way out by deleting, restart, backup to a full disk
//     read-only.test.ts   a disk that went read-only after an error, a folder that is read-only for a while, start on one
//     sqlite.test.ts      a database that is locked for long, removed, replaced, damaged
//     postgres.test.ts    a server that refuses, dies in the middle, hangs, resets connections
//     slow-disk.test.ts   a disk whose syncs take long; descriptors that run out; bytes that rotted
//
// Elsewhere: one blob, manifest or chunk that meets the end of the disk (tests/bad-input/full-disk.test.ts), a start on a read-only view
// of a directory (tests/bad-input/data-directory.test.ts), kills at each step of a push and of a collection (tests/crash), after each
// migration (tests/upgrade), and of a backup (tests/backup). Clocks that jump are left out.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { berth } from '../support/berth.ts';
import { eventually } from '../support/processes.ts';
import type { Answer } from '../support/wire.ts';
import { canMount, type Disk, smallDisk } from './disks.ts';
import { expectFull, Place, workFolder } from './place.ts';

const MEGABYTE = 1024 * 1024;

describe.skipIf(!canMount('faults of a full disk'))('a full disk', () => {
  const work = workFolder();
  let disk: Disk | undefined;
  let place: Place | undefined;
  const reserve = (data: string) => statSync(join(data, 'full-disk-reserve')).size;
  beforeAll(async () => {
    disk = await smallDisk(work.path, 64);
    place = await Place.start({ data: join(disk.path, 'data') });
    await place.expectPush();
  }, 120_000);
  afterAll(async () => {
    await place?.stop();
    await disk?.unmount();
    work.remove();
  }, 60_000);
  const parts = () => {
    if (disk === undefined || place === undefined) throw new Error('nothing was started');
    return { disk, place };
  };

  test('that many clients fill at once refuses what does not fit, and goes on when there is room', async () => {
    const { disk, place } = parts();
    disk.fill(20 * MEGABYTE);
    const fill = async (): Promise<Answer> => {
      for (let i = 0; i < 100; i++) {
        const answer = await place.push(MEGABYTE);
        if (answer.status !== 201) return answer;
      }
      throw new Error('100 MB went onto a disk of 64');
    };
    for (const answer of await Promise.all([fill(), fill(), fill(), fill()])) expectFull(answer);
    await place.expectAll();
    disk.free();
    await place.expectPush();
    await place.expectAll();
  }, 180_000);

  test('lets images be deleted and garbage be collected, so that there is room again without anybody else', async () => {
    const { disk, place } = parts();
    disk.fill();
    const tags = [...place.acknowledged.keys()].filter((path) => path.includes('/manifests/'));
    const blobs = [...place.acknowledged.keys()].filter((path) => path.includes('/blobs/'));
    for (const path of tags.slice(1)) {
      const { headers } = await place.request('HEAD', path);
      const digest = headers.get('docker-content-digest') ?? '';
      place.acknowledged.delete(path);
      const gone = await place.request('DELETE', path.replace(/[^/]+$/, digest));
      expect([path, gone.status, gone.text()]).toEqual([path, 202, '']);
      disk.fill();
    }
    expectFull(await place.push(MEGABYTE));
    for (const path of blobs.slice(2)) place.acknowledged.delete(path);
    await Bun.sleep(1_500);
    const collected = await place.collect();
    expect([collected.code, collected.stderr]).toEqual([0, expect.any(String)]);
    await place.expectAll();
    await eventually('pushes are taken again', 30_000, async () => (await place.push()).status === 201);
    disk.free();
    await place.expectAll();
    await place.expectVerified();
  }, 180_000);

  test('is started on: serves what is there, refuses pushes, lets images be deleted', async () => {
    const { disk, place } = parts();
    const { data } = place.server;
    const whole = reserve(data);
    for (const end of ['stopped', 'killed']) {
      if (end === 'stopped') await place.stop();
      else await place.kill();
      disk.fill();
      await place.startAgain();
      await place.expectAll();
      const refused = await place.push(MEGABYTE);
      expectFull(refused);
      expect((await place.ready()).status).toBe(200);
      if (end === 'stopped') {
        // The end removed the log and its index, so they were made anew.
        expect(reserve(data)).toBeLessThan(whole);
        expect(refused.text()).toContain('is kept for deleting');
        expect(await place.metric('room')).toBe(0);
      }
      const [tag = ''] = [...place.acknowledged.keys()].filter((path) => path.includes('/manifests/'));
      expect([end, (await place.delete(tag)).status]).toEqual([end, 202]);
      disk.free();
      await eventually('pushes are taken again', 30_000, async () => (await place.push()).status === 201);
      expect([reserve(data), await place.metric('room')]).toEqual([whole, 1]);
      await place.expectAll();
    }
    await place.expectVerified();
  }, 180_000);

  test('is no place for a backup, which says so and leaves those that are there whole', async () => {
    const { disk, place } = parts();
    const other = await smallDisk(work.path, 32);
    try {
      const target = join(other.path, 'backups');
      const data = ['--data', place.server.data];
      expect((await berth(['backup', target, ...data])).code).toBe(0);
      other.fill();
      for (let i = 0; i < 3; i++) await place.push(MEGABYTE);
      const refused = await berth(['backup', target, ...data]);
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/no space left|ENOSPC/)]);
      expect(refused.stderr).not.toMatch(/^\s+at .+:\d+/m);
      const restored = await berth(['restore', target, '--data', join(work.path, 'restored')]);
      expect([restored.code, restored.stderr]).toEqual([0, expect.any(String)]);
      other.free();
      expect((await berth(['backup', target, ...data])).code).toBe(0);
      await place.expectAll();
    } finally {
      await other.unmount();
      disk.free();
    }
  }, 180_000);
});
