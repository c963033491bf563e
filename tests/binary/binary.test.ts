import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/ports.ts';
import { Collector } from '../tracing/collector.ts';

const root = new URL('../..', import.meta.url).pathname;
const work = mkdtempSync(join(tmpdir(), 'berth-binary-'));
const binary = join(work, 'bin', 'berth');
/** Nothing of the checkout, of npm or of Bun is in reach. */
const bare = { PATH: '/usr/bin:/bin', HOME: work };

beforeAll(async () => {
  const build = Bun.spawn([process.execPath, 'scripts/build.ts', '--out', binary], { cwd: root, stdout: 'ignore' });
  expect(await build.exited).toBe(0);
});

afterAll(() => rmSync(work, { recursive: true, force: true }));

async function run(...args: string[]) {
  const child = Bun.spawn([binary, ...args], { cwd: work, env: bare, stdout: 'pipe', stderr: 'pipe' });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, stdout, stderr };
}

test('the build is one file', () => {
  expect(readdirSync(join(work, 'bin'))).toEqual(['berth']);
});

test('the binary serves with two workers, collects and verifies with nothing else installed', async () => {
  const port = await freePort();
  const data = join(work, 'data');
  const serve = ['serve', '--port', String(port), '--data', data, '--anonymous', 'push', '--workers', '2'];
  const server = Bun.spawn([binary, ...serve], { cwd: work, env: bare, stdout: 'pipe', stderr: 'ignore' });
  try {
    const url = `http://127.0.0.1:${port}`;
    for (let i = 0; i < 500; i++) {
      const ready = await fetch(`${url}/readyz`).catch(() => undefined);
      if (ready?.status === 200) break;
      await Bun.sleep(20);
    }
    const layer = crypto.getRandomValues(new Uint8Array(60_000));
    const digest = `sha256:${new Bun.CryptoHasher('sha256').update(layer).digest('hex')}`;
    const pushed = await fetch(`${url}/v2/app/blobs/uploads/?digest=${digest}`, { method: 'POST', body: layer });
    expect(pushed.status).toBe(201);
    const pulled = await fetch(`${url}/v2/app/blobs/${digest}`);
    expect(Buffer.from(await pulled.arrayBuffer()).equals(layer)).toBe(true);

    const verified = await run('verify', '--data', data, '--output', 'json');
    expect({ code: verified.code, blobs: JSON.parse(verified.stdout).blobs }).toEqual({ code: 0, blobs: 1 });
    expect((await run('gc', '--data', data)).stdout).toContain('removed 0 manifest(s)');
    expect((await run('why', digest, '--data', data)).stdout).toContain('grace window');
  } finally {
    server.kill('SIGTERM');
    expect(await server.exited).toBe(0);
  }
});

test('the binary sends traces', async () => {
  const collector = new Collector();
  const port = await freePort();
  const serve = [
    'serve',
    '--port',
    String(port),
    '--data',
    join(work, 'traced'),
    '--anonymous',
    'push',
    '--workers',
    '1',
  ];
  const env = { ...bare, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  const server = Bun.spawn([binary, ...serve], { cwd: work, env, stdout: 'ignore', stderr: 'ignore' });
  try {
    let status = 0;
    for (let i = 0; i < 1_000 && status !== 200; i++) {
      status = (await fetch(`http://127.0.0.1:${port}/v2/`).catch(() => undefined))?.status ?? 0;
      if (status !== 200) await Bun.sleep(20);
    }
    expect(status).toBe(200);
    server.kill('SIGTERM');
    expect(await server.exited).toBe(0);
    expect(collector.requests('GET /v2/').length).toBeGreaterThan(0);
  } finally {
    server.kill('SIGKILL');
    collector.stop();
  }
});

test('the binary names its version and its commands', async () => {
  expect((await run('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  const help = await run('--help');
  for (const command of ['serve', 'gc', 'why', 'verify', 'tag']) expect(help.stdout).toContain(`  ${command} `);
});
