// berth import registry: from a registry that is reached over the network.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { requireTools, run } from '../support/tools.ts';
import { startFlakyProxy } from './flaky-proxy.ts';
import { digestsAt, type Filled, fill, type OldRegistry, startOldRegistry } from './old-registry.ts';

const canRun = requireTools('import from a registry', ['docker-registry', 'skopeo']);
setDefaultTimeout(120_000);

describe.if(canRun)('another registry', () => {
  const login = { username: 'mover', password: 'a pass word' };
  let work: string;
  let open: OldRegistry;
  let closed: OldRegistry;
  let filled: Filled;
  let server: RunningBerth;

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'berth-import-'));
    open = await startOldRegistry(work, join(work, 'old'));
    closed = await startOldRegistry(work, join(work, 'old'), login);
    filled = await fill(open);
    server = await startBerth({ data: join(work, 'data'), args: ['--workers', '1'] });
  });

  afterAll(async () => {
    await Promise.all([server?.stop(), open?.stop(), closed?.stop()]);
    rmSync(work, { recursive: true, force: true });
  });

  const importing = (address: string, flags: string[], stdin?: string) =>
    berth(
      ['import', 'registry', address, ...flags, '--data', server.data, '--output', 'json'],
      stdin === undefined ? {} : { stdin },
    );
  const under = (prefix: string) =>
    Object.fromEntries(Object.entries(filled.tags).map(([name, digest]) => [`${prefix}/${name}`, digest]));
  const verified = async () => expect((await berth(['verify', '--data', server.data])).stdout).toContain('all is well');

  test('that asks for a log-in gives everything with the right one, and says so with another', async () => {
    const flags = ['--all', '--to', 'all', '--username', login.username, '--password-stdin'];
    const wrong = await importing(closed.url, flags, 'wrong');
    expect(wrong.code).toBe(1);
    expect(JSON.parse(wrong.stdout).faults[0].why).toContain('needs a log-in');
    const right = await importing(closed.url, flags, login.password);
    expect([right.stderr, right.code]).toEqual(['', 0]);
    expect(JSON.parse(right.stdout)).toMatchObject({ tags: Object.keys(filled.tags).length, faults: [] });
    expect(await digestsAt(server.url, under('all'))).toEqual(under('all'));
    const referrers = await (await fetch(`${server.url}/v2/all/team/app/referrers/${filled.signed}`)).json();
    expect((referrers as { manifests: unknown[] }).manifests).toHaveLength(1);
    await run([
      'skopeo',
      'copy',
      '--src-tls-verify=false',
      `docker://${server.host}/all/team/app:docker`,
      `dir:${work}/pulled`,
    ]);
    const again = await importing(closed.url, flags, login.password);
    expect(JSON.parse(again.stdout)).toMatchObject({ tags: 0, manifests: 0, bytesCopied: 0, faults: [] });
    await verified();
  });

  test('gives one image with all of its platforms, or those of a pattern', async () => {
    expect((await importing(open.url, ['team/app:2.0', '--to', 'one'])).code).toBe(0);
    const { tags } = (await (await fetch(`${server.url}/v2/one/team/app/tags/list`)).json()) as { tags: string[] };
    expect(tags).toEqual(['2.0']);
    expect((await importing(open.url, ['--match', 'pl*', '--tags', '1.*', '--to', 'some'])).code).toBe(0);
    expect(await digestsAt(server.url, { 'some/plain:1.0': '' })).toEqual({
      'some/plain:1.0': filled.tags['plain:1.0'] ?? '',
    });
  });

  test('that answers 429 and 500 and cuts connections gives everything all the same', async () => {
    const proxy = await startFlakyProxy(open.url);
    const fresh = await startBerth({ args: ['--workers', '1'] });
    try {
      const { code, stdout } = await berth([
        'import',
        'registry',
        proxy.url,
        '--all',
        '--data',
        fresh.data,
        '--output',
        'json',
      ]);
      expect(JSON.parse(stdout).faults).toEqual([]);
      expect(code).toBe(0);
      for (const times of Object.values(proxy.troubles)) expect(times).toBeGreaterThan(1);
      expect(await digestsAt(fresh.url, filled.tags)).toEqual(filled.tags);
      proxy.limit(86_400);
      const limited = await berth(['import', 'registry', proxy.url, '--all', '--data', fresh.data]);
      expect(limited.code).toBe(1);
      expect(limited.stderr).toMatch(/too many requests; again from \d{4}-/);
      expect(await digestsAt(fresh.url, filled.tags)).toEqual(filled.tags);
    } finally {
      await fresh.stop();
      await proxy.stop();
    }
  });

  test('that is not there, has no such repository, or is no registry, is told apart', async () => {
    const missing = await importing(open.url, ['no/such', 'plain', '--to', 'x']);
    expect(missing.code).toBe(1);
    const result = JSON.parse(missing.stdout);
    expect(result.faults).toEqual([{ subject: 'x/no/such', why: expect.stringContaining('404 (NAME_UNKNOWN') }]);
    expect(result.tags).toBe(1);
    const tls = await importing(`https://${open.host}`, ['plain']);
    expect(tls.code).toBe(1);
    expect(JSON.parse(tls.stdout).faults[0].why).toContain(
      `${open.host} does not speak HTTPS; write http:// before it`,
    );
    const usage = await berth(['import', 'registry', open.url, '--data', server.data]);
    expect([usage.code, usage.stderr]).toEqual([2, expect.stringContaining('--all or --match')]);
  });

  test('that hangs is left at once by control-C, and nothing is lost', async () => {
    const asked = Promise.withResolvers<void>();
    const silent = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      idleTimeout: 0,
      fetch: () => {
        asked.resolve();
        return new Promise<Response>(() => {});
      },
    });
    try {
      const command = [
        join(import.meta.dir, '../../bin/berth'),
        'import',
        'registry',
        `http://127.0.0.1:${silent.port}`,
        'x/y',
      ];
      const child = Bun.spawn([...command, '--data', server.data], { stdout: 'ignore', stderr: 'pipe' });
      await asked.promise;
      child.kill('SIGINT');
      expect(await child.exited).toBe(130);
      expect(await new Response(child.stderr).text()).toContain('run it again');
    } finally {
      await silent.stop(true);
    }
    await verified();
  });
});
