// A backup or a restore that is killed, and the next one.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { Pusher, ran, serveWithAccounts, workFolder } from './place.ts';

const work = workFolder();
const data = join(work.path, 'data');
let server: RunningBerth;
let latest = '';

beforeAll(async () => {
  server = await serveWithAccounts(data, ['--gc-interval', '0s']);
  const pusher = new Pusher(server.url);
  for (const word of ['one', 'two', 'three']) latest = await pusher.push('alice/app', 'latest', word);
}, 60_000);
afterAll(async () => {
  await server?.stop();
  work.remove();
});

describe('a backup that is killed', () => {
  test.each(['snapshot-taken', 'blob-copied@3', 'dump-stored'])(
    'at %s is none, and the next one goes on from it',
    async (step) => {
      const target = join(work.path, `killed-${step.replace('@', '-')}`);
      const killed = await berth(['backup', target, '--data', data], { env: { BERTH_FAILPOINT: step } });
      expect(killed.code).toBe(137);
      expect(JSON.parse(await ran(['backup', 'list', target, '--output', 'json']))).toEqual([]);
      const made = JSON.parse(await ran(['backup', target, '--data', data, '--output', 'json'])) as {
        blobs: { copied: number; count: number };
      };
      expect(made.blobs.count).toBe(6);
      if (step === 'snapshot-taken') expect(made.blobs.copied).toBe(6);
      else expect(made.blobs.copied).toBeLessThan(6);
      expect(await ran(['backup', 'verify', target])).toStartWith('all is well');
      const restored = join(work.path, `restored-${step.replace('@', '-')}`);
      expect(await ran(['restore', target, '--data', restored])).toContain('all is well');
    },
  );

  test('after its manifest is one', async () => {
    const target = join(work.path, 'killed-late');
    const killed = await berth(['backup', target, '--data', data], { env: { BERTH_FAILPOINT: 'manifest-stored' } });
    expect(killed.code).toBe(137);
    expect(await ran(['restore', target, '--data', join(work.path, 'restored-late')])).toContain('all is well');
  });
});

describe('a restore that is killed', () => {
  test.each(['blob-restored@2', 'blobs-restored', 'database-loaded', 'database-migrated', 'restore-verified'])(
    'at %s is served by nobody, and ends when it is run again',
    async (step) => {
      const target = join(work.path, 'backups');
      if (!existsSync(target)) await ran(['backup', target, '--data', data, '--include-secret-key']);
      const restored = join(work.path, `again-${step.replace('@', '-')}`);
      const killed = await berth(['restore', target, '--data', restored], { env: { BERTH_FAILPOINT: step } });
      expect(killed.code).toBe(137);
      for (const command of ['serve', 'verify', 'gc']) {
        const refused = await berth([command, '--data', restored]);
        expect({ command, code: refused.code }).toEqual({ command, code: 1 });
        expect(refused.stderr).toContain('did not end; run the same berth restore again');
      }
      expect(await ran(['restore', target, '--data', restored])).toContain('all is well');
      const copy = await startBerth({ data: restored, args: ['--anonymous', 'none', '--workers', '1'] });
      try {
        expect(await new Pusher(copy.url).pull('alice/app', 'latest')).toBe(latest);
      } finally {
        await copy.stop();
      }
      expect(readFileSync(join(restored, 'secret.key'), 'utf8')).toBe(readFileSync(join(data, 'secret.key'), 'utf8'));
    },
  );
});

describe('a restore', () => {
  test('goes into an empty directory alone, and says what it found', async () => {
    const target = join(work.path, 'backups');
    const refused = await berth(['restore', target, '--data', data]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('is not empty (it holds ');
  });

  test('says what cannot be read without the key, and takes one that is there', async () => {
    const target = join(work.path, 'without-key');
    const made = await ran(['backup', target, '--data', data]);
    const [, fingerprint = ''] = /fingerprint ([0-9a-f]{16})/.exec(made) ?? [];
    for (const name of readdirSync(join(target, 'manifests'))) {
      const key = readFileSync(join(data, 'secret.key'), 'utf8').trim();
      expect(readFileSync(join(target, 'manifests', name), 'utf8')).not.toContain(key);
    }
    const restored = join(work.path, 'no-key');
    const { code, stderr } = await berth(['restore', target, '--data', restored]);
    expect({ code, there: existsSync(join(restored, 'secret.key')) }).toEqual({ code: 0, there: false });
    expect(stderr).toContain(`(fingerprint ${fingerprint}) at ${join(restored, 'secret.key')}`);
    const other = join(work.path, 'with-key');
    const flags = ['--data', other, '--secret-key-file', join(data, 'secret.key')];
    expect((await berth(['restore', target, ...flags])).stderr).toBe('');
  });

  test('of what is no backup says so', async () => {
    const empty = join(work.path, 'nothing');
    const missing = await berth(['restore', empty, '--data', join(work.path, 'x')]);
    expect({ code: missing.code, stderr: missing.stderr }).toEqual({
      code: 1,
      stderr: `berth: ${empty} holds no backup\n`,
    });
    rmSync(join(work.path, 'x'), { recursive: true, force: true });
    expect((await berth(['backup', 'list', 'ftp://x/y'])).stderr).toContain('neither a folder nor s3://bucket/prefix');
    const nothing = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' };
    expect((await berth(['backup', 'list', 's3://bucket/y'], { env: nothing })).stderr).toContain(
      'set AWS_ACCESS_KEY_ID',
    );
  });
});
