import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { berth, startBerth } from '../support/berth.ts';
import { freePort } from '../support/ports.ts';

const directory = mkdtempSync(join(tmpdir(), 'berth-config-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let files = 0;
function yaml(text: string): string {
  const path = join(directory, `${files++}.yaml`);
  writeFileSync(path, text);
  return path;
}

async function refused(args: string[], env: Record<string, string> = {}): Promise<string> {
  const ended = await berth(['serve', '--data', join(directory, 'data'), ...args], { env });
  expect([1, 2]).toContain(ended.code);
  expect(ended.stderr).not.toMatch(/^\s+at .+:\d+/m);
  return ended.stderr;
}

/** Setting, a bad value, flag, variable, YAML key. */
const bad: [value: string, flag: string, variable: string, key: string][] = [
  ['99999', '--port', 'BERTH_PORT', 'port'],
  ['http', '--port', 'BERTH_PORT', 'port'],
  ['everyone', '--anonymous', 'BERTH_ANONYMOUS', 'anonymous'],
  ['0', '--workers', 'BERTH_WORKERS', 'workers'],
  ['many', '--workers', 'BERTH_WORKERS', 'workers'],
  ['mysql://x', '--database', 'BERTH_DATABASE', 'database'],
  ['loud', '--log-level', 'BERTH_LOG_LEVEL', 'logLevel'],
  ['soon', '--gc-interval', 'BERTH_GC_INTERVAL', 'gcInterval'],
  ['5', '--gc-grace', 'BERTH_GC_GRACE', 'gcGrace'],
  ['-5m', '--upload-expiry', 'BERTH_UPLOAD_EXPIRY', 'uploadExpiry'],
  ['1 fortnight', '--tag-history-window', 'BERTH_TAG_HISTORY_WINDOW', 'tagHistoryWindow'],
  ['1.5h', '--shutdown-timeout', 'BERTH_SHUTDOWN_TIMEOUT', 'shutdownTimeout'],
  ['not a url', '--public-url', 'BERTH_PUBLIC_URL', 'publicUrl'],
  ['10.0.0.0/99', '--trusted-proxies', 'BERTH_TRUSTED_PROXIES', 'trustedProxies'],
];

describe('a setting that cannot be used is refused by name', () => {
  for (const [value, flag, variable, key] of bad) {
    test(`${flag} ${value}, as a flag, a variable and a key of a file`, async () => {
      expect(await refused([`${flag}=${value}`])).toContain(flag);
      expect(await refused([], { [variable]: value })).toContain(variable);
      const path = yaml(`${key}: ${JSON.stringify(value)}\n`);
      const said = await refused(['--config', path]);
      expect(said).toContain(path);
      expect(said).toContain(key);
    }, 60_000);
  }

  test('an unknown flag, an unknown command, an unknown key', async () => {
    expect(await refused(['--prot', '5000'])).toContain('--prot');
    expect(await refused(['--config', yaml('prot: 5000\n')])).toContain('prot');
    const unknown = await berth(['sevre']);
    expect([1, 2]).toContain(unknown.code);
    expect(unknown.stderr).toContain('sevre');
  });

  test('a file that is not there, no YAML, or no list of keys', async () => {
    const missing = join(directory, 'missing.yaml');
    expect(await refused(['--config', missing])).toContain(missing);
    for (const text of ['port: [\n', '- port\n', 'just text\n']) {
      const path = yaml(text);
      expect(await refused(['--config', path])).toContain(path);
    }
  });
});

test('a flag wins over a variable, a variable over the file', async () => {
  const [flag, variable, file] = [await freePort(), await freePort(), await freePort()];
  const config = yaml(`port: ${file}\nanonymous: none\nlogLevel: debug\n`);
  const env = { BERTH_PORT: String(variable), BERTH_ANONYMOUS: 'pull' };
  const running = await startBerth({ port: flag, args: ['--config', config], env });
  try {
    const answer = await fetch(`http://127.0.0.1:${flag}/v2/`);
    expect(answer.status).toBe(200);
    for (const port of [variable, file]) await expect(fetch(`http://127.0.0.1:${port}/v2/`)).rejects.toThrow();
    expect(running.output()).toContain('"level":"debug"');
  } finally {
    await running.stop();
  }
}, 60_000);

describe('a DIGEST or a tag on the command line that is none is refused', () => {
  for (const args of [
    ['why', 'sha256:abc', '--data', directory],
    ['why', 'latest', '--data', directory],
    ['tag', 'history', 'UPPER:x', '--server', 'http://127.0.0.1:9'],
    ['tag', 'rollback', 'a/b', '--server', 'http://127.0.0.1:9'],
    ['tag', 'rollback', 'a/b:c', '--to', 'sha256:abc', '--server', 'http://127.0.0.1:9'],
    ['tag', 'list', 'a/b', '--server', 'nonsense'],
  ]) {
    test(args.join(' ').replace(directory, 'DIR'), async () => {
      const ended = await berth(args);
      expect([1, 2]).toContain(ended.code);
      expect(ended.stderr).not.toBe('');
      expect(ended.stderr).not.toMatch(/^\s+at .+:\d+/m);
    });
  }
});
