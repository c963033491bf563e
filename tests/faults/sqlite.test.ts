// An SQLite database that somebody holds, takes away or damages.
import { Database as BunSqlite } from 'bun:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { copyFileSync, openSync, readdirSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { berth } from '../support/berth.ts';
import { freePort } from '../support/ports.ts';
import { expectUnavailable, Place, workFolder } from './place.ts';

const SUFFIXES = ['', '-wal', '-shm'];

describe('an SQLite database', () => {
  const work = workFolder();
  let place: Place;
  const path = () => join(place.server.data, 'berth.db');
  beforeAll(async () => {
    place = await Place.start({ data: join(work.path, 'data') });
    await place.expectPush();
  }, 120_000);
  afterAll(async () => {
    await place?.stop();
    work.remove();
  }, 60_000);

  function lock(): () => void {
    const other = new BunSqlite(path());
    other.run('PRAGMA busy_timeout = 5000');
    other.run('BEGIN IMMEDIATE');
    return () => {
      other.run('ROLLBACK');
      other.close();
    };
  }

  test('that somebody holds for a while makes pushes wait, and pulls go on', async () => {
    const unlock = lock();
    let answered = false;
    const push = place.push().finally(() => {
      answered = true;
    });
    try {
      await place.expectAll();
      await Bun.sleep(1_000);
      expect(answered).toBe(false);
    } finally {
      unlock();
    }
    expect((await push).status).toBe(201);
    await place.expectAll();
  }, 60_000);

  test('that somebody holds for too long refuses all who wait at one time, not one after the other, and goes on when it is free', async () => {
    const unlock = lock();
    const began = Date.now();
    try {
      // Many for one worker: each on a connection of its own, and there are two.
      const pushes = await Promise.all(Array.from({ length: 12 }, () => place.push()));
      for (const answer of pushes) expectUnavailable(answer);
      // One after the other it would be a minute and a half.
      expect(Date.now() - began).toBeLessThan(60_000);
      await place.expectAll();
      expect((await place.ready()).status).toBe(200);
    } finally {
      unlock();
    }
    await place.expectPush();
    await place.expectAll();
    await place.expectVerified();
  }, 180_000);

  test('whose files were moved away takes no pushes until they are back: they would be lost', async () => {
    for (const suffix of SUFFIXES) renameSync(path() + suffix, `${path()}${suffix}.away`);
    try {
      expectUnavailable(await place.push());
      await place.expectAll();
      const { status, text } = await place.ready();
      expect([status, text]).toEqual([503, expect.stringContaining('berth.db was removed or replaced')]);
      expect(await place.metric('database')).toBe(0);
      // It would take every blob for one that nothing names.
      const collected = await place.collect();
      expect([collected.code, collected.stderr]).toEqual([1, expect.stringContaining('berth.db')]);
      expect(readdirSync(place.server.data)).not.toContain('berth.db');
    } finally {
      for (const suffix of SUFFIXES) renameSync(`${path()}${suffix}.away`, path() + suffix);
    }
    expect((await place.ready()).status).toBe(200);
    await place.expectPush();
    await place.expectAll();
    await place.expectVerified();
  }, 60_000);

  test('that was replaced by another, or lost its log, takes no pushes', async () => {
    for (const replaced of ['', '-wal']) {
      const file = path() + replaced;
      copyFileSync(file, `${file}.copy`);
      renameSync(file, `${file}.away`);
      renameSync(`${file}.copy`, file);
      try {
        expectUnavailable(await place.push());
        expect([replaced, (await place.ready()).status]).toEqual([replaced, 503]);
      } finally {
        renameSync(`${file}.away`, file);
      }
      await place.expectPush();
    }
    await place.expectAll();
    await place.expectVerified();
  }, 60_000);

  async function startRefused(): Promise<string> {
    const started = await berth(['serve', '--port', String(await freePort()), '--data', place.server.data]);
    expect([started.code, started.stderr]).not.toEqual([1, expect.stringMatching(/^\s+at .+:\d+/m)]);
    expect(started.code).toBe(1);
    return started.stderr;
  }

  test('that is gone is no reason to begin anew over the blobs that are there', async () => {
    await place.stop();
    renameSync(path(), `${path()}.away`);
    for (const suffix of ['-wal', '-shm']) rmSync(path() + suffix, { force: true });
    const said = await startRefused();
    expect(said).toContain('berth.db is not there, but');
    expect(said).toContain('berth restore');
    const blobs = readdirSync(place.server.data, { recursive: true }).length;
    renameSync(`${path()}.away`, path());
    await place.startAgain();
    await place.expectAll();
    await place.expectVerified();
    expect(blobs).toBeGreaterThan(place.acknowledged.size);
  }, 60_000);

  test('that is damaged, at its beginning or in its middle, is refused at the start, which says how to bring a backup back', async () => {
    await place.stop();
    copyFileSync(path(), `${path()}.whole`);
    const { size } = statSync(path());
    for (const at of [0, Math.floor(size / 8192) * 4096]) {
      const file = openSync(path(), 'r+');
      writeSync(file, Buffer.alloc(4096, 0xa5), 0, 4096, at);
      const said = await startRefused();
      expect([at, said]).toEqual([at, expect.stringContaining('the database file is damaged')]);
      expect(said).toContain('berth restore');
      copyFileSync(`${path()}.whole`, path());
    }
    await place.startAgain();
    await place.expectAll();
    await place.expectVerified();
  }, 120_000);
});
