// berth doctor against a Berth without anything in between, and against what is none.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/ports.ts';
import { eventually } from '../support/processes.ts';
import { findTool, requireTools } from '../support/tools.ts';
import { checkOf, type DoctorRig, faultsOf, startDoctorRig } from './rig.ts';

const canCompare = requireTools('doctor: another registry', ['docker-registry']);

describe('berth doctor', () => {
  let rig: DoctorRig;
  beforeAll(async () => {
    rig = await startDoctorRig();
  }, 60_000);
  afterAll(() => rig?.stop(), 30_000);

  test('finds nothing wrong with a Berth on this machine, leaves nothing out and nothing behind', async () => {
    const report = await rig.examine([rig.berth.url]);
    expect(faultsOf(report)).toEqual([]);
    expect(report.code).toBe(0);
    expect(report.checks.map(({ name }) => name)).toEqual([
      'port',
      'scheme',
      'v2',
      'challenge',
      'realm',
      'address',
      'headers',
      'path',
      'clock',
      'credential',
      'location',
      'body',
      'request buffering',
      'idle upload',
      'response buffering',
      'slow answer',
      'digest',
      'compression',
      'range',
    ]);
    expect(report.checks.filter(({ state }) => state === 'skipped')).toEqual([]);
    const left = await fetch(`${rig.berth.url}/api/v1/repositories`, {
      headers: { Authorization: `Bearer ${rig.token}` },
    });
    expect(await left.json()).toMatchObject({ repositories: [] });
  });

  test('without an account says what it left out, and is content with the rest', async () => {
    const { code, stdout, stderr } = await rig.read([rig.berth.url], null);
    expect(stdout).toContain('the header Authorization comes through');
    expect(stdout).toMatch(/^left out +location .* they need to push: log in with berth login/m);
    expect(stderr).toMatch(/\d+ ok, 0 to look at, 0 failed, 1 left out/);
    expect(code).toBe(0);
  });

  test('says when the token is not taken', async () => {
    const other = `${rig.token.slice(0, -8)}00000000`;
    const report = await rig.examine([rig.berth.url], other);
    expect(checkOf(report, 'credential')).toMatchObject({ state: 'failed' });
    expect(report.code).toBe(1);
  });

  test('leaves out what a quota has no room for, and does not take it for a fault of what is in between', async () => {
    const setDefault = (bytes: number | null) =>
      fetch(`${rig.berth.url}/api/v1/default-quota`, {
        method: 'PUT',
        headers: { Authorization: `Bearer ${rig.token}`, 'Content-Type': 'application/json' },
        body: JSON.stringify({ bytes }),
      });
    expect((await setDefault(1_500_000)).status).toBe(200);
    try {
      const report = await rig.examine([rig.berth.url]);
      expect(faultsOf(report)).toEqual([]);
      expect(checkOf(report, 'body')).toMatchObject({ state: 'skipped', seen: expect.stringContaining('quota: ') });
    } finally {
      await setDefault(null);
    }
  });

  test('says that HTTPS was asked for where plain HTTP is spoken, as Docker does', async () => {
    const { host } = rig.berth;
    const report = await rig.examine([`https://${host}`]);
    const { state, seen, lines } = checkOf(report, 'scheme');
    expect(state).toBe('failed');
    expect(seen).toContain('http: server gave HTTP response to HTTPS client');
    expect(JSON.parse(lines[0]?.code ?? '')).toEqual({ 'insecure-registries': [host] });
    expect(lines.map(({ code }) => code).join('\n')).toContain(`[host."http://${host}"]`);
    expect(report.code).toBe(1);
  });

  test('says where nothing listens, and which name is none', async () => {
    const nobody = await rig.examine([`http://127.0.0.1:${await freePort()}`]);
    expect(faultsOf(nobody)).toEqual(['port failed']);
    expect(checkOf(nobody, 'port').seen).toContain('ECONNREFUSED');
    const nowhere = await rig.examine(['https://registry.invalid']);
    expect(faultsOf(nowhere)).toEqual(['name failed']);
  });

  test('refuses what it can not use before it asks anything', async () => {
    for (const [args, what] of [
      [['http://registry.test/v2/'], 'URL: "http://registry.test/v2/" has more than a host and a port'],
      [[rig.berth.url, '--idle', '500'], '--idle: 500 is more than 200 seconds'],
      [[rig.berth.url, '--body-limit', '9GiB'], '--body-limit: 9GiB is more than 5.0 GiB'],
      [[rig.berth.url, '--body-limit', 'much'], '--body-limit: "much" is not a size'],
      [[rig.berth.url, '--token', 'secret'], '--token: is not an access token'],
      [[rig.berth.url, '--ca', '/nowhere.pem'], '--ca: /nowhere.pem can not be read'],
      [[rig.berth.url, '--repository', 'Bad'], '--repository: "Bad" is not the name of a repository'],
    ] as const) {
      const { code, stderr } = await rig.read([...args]);
      expect(stderr).toContain(what);
      expect(code).toBe(2);
    }
  });

  test('of a web server that is no registry, says that something else answers', async () => {
    const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('<h1>Welcome</h1>') });
    try {
      const report = await rig.examine([`http://127.0.0.1:${server.port}`]);
      expect(faultsOf(report)).toEqual(['v2 failed']);
      expect(checkOf(report, 'v2').seen).toContain('Something other than Berth answers at /v2/ (status 200)');
    } finally {
      await server.stop(true);
    }
  });

  test.skipIf(!canCompare)("of Distribution's registry, says that it is no Berth, and tries what it can", async () => {
    const root = mkdtempSync(join(tmpdir(), 'berth-doctor-other-'));
    const port = await freePort();
    const config = {
      version: 0.1,
      storage: { filesystem: { rootdirectory: root }, delete: { enabled: true } },
      http: { addr: `127.0.0.1:${port}` },
    };
    writeFileSync(join(root, 'config.yml'), JSON.stringify(config));
    const child = Bun.spawn([findTool('docker-registry') ?? '', 'serve', join(root, 'config.yml')], {
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'ignore',
    });
    const url = `http://127.0.0.1:${port}`;
    try {
      await eventually(
        'it answers',
        20_000,
        async () => (await fetch(`${url}/v2/`).catch(() => undefined))?.ok ?? false,
      );
      const report = await rig.examine([url], null);
      expect(checkOf(report, 'v2').seen).toBe('a registry that is not a Berth answers at /v2/');
      expect(report.checks.filter(({ state }) => state === 'failed')).toEqual([]);
      for (const name of ['location', 'body', 'idle upload', 'digest', 'compression', 'range']) {
        expect(checkOf(report, name)).toMatchObject({ state: 'ok' });
      }
      expect(report.code).toBe(0);
    } finally {
      child.kill('SIGTERM');
      await child.exited;
      rmSync(root, { recursive: true, force: true });
    }
  });
});
