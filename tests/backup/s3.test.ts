// Backups in a bucket of a real S3 server that runs in a process of its own.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { S3Target } from '../../src/backup/s3-target.ts';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { eventually } from '../support/processes.ts';
import { Pusher, ran, serveWithAccounts, workFolder } from './place.ts';

const work = workFolder();
const data = join(work.path, 'data');
const KEYS = { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER', AWS_REGION: 'us-east-1' };
const MIB = 1 << 20;
let store: Bun.Subprocess<'ignore', 'pipe', 'inherit'>;
let endpoint = '';
let server: RunningBerth;

beforeAll(async () => {
  const script = join(import.meta.dir, 's3-server.mjs');
  // Its continuation tokens are encrypted with a cipher that OpenSSL 3 has there alone.
  store = Bun.spawn(['node', '--openssl-legacy-provider', script, join(work.path, 's3'), 'bucket'], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'inherit',
  });
  for await (const text of store.stdout) {
    endpoint = `http://127.0.0.1:${new TextDecoder().decode(text).trim()}`;
    break;
  }
  server = await serveWithAccounts(data, ['--gc-interval', '0s']);
}, 60_000);
afterAll(async () => {
  await server?.stop();
  store?.kill();
  await store?.exited;
  work.remove();
});

const target = () =>
  new S3Target({
    bucket: 'bucket',
    prefix: 'direct/',
    endpoint,
    region: 'us-east-1',
    accessKeyId: 'S3RVER',
    secretAccessKey: 'S3RVER',
    sessionToken: undefined,
  });
const pieces = (count: number, end: () => void = () => {}) =>
  async function* () {
    for (let i = 0; i < count; i++) yield new Uint8Array(MIB).fill(i);
    end();
  };

describe('a bucket', () => {
  test('takes backups, shows, verifies, prunes and gives them back', async () => {
    const pusher = new Pusher(server.url);
    const s3 = ['--s3-endpoint', endpoint];
    await pusher.push('alice/app', 'latest', 'one');
    await ran(['backup', 's3://bucket/berth', '--data', data, ...s3], KEYS);
    const latest = await pusher.push('alice/app', 'latest', 'two');
    const second = JSON.parse(
      await ran(['backup', 's3://bucket/berth', '--data', data, '--output', 'json', ...s3], KEYS),
    ) as {
      id: string;
      blobs: object;
    };
    expect(second.blobs).toMatchObject({ count: 4, copied: 2 });
    // The endpoint by the variable that every tool reads.
    const variable = { ...KEYS, AWS_ENDPOINT_URL: endpoint };
    expect(await ran(['backup', 'verify', 's3://bucket/berth'], variable)).toStartWith(
      'all is well: 2 backup(s), 4 blob(s)',
    );
    const pruned = JSON.parse(
      await ran(['backup', 'prune', 's3://bucket/berth', '--keep-last', '1', '--output', 'json'], variable),
    ) as object;
    expect(pruned).toMatchObject({ kept: [second.id], blobs: 0 });
    const restored = join(work.path, 'restored');
    expect(await ran(['restore', 's3://bucket/berth', '--data', restored], variable)).toContain('all is well');
    const there = await berth(['why', latest, '--data', restored]);
    expect(there.stdout).toContain('alice/app');
  });

  test('takes the backups of serve, with the keys of its environment, which are nowhere else', async () => {
    const flags = ['--backup-to', 's3://bucket/by-itself', '--backup-interval', '1s', '--backup-keep-last', '1'];
    const own = await startBerth({
      data: join(work.path, 'own'),
      args: [...flags, '--s3-endpoint', endpoint],
      env: KEYS,
      readyWithin: 120_000,
    });
    const said = (message: string) => own.output().split(`"msg":"${message}"`).length - 1;
    try {
      await eventually('two backups', 120_000, () => said('backup made') >= 2);
      await eventually('one is removed', 120_000, () => said('old backups removed') >= 1);
    } finally {
      await own.stop();
    }
    expect(own.output()).not.toContain(KEYS.AWS_SECRET_ACCESS_KEY);
    const variable = { ...KEYS, AWS_ENDPOINT_URL: endpoint };
    expect(await ran(['backup', 'verify', 's3://bucket/by-itself'], variable)).toStartWith('all is well');
    const refused = await berth(['serve', '--port', '0', '--data', join(work.path, 'own'), ...flags], {
      env: { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' },
    });
    expect({ code: refused.code, stderr: refused.stderr }).toEqual({
      code: 1,
      stderr: 'berth: s3://bucket/by-itself: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY\n',
    });
  }, 300_000);

  test('that is not there, or refuses, is said with its name', async () => {
    const wrong = await berth(['backup', 'list', 's3://another/berth', '--s3-endpoint', endpoint], { env: KEYS });
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain('s3://another/berth/: NoSuchBucket');
    const nobody = await berth(['backup', 'list', 's3://bucket/berth', '--s3-endpoint', 'http://127.0.0.1:9'], {
      env: KEYS,
    });
    expect(nobody.code).toBe(1);
    expect(nobody.stderr).toStartWith('berth: s3://bucket/berth/: ');
  });

  test('takes a large file in parts, and nothing of one that turns out wrong', async () => {
    const s3 = target();
    const count = 40;
    await s3.put('large', pieces(count));
    let size = 0;
    for await (const piece of (await s3.read('large')) ?? []) size += piece.byteLength;
    expect(size).toBe(count * MIB);
    const wrong = s3.put(
      'wrong',
      pieces(count, () => {
        throw new Error('another hash');
      }),
    );
    await expect(wrong).rejects.toThrow('another hash');
    expect(await s3.read('wrong')).toBeUndefined();
    await s3.remove('large');
    await s3.remove('large');
    expect(await s3.read('large')).toBeUndefined();
  });

  test('lists more than one page', async () => {
    const s3 = target();
    const one = async function* () {
      yield new Uint8Array([1]);
    };
    for (let i = 0; i < 1_050; i += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, j) => s3.put(`many/${String(i + j).padStart(5, '0')}`, one)));
    }
    const keys = [];
    for await (const { key, size } of s3.list('many/')) keys.push([key, size]);
    expect(keys).toHaveLength(1_050);
    expect(keys.at(-1)).toEqual(['many/01049', 1]);
  });
});
