// An answer of 201 means that a power cut loses nothing: the order in which the worker asks the system to make things durable,
// as strace sees it.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningBerth, startBerth } from '../support/berth.ts';
import { Client } from '../support/client.ts';
import { eventually, started, workersOf } from '../support/processes.ts';
import { describeBytes, digestOf, mediaTypes } from '../support/registry.ts';
import { requireTools } from '../support/tools.ts';
import { next, parseCalls, type SystemCall } from './system-calls.ts';

const TRACED = 'fsync,fdatasync,sync_file_range,rename,renameat,renameat2,write,writev,sendto,sendmsg';
const SYNC = ['fsync', 'fdatasync'];
const RENAME = ['rename', 'renameat', 'renameat2'];
const SEND = ['write', 'writev', 'sendto', 'sendmsg'];
const WAL = /berth\.db-wal>/;
const CREATED = /"HTTP\/1\.1 201 /;

describe.skipIf(!requireTools('durability', ['strace', 'root']))('before a 201 goes out', () => {
  let berth: RunningBerth;
  let client: Client;
  const folder = mkdtempSync(join(tmpdir(), 'berth-strace-'));
  beforeAll(async () => {
    berth = await startBerth({ args: ['--workers', '1'] });
    await started(berth);
    client = new Client(berth.port);
  }, 60_000);
  afterAll(async () => {
    client.close();
    await berth.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The system calls of the worker while `work` runs. */
  async function traced(name: string, work: () => Promise<void>): Promise<SystemCall[]> {
    const output = join(folder, name);
    const said = join(folder, `${name}.stderr`);
    const [worker = 0] = workersOf(berth.pid);
    const command = ['strace', '-f', '-y', '-s', '80', '-e', `trace=${TRACED}`, '-o', output, '-p', String(worker)];
    const strace = Bun.spawn(command, { stdin: 'ignore', stdout: 'ignore', stderr: Bun.file(said) });
    await eventually('strace is attached', 30_000, () => /attached/.test(readFileSync(said, 'utf8')));
    try {
      await work();
    } finally {
      strace.kill('SIGINT');
      await strace.exited;
    }
    return parseCalls(readFileSync(output, 'utf8'));
  }

  test('for a blob: its file is synced, renamed, its folder synced, and then its row', async () => {
    const content = randomBytes(300_000);
    const digest = digestOf(content);
    const hex = digest.slice('sha256:'.length);
    let id = '';
    const calls = await traced('blob', async () => {
      const path = (await client.request('POST', '/v2/a/blobs/uploads/')).headers.get('location') ?? '';
      id = path.split('/').at(-1) ?? '';
      const patched = await client.request('PATCH', path, { body: content.subarray(0, 200_000) });
      expect(patched.status).toBe(202);
      const put = await client.request('PUT', `${path}?digest=${digest}`, { body: content.subarray(200_000) });
      expect(put.status).toBe(201);
    });
    const write = calls.findLast((call) => call.name.includes('write') && call.args.includes(`/uploads/${id}>`));
    const synced = next(calls, write, SYNC, new RegExp(`/uploads/${id}>`));
    const renamed = next(
      calls,
      synced,
      RENAME,
      new RegExp(`/uploads/${id}".*/blobs/sha256/${hex.slice(0, 2)}/${hex}"`),
    );
    const folderSynced = next(calls, renamed, SYNC, new RegExp(`/blobs/sha256/${hex.slice(0, 2)}>`));
    const committed = next(calls, folderSynced, SYNC, WAL);
    const answered = next(calls, committed, SEND, CREATED);
    expect(calls.filter((call) => SEND.includes(call.name) && CREATED.test(call.args))).toEqual([answered]);
  }, 60_000);

  test('for a manifest, and for a mount: the database is synced', async () => {
    const config = Buffer.from(JSON.stringify({ id: randomBytes(8).toString('hex') }));
    const digest = digestOf(config);
    const pushed = await client.request('POST', `/v2/b/blobs/uploads/?digest=${digest}`, { body: config });
    expect(pushed.status).toBe(201);
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: describeBytes(config, mediaTypes.ociConfig),
      layers: [],
    });
    const put = await traced('manifest', async () => {
      const answer = await client.request('PUT', '/v2/b/manifests/v1', {
        headers: { 'Content-Type': mediaTypes.ociManifest },
        body: manifest,
      });
      expect(answer.status).toBe(201);
    });
    next(put, next(put, undefined, SYNC, WAL), SEND, CREATED);
    const mounted = await traced('mount', async () => {
      const answer = await client.request('POST', `/v2/c/blobs/uploads/?mount=${digest}&from=b`);
      expect(answer.status).toBe(201);
    });
    next(mounted, next(mounted, undefined, SYNC, WAL), SEND, CREATED);
    for (const calls of [put, mounted]) {
      expect(calls.filter((call) => SEND.includes(call.name) && CREATED.test(call.args))).toHaveLength(1);
    }
  }, 60_000);
});
