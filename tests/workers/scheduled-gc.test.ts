// The garbage collection that `berth serve` runs by itself.
import { expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '../support/client.ts';
import { eventually } from '../support/processes.ts';
import { digestOf } from '../support/registry.ts';
import { serve } from '../support/serve.ts';

const windows = ['--gc-grace', '1s', '--tag-history-window', '0s', '--upload-expiry', '1s'];
const served = serve({ args: ['--workers', '2', '--gc-interval', '1s', ...windows] });

test('removes by itself what nothing names, and leaves what a tag names', async () => {
  const { registry, berth } = served;
  const client = new Client(berth.port);
  const kept = await registry.pushImage('a', 'kept');
  const deleted = await registry.pushImage('a', 'gone');
  const stray = randomBytes(1_000);
  const strayDigest = await registry.pushBlob('b', stray);
  const open = await client.request('POST', '/v2/b/blobs/uploads/');
  const upload = open.headers.get('location') ?? '';
  expect((await client.request('PATCH', upload, { body: stray })).status).toBe(202);
  expect((await registry.delete(`/v2/a/manifests/${deleted.digest}`)).status).toBe(202);

  for (const digest of [deleted.layer, deleted.config, strayDigest]) {
    await eventually(`${digest} is removed`, 20_000, () => !existsSync(fileOf(digest)));
    expect((await registry.get(`/v2/a/blobs/${digest}`)).status).toBe(404);
  }
  await eventually('the upload has expired', 20_000, async () => (await client.request('GET', upload)).status === 404);
  await eventually('a log line', 20_000, () => berth.output().includes('garbage collected'));
  // Asked with GET, which prolongs nothing.
  const body = await client.request('GET', '/v2/a/manifests/kept');
  expect(digestOf(body.body)).toBe(kept.digest);
  for (const digest of [kept.layer, kept.config]) {
    expect(digestOf((await client.request('GET', `/v2/a/blobs/${digest}`)).body)).toBe(digest);
  }
  client.close();
}, 60_000);

function fileOf(digest: string): string {
  const [algorithm = '', hex = ''] = digest.split(':');
  return join(served.berth.data, 'blobs', algorithm, hex.slice(0, 2), hex);
}
