// The backups that `berth serve` makes by itself.
import { afterAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { canMount, smallDisk } from '../bad-input/disks.ts';
import { type BerthOptions, berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { requirePostgres, startPostgres } from '../support/postgres.ts';
import { eventually, isAlive } from '../support/processes.ts';
import { ADMINISTRATOR, Pusher, ran, workFolder } from './place.ts';

const WITHIN_MS = 120_000;
const work = workFolder();
const running = new Set<RunningBerth>();
afterAll(async () => {
  for (const server of running) await server.stop();
  work.remove();
});

let places = 0;
/** A data directory with an administrator and two images, and an empty target. */
async function newPlace(): Promise<{ data: string; target: string }> {
  const folder = join(work.path, String(places++));
  const place = { data: join(folder, 'data'), target: join(folder, 'backups') };
  const { name, password } = ADMINISTRATOR;
  mkdirSync(folder);
  const made = await berth(['setup', '--data', place.data, '--username', name, '--password-stdin'], {
    stdin: password,
  });
  expect(made.code).toBe(0);
  return place;
}

async function serve(data: string, args: string[], options: Partial<BerthOptions> = {}): Promise<RunningBerth> {
  const usual = ['--anonymous', 'none', '--workers', '1', '--gc-interval', '0s'];
  const server = await startBerth({ data, args: [...usual, ...args], readyWithin: WITHIN_MS, ...options });
  running.add(server);
  return server;
}

async function end(server: RunningBerth, how: 'stop' | 'kill'): Promise<void> {
  await server[how]();
  running.delete(server);
}

const backupsIn = (target: string) => {
  const folder = join(target, 'manifests');
  return existsSync(folder) ? readdirSync(folder).sort() : [];
};
const linesOf = (server: RunningBerth, message: string): Record<string, unknown>[] =>
  server
    .output()
    .split('\n')
    .filter((line) => line.includes(`"msg":"${message}"`))
    .map((line): Record<string, unknown> => JSON.parse(line));
const metric = async (server: RunningBerth, name: string) => {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const [, value] = new RegExp(`^${name} (\\S+)$`, 'm').exec(text) ?? [];
  return Number(value);
};

/** Processes that make a backup to `target` now. */
function backupProcesses(target: string): number[] {
  const { stdout } = Bun.spawnSync(['ps', '-eo', 'pid=,args=', '-ww']);
  return stdout
    .toString()
    .split('\n')
    .filter((line) => line.includes(` backup ${target} `))
    .map((line) => Number.parseInt(line, 10));
}

/** The process of a backup, stopped in its course: `begun` when it has said in the target that it is there. */
async function heldBackup(target: string, begun = false): Promise<number> {
  let found: number | undefined;
  await eventually('a backup is being made', WITHIN_MS, async () => {
    [found] = backupProcesses(target);
    if (found === undefined) return false;
    while (begun && entriesOf(target).length === 0 && isAlive(found)) await Bun.sleep(1);
    try {
      process.kill(found, 'SIGSTOP');
    } catch {
      return false;
    }
    if (!begun || entriesOf(target).length > 0) return true;
    process.kill(found, 'SIGCONT');
    return false;
  });
  return found ?? 0;
}

/** What says in the target that somebody is at work there. */
function entriesOf(target: string): string[] {
  const folder = join(target, 'running');
  return existsSync(folder) ? readdirSync(folder) : [];
}

describe('a server that makes backups', () => {
  test('makes one soon, and again after the interval; keeps what the rule says; each comes back', async () => {
    const { data, target } = await newPlace();
    const flags = ['--backup-to', target, '--backup-interval', '1s', '--backup-keep-last', '1', '--workers', '2'];
    const server = await serve(data, flags);
    const pusher = new Pusher(server.url);
    const first = await pusher.push('alice/app', 'first', 'one');
    await eventually('two backups', WITHIN_MS, () => linesOf(server, 'backup made').length >= 2);
    const second = await pusher.push('alice/app', 'second', 'two');
    const before = linesOf(server, 'backup made').length;
    // The one under way may have begun before the push.
    await eventually('two more', WITHIN_MS, () => linesOf(server, 'backup made').length >= before + 2);
    await eventually('old ones are removed', WITHIN_MS, () => linesOf(server, 'old backups removed').length >= 1);
    expect(await metric(server, 'berth_backup_period_seconds')).toBe(1);
    expect(await metric(server, 'berth_backup_failures')).toBe(0);
    expect(await metric(server, 'berth_backup_last_bytes')).toBeGreaterThan(10_000);
    await end(server, 'stop');
    const removed = linesOf(server, 'old backups removed').flatMap((line) => line.removed as string[]);
    const kept = backupsIn(target);
    expect(removed.length).toBeGreaterThan(0);
    expect(removed.filter((id) => kept.some((name) => name.includes(id)))).toEqual([]);
    expect(kept.length).toBeGreaterThan(0);
    expect(await ran(['backup', 'verify', target])).toStartWith('all is well');
    const restored = `${data}.restored`;
    const key = join(data, 'secret.key');
    expect(await ran(['restore', target, '--data', restored, '--secret-key-file', key])).toContain('all is well');
    for (const digest of [first, second]) {
      expect((await berth(['why', digest, '--data', restored])).stdout).toContain('alice/app');
    }
  }, 600_000);

  test('keeps its rhythm over restarts, and counts what was made by hand', async () => {
    const { data, target } = await newPlace();
    const flags = ['--backup-to', target, '--backup-interval', '1h'];
    let server = await serve(data, flags);
    await eventually('the first backup', WITHIN_MS, () => linesOf(server, 'backup made').length === 1);
    const made = backupsIn(target);
    const at = await metric(server, 'berth_backup_last_success_timestamp_seconds');
    expect(at).toBeGreaterThan(Date.now() / 1_000 - 300);
    await end(server, 'stop');
    server = await serve(data, flags);
    // It looks every two seconds.
    await Bun.sleep(4_500);
    expect(backupsIn(target)).toEqual(made);
    expect(await metric(server, 'berth_backup_last_success_timestamp_seconds')).toBe(at);
    await ran(['backup', target, '--data', data]);
    expect(await metric(server, 'berth_backup_last_success_timestamp_seconds')).toBeGreaterThan(at);
    const listed = await new Pusher(server.url).send('GET', '/api/v1/instance/backups');
    expect(JSON.parse(listed)).toMatchObject({
      runs: [
        { target, startedBy: 'command line', state: 'done', error: null, result: { faults: 0 } },
        { target, startedBy: 'schedule', state: 'done', error: null },
      ],
    });
    await end(server, 'stop');
  }, 600_000);

  test('whose backup is killed each time goes on from what it copied, until it is whole', async () => {
    const { data, target } = await newPlace();
    const before = await serve(data, []);
    const pusher = new Pusher(before.url);
    for (const word of ['one', 'two', 'three']) await pusher.push('alice/app', word, word);
    await end(before, 'stop');
    // Six blobs are to be copied, and each process is killed at its third.
    const server = await serve(data, ['--backup-to', target, '--backup-interval', '1s'], {
      env: { BERTH_FAILPOINT: 'blob-copied@3' },
    });
    await eventually('a whole backup', WITHIN_MS, () => linesOf(server, 'backup made').length >= 1);
    const failed = linesOf(server, 'the backup failed; it is tried again');
    expect(failed.length).toBeGreaterThanOrEqual(1);
    expect(failed[0]).toMatchObject({ level: 'error', target, reason: 'the process ended (137)' });
    await end(server, 'stop');
    expect(await ran(['backup', 'verify', target])).toStartWith('all is well');
  }, 600_000);

  test('that is stopped while a backup runs ends it cleanly, and makes it at the next start', async () => {
    const { data, target } = await newPlace();
    const flags = ['--backup-to', target, '--backup-interval', '1s'];
    let server = await serve(data, flags);
    const pusher = new Pusher(server.url);
    for (let i = 0; i < 3; i++) await pusher.push('alice/app', `v${i}`, `word ${i}`);
    const child = await heldBackup(target, true);
    const stopped = end(server, 'stop');
    // The signal has been sent when this is said.
    await eventually('it is stopping', WITHIN_MS, () => server.output().includes('"msg":"stopping"'));
    process.kill(child, 'SIGCONT');
    await stopped;
    expect(isAlive(child)).toBe(false);
    expect(entriesOf(target)).toEqual([]);
    expect(linesOf(server, 'the backup failed; it is tried again')).toEqual([]);
    server = await serve(data, flags);
    await eventually('a backup', WITHIN_MS, () => linesOf(server, 'backup made').length >= 1);
    expect(await metric(server, 'berth_backup_failures')).toBe(0);
    await end(server, 'stop');
    expect(await ran(['backup', 'verify', target])).toStartWith('all is well');
  }, 600_000);

  test('that is killed while a backup runs leaves it to its end, and the next one begins no other meanwhile', async () => {
    const { data, target } = await newPlace();
    const flags = ['--backup-to', target, '--backup-interval', '1h'];
    const killed = await serve(data, flags);
    const child = await heldBackup(target);
    // As a power cut of the service alone: the supervisor and its workers, not what it began.
    process.kill(killed.pid, 'SIGKILL');
    await killed.exited;
    running.delete(killed);
    const server = await serve(data, flags);
    await Bun.sleep(4_500);
    expect(backupProcesses(target)).toEqual([child]);
    process.kill(child, 'SIGCONT');
    await eventually('the backup of the killed server', WITHIN_MS, () => backupsIn(target).length === 1);
    await eventually('its end', WITHIN_MS, () => !isAlive(child));
    await eventually(
      'the figure',
      WITHIN_MS,
      async () => (await metric(server, 'berth_backup_last_success_timestamp_seconds')) > 0,
    );
    expect(await metric(server, 'berth_backup_failures')).toBe(0);
    expect(await ran(['backup', 'verify', target])).toStartWith('all is well');
    await end(server, 'stop');
  }, 600_000);

  test('whose target says nothing ends all the same when it is stopped', async () => {
    const { data } = await newPlace();
    let asked = 0;
    const bucket = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      idleTimeout: 0,
      fetch: () => {
        asked++;
        return new Promise<Response>(() => {});
      },
    });
    try {
      const args = ['--backup-to', 's3://bucket/berth', '--s3-endpoint', `http://127.0.0.1:${bucket.port}`];
      const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
      // Far longer than the test: whoever waited for the target would be late.
      const server = await serve(data, [...args, '--shutdown-timeout', '1h'], { env });
      await eventually('the target is asked', WITHIN_MS, () => asked > 0);
      running.delete(server);
      expect(await server.stop()).toBe(0);
    } finally {
      await bucket.stop(true);
    }
  }, 600_000);

  test('makes none beneath a disk that is not there any more, until somebody begins anew', async () => {
    const { data, target } = await newPlace();
    const server = await serve(data, ['--backup-to', target, '--backup-interval', '1s']);
    await eventually('a backup', WITHIN_MS, () => linesOf(server, 'backup made').length >= 1);
    await eventually('none is under way', WITHIN_MS, () => {
      if (backupProcesses(target).length > 0) return false;
      rmSync(target, { recursive: true });
      return true;
    });
    const refused = 'the backups that were made there are gone; mount the disk that has them';
    await eventually('it is refused', WITHIN_MS, () => server.output().includes(refused));
    expect(backupsIn(target)).toEqual([]);
    await ran(['backup', target, '--data', data]);
    const before = linesOf(server, 'backup made').length;
    await eventually('the next one', WITHIN_MS, () => linesOf(server, 'backup made').length > before);
    await end(server, 'stop');
  }, 600_000);

  test('to a target that takes nothing says why and what to do, and makes the next one when it can', async () => {
    const { data, target } = await newPlace();
    writeFileSync(target, 'not a folder');
    const server = await serve(data, ['--backup-to', target, '--backup-interval', '1s']);
    await eventually(
      'two failures',
      WITHIN_MS,
      () => linesOf(server, 'the backup failed; it is tried again').length >= 2,
    );
    const [failure] = linesOf(server, 'the backup failed; it is tried again');
    expect(failure).toMatchObject({
      level: 'error',
      target,
      reason: expect.stringMatching(/: E(NOTDIR|EXIST).*; give a folder$/),
    });
    expect(await metric(server, 'berth_backup_failures')).toBeGreaterThanOrEqual(2);
    expect(await metric(server, 'berth_backup_last_success_timestamp_seconds')).toBe(0);
    rmSync(target);
    await eventually('a backup', WITHIN_MS, () => linesOf(server, 'backup made').length >= 1);
    await eventually('the figure', WITHIN_MS, async () => (await metric(server, 'berth_backup_failures')) === 0);
    await end(server, 'stop');
    expect(await ran(['backup', 'verify', target])).toStartWith('all is well');
  }, 600_000);

  test.skipIf(!canMount('backups to a full disk'))(
    'to a disk that is full says so, and goes on when there is room',
    async () => {
      const { data } = await newPlace();
      const disk = await smallDisk(4);
      try {
        disk.fill();
        const target = join(disk.path, 'backups');
        const server = await serve(data, ['--backup-to', target, '--backup-interval', '1s']);
        const failures = () => linesOf(server, 'the backup failed; it is tried again');
        await eventually('a failure', WITHIN_MS, () => failures().length >= 1);
        expect(failures()[0]).toMatchObject({
          reason: expect.stringMatching(
            /^\/.*: ENOSPC: .*; make room there, or remove old backups with berth backup prune$/,
          ),
        });
        disk.free();
        await eventually('a backup', WITHIN_MS, () => linesOf(server, 'backup made').length >= 1);
        await end(server, 'stop');
        expect(await ran(['backup', 'verify', target])).toStartWith('all is well');
      } finally {
        await disk.unmount();
      }
    },
    600_000,
  );
});

describe.skipIf(!requirePostgres('backups of several servers'))('two servers on one PostgreSQL', () => {
  test('make one backup together', async () => {
    const { data, target } = await newPlace();
    const postgres = await startPostgres({ settings: ['fsync = off'] });
    try {
      const flags = ['--database', await postgres.newDatabase(), '--secret-key-file', `${data}.key`];
      const both = await Promise.all(
        ['one', 'two'].map((name) =>
          serve(`${data}-${name}`, [...flags, '--backup-to', target, '--backup-interval', '1h']),
        ),
      );
      const made = () => both.flatMap((server) => linesOf(server, 'backup made'));
      await eventually('a backup', WITHIN_MS, () => made().length >= 1);
      // Each looks every two seconds.
      await Bun.sleep(5_000);
      expect(made()).toHaveLength(1);
      expect(backupsIn(target)).toHaveLength(1);
      for (const server of both) {
        expect(await metric(server, 'berth_backup_last_success_timestamp_seconds')).toBeGreaterThan(0);
        await end(server, 'stop');
      }
    } finally {
      await postgres.stop();
    }
  }, 600_000);
});
