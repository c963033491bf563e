// Byte quotas as people meet them: docker's message, two clients at the limit, the command, and figures that are the disk's.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { storageInfo } from '../../src/api/administration.ts';
import { namespaceUsage } from '../../src/api/quotas.ts';
import { berth } from '../support/berth.ts';
import { eventually } from '../support/processes.ts';
import { digestOf } from '../support/registry.ts';
import { requireTools } from '../support/tools.ts';
import { type Account, type AccountsRegistry, type DockerClient, dockerClient, startAccounts } from './accounts.ts';

const canRun = requireTools('quotas', ['root', 'dockerd', 'docker', 'skopeo', 'runc']);
setDefaultTimeout(120_000);
const MEGABYTE = 1_000_000;

describe.if(canRun)('a quota', () => {
  let registry: AccountsRegistry;
  let docker: DockerClient;
  let alice: Account;

  beforeAll(async () => {
    [registry, docker] = await Promise.all([startAccounts(), dockerClient()]);
    alice = await registry.signUp('alice');
    const { code, stderr } = await docker.login(registry.host, 'alice', alice.password);
    expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
  });
  afterAll(async () => {
    await docker?.stop();
    await registry?.stop();
  });

  const usage = async (namespace: string) =>
    namespaceUsage.parse(await registry.api(registry.administrator, 'GET', `quotas/${namespace}`));
  const figures = async () => storageInfo.parse(await registry.api(registry.administrator, 'GET', 'instance/storage'));
  const command = (...args: string[]) =>
    berth([...args, '--server', registry.url], { env: { BERTH_TOKEN: registry.administrator.secret } });
  /** Pushes a blob of a megabyte in one request; returns the status. */
  const pushBlob = async (name: string, filling: number): Promise<number> => {
    const bytes = new Uint8Array(MEGABYTE).fill(filling);
    const response = await fetch(`${registry.url}/v2/${name}/blobs/uploads/?digest=${digestOf(bytes)}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${alice.secret}`, 'Content-Type': 'application/octet-stream' },
      body: bytes,
    });
    await response.arrayBuffer();
    return response.status;
  };

  test('docker push says that the quota has no room, how much there is, and that it is denied', async () => {
    await registry.api(registry.administrator, 'PUT', 'quotas/alice', { bytes: 10_000 });
    const { code, stdout, stderr } = await docker.push(`${registry.host}/alice/app:1.0`);
    expect(code).not.toBe(0);
    expect(stdout + stderr).toContain('denied: quota: alice may hold 10000 bytes');
    expect((await usage('alice')).used).toBeLessThanOrEqual(10_000);

    await registry.api(registry.administrator, 'PUT', 'quotas/alice', { bytes: 100_000_000 });
    const again = await docker.push(`${registry.host}/alice/app:1.0`);
    expect([again.code, again.code === 0 ? '' : again.stderr]).toEqual([0, '']);
  });

  test('of clients that push at the same time as many get in as there is room for, over all workers', async () => {
    const before = (await usage('alice')).used;
    await registry.api(registry.administrator, 'PUT', 'quotas/alice', { bytes: before + 3 * MEGABYTE });
    const pushes = Array.from({ length: 12 }, (_, i) => pushBlob(`alice/part${i % 4}`, i));
    const statuses = (await Promise.all(pushes)).sort();
    expect(statuses).toEqual([201, 201, 201, ...Array.from({ length: 9 }, () => 403)]);
    expect((await usage('alice')).used - before).toBe(3 * MEGABYTE);
  });

  test('the command says, sets and takes away', async () => {
    expect((await command('quota', 'set', 'alice', '2GiB')).stdout).toBe('alice may hold 2.0 GiB\n');
    expect((await command('quota', 'show', 'alice')).stdout).toMatch(/may hold: +2\.0 GiB/);
    expect((await command('quota', 'default', '5GiB')).stdout).toBe('by default 5.0 GiB\n');
    expect((await command('quota', 'remove', 'alice')).stdout).toBe('alice has no quota of its own any more\n');
    expect((await command('quota', 'list')).stdout).toMatch(/^alice +\d+\.\d MiB +5\.0 GiB \(default\)/m);
    const wrong = await command('quota', 'set', 'alice', 'much');
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      expect.stringContaining('SIZE: "much" is not a size such as 500MiB'),
    ]);
    expect((await command('quota', 'default', 'none')).code).toBe(0);
  });

  test('the storage figures are what lies on the disk, after pushes, deletions and garbage collection', async () => {
    const onDisk = () => ({
      blobBytes: bytesBelow(join(registry.data, 'blobs')),
      uploads: bytesBelow(join(registry.data, 'uploads')),
    });
    const agree = async () => {
      await eventually('figures are summed anew', 60_000, async () => {
        const { blobBytes, uploads } = await figures();
        const disk = onDisk();
        return blobBytes === disk.blobBytes && uploads.bytes === disk.uploads;
      });
    };
    await agree();
    const before = onDisk().blobBytes;
    for (const name of ['alice/part0', 'alice/part1', 'alice/part2', 'alice/part3', 'alice/app']) {
      await registry.api(registry.administrator, 'DELETE', `repositories/${name}`, { confirm: name });
    }
    await agree();
    // What is just pushed is protected for a day, which the test does not wait for.
    expect((await usage('alice')).used).toBe(0);
    const { code, stdout } = await berth(['gc', '--data', registry.data, '--output', 'json']);
    expect([code, code === 0 ? '' : stdout]).toEqual([0, '']);
    await agree();
    expect(onDisk().blobBytes).toBeLessThanOrEqual(before);
  });
});

function bytesBelow(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
