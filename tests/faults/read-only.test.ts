// A disk that can't be written any more, all of it or a folder.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { berth } from '../support/berth.ts';
import { freePort } from '../support/ports.ts';
import { eventually, isAlive, workersOf } from '../support/processes.ts';
import { canMount, type Disk, makeReadOnly, smallDisk } from './disks.ts';
import { expectUnavailable, Place, workFolder } from './place.ts';

describe.skipIf(!canMount('faults of a read-only disk'))('a read-only disk', () => {
  const work = workFolder();
  let disk: Disk | undefined;
  let place: Place | undefined;
  beforeAll(async () => {
    disk = await smallDisk(work.path, 64);
    place = await Place.start({ data: join(disk.path, 'data') });
    for (let i = 0; i < 3; i++) await place.expectPush();
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

  test('for a while: pulls go on, pushes are refused, /readyz and the metrics say so, and all is well when it can be written', async () => {
    const { place } = parts();
    const workers = workersOf(place.server.pid);
    const writable = await Promise.all(
      ['uploads', 'blobs'].map((folder) => makeReadOnly(join(place.server.data, folder))),
    );
    try {
      expectUnavailable(await place.push());
      await place.expectAll();
      const { status, text } = await place.ready();
      expect([status, JSON.parse(text)]).toEqual([
        503,
        { status: 'failing', checks: { database: 'ok', storage: 'the blob folder is read-only (EROFS)' } },
      ]);
      expect([await place.metric('storage'), await place.metric('database')]).toEqual([0, 1]);
    } finally {
      for (const again of writable) await again();
    }
    expect((await place.ready()).status).toBe(200);
    expect(await place.metric('storage')).toBe(1);
    await place.expectPush();
    await place.expectAll();
    await place.expectVerified();
    expect(workers.filter(isAlive)).toEqual(workers);
  }, 120_000);

  test('after an error, in the middle of pushes: the same, and what was acknowledged is there when it is mounted again', async () => {
    const { disk, place } = parts();
    const workers = workersOf(place.server.pid);
    let stopped = false;
    let refused = 0;
    const pushing = Array.from({ length: 3 }, async () => {
      while (!stopped) {
        const answer = await place.push();
        if (answer.status === 201) continue;
        refused++;
        expectUnavailable(answer);
      }
    });
    try {
      const before = place.acknowledged.size;
      await eventually('pushes go well', 20_000, () => place.acknowledged.size > before + 6);
      await disk.abort();
      await eventually('pushes are refused', 20_000, () => refused > 3);
    } finally {
      stopped = true;
      await Promise.all(pushing);
    }
    expectUnavailable(await place.push());
    const [tag = ''] = [...place.acknowledged.keys()].filter((path) => path.includes('/manifests/'));
    expectUnavailable(await place.request('DELETE', tag));
    await place.expectAll();
    const { status, text } = await place.ready();
    expect([status, text]).toEqual([503, expect.stringContaining('read-only')]);
    expect(await place.metric('storage')).toBe(0);
    expect((await place.request('GET', '/livez')).status).toBe(200);
    expect(workers.filter(isAlive)).toEqual(workers);

    await place.stop();
    const port = ['--port', String(await freePort()), '--host', '127.0.0.1'];
    const started = await berth(['serve', ...port, '--data', place.server.data]);
    expect([started.code, started.stderr]).toEqual([1, expect.stringContaining(place.server.data)]);
    expect(started.stderr).toMatch(/read-?only|cannot write/i);
    expect(started.stderr).not.toMatch(/^\s+at .+:\d+/m);

    await disk.mountAgain();
    await place.startAgain();
    await place.expectAll();
    await place.expectPush();
    await place.expectVerified();
  }, 180_000);
});
