// An upload that is being made a blob, on a disk that takes longer to sync it than another request waits.
import { describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '../support/client.ts';
import { eventually, holderOf, started, workersOf } from '../support/processes.ts';
import { digestOf } from '../support/registry.ts';
import { serve } from '../support/serve.ts';
import { requireTools } from '../support/tools.ts';

/** Longer than a request waits for another one that holds the upload (`registry/upload-holder.ts`). */
const SYNC_SECONDS = 15;

describe.skipIf(!requireTools('slow commit', ['strace', 'root']))('an upload that is being committed', () => {
  const served = serve({ args: ['--workers', '2'] });

  test('is passed to nobody, so that nothing is appended to the blob', async () => {
    await started(served.berth);
    const client = new Client(served.berth.port);
    const content = randomBytes(1_000_000);
    const digest = digestOf(content);
    const path = (await client.request('POST', '/v2/a/blobs/uploads/')).headers.get('location') ?? '';
    const id = path.split('/').at(-1) ?? '';
    expect((await client.request('PATCH', path, { body: content })).status).toBe(202);
    const folder = mkdtempSync(join(tmpdir(), 'berth-strace-'));
    const said = join(folder, 'stderr');
    const workers = workersOf(served.berth.pid);
    const slow = ['-f', '-P', join(served.berth.data, 'uploads', id), '-e', 'trace=fsync,fdatasync'];
    const inject = ['-e', `inject=fsync,fdatasync:delay_enter=${SYNC_SECONDS}s`, '-o', join(folder, 'trace')];
    const strace = Bun.spawn(['strace', ...slow, ...inject, ...workers.flatMap((pid) => ['-p', String(pid)])], {
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: Bun.file(said),
    });
    try {
      await eventually('strace is attached to both', 30_000, () => {
        return readFileSync(said, 'utf8').split('attached').length > workers.length;
      });
      const begun = performance.now();
      const put = client.requestOnNew('PUT', `${path}?digest=${digest}`);
      await eventually('the file is being synced', 20_000, () => holderOf(id, workers) !== undefined);
      await Bun.sleep(500);
      const late = await client.requestOnNew('PATCH', path, { body: content });
      expect([503, 404]).toContain(late.status);
      const answer = await put;
      expect([answer.status, answer.text()]).toEqual([201, '']);
      // Otherwise the disk was not slow, and nothing was shown.
      expect(performance.now() - begun).toBeGreaterThan(SYNC_SECONDS * 1_000);
    } finally {
      strace.kill('SIGINT');
      await strace.exited;
      rmSync(folder, { recursive: true, force: true });
    }
    const read = await client.requestOnNew('GET', `/v2/a/blobs/${digest}`);
    expect([read.body.length, digestOf(read.body)]).toEqual([content.length, digest]);
    client.close();
  }, 90_000);
});
