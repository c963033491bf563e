// Plain HTTP from another machine: an engine of its own in a network namespace, which has been told nothing. It refuses; then it is told
// exactly what `berth serve` printed, and pushes and pulls. `berth doctor` there, and the log, say the same.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { busyboxImage } from '../support/images.ts';
import { eventually } from '../support/processes.ts';
import { type ServerEngine, serverEngineTools, startServerEngine } from '../support/server-engine.ts';
import { requireTools, run, tryRun } from '../support/tools.ts';

const canRun = requireTools('network: plain HTTP', [...serverEngineTools, 'skopeo', 'busybox']);
const PASSWORD = 'correct horse battery staple';
const REFUSAL = 'http: server gave HTTP response to HTTPS client';

const setting = z.strictObject({ 'insecure-registries': z.array(z.string()).length(1) });
const logLine = z.looseObject({ daemonJson: z.string() });

setDefaultTimeout(120_000);

describe.if(canRun)('a registry over plain HTTP, from another machine', () => {
  let server: RunningBerth;
  let machine: ServerEngine;
  let data: string;
  let host: string;
  /** What `berth serve` printed for daemon.json. */
  let printed: string;

  beforeAll(async () => {
    data = mkdtempSync(join(tmpdir(), 'berth-network-'));
    machine = await startServerEngine({ name: 'machine', insecure: [] });
    const setup = ['setup', '--data', data, '--username', 'alice', '--password-stdin'];
    expect((await berth(setup, { stdin: `${PASSWORD}\n` })).code).toBe(0);
    server = await startBerth({ data, args: ['--host', '0.0.0.0', '--anonymous', 'none'] });
    const banner = server.output();
    expect(banner).toContain('in /etc/docker/daemon.json');
    printed = /^ {2}\{\n[\s\S]*?^ {2}\}$/m.exec(banner)?.[0] ?? '';
    [host = ''] = setting.parse(JSON.parse(printed))['insecure-registries'];
    const image = await busyboxImage();
    const archive = join(data, 'busybox.tar');
    await run(['skopeo', 'copy', image.source, `docker-archive:${archive}:${host}/alice/busybox:1`]);
    await machine.docker(['load', '--input', archive]);
  });
  afterAll(async () => {
    await machine?.stop();
    await server?.stop();
    rmSync(data, { recursive: true, force: true });
  });

  const logIn = () =>
    machine.tryDocker(['login', '--username', 'alice', '--password-stdin', host], { stdin: PASSWORD });

  test('the log has the same for daemon.json as the banner', async () => {
    const line = server
      .output()
      .split('\n')
      .find((one) => one.includes('"daemonJson"'));
    expect(JSON.parse(logLine.parse(JSON.parse(line ?? '{}')).daemonJson)).toEqual(JSON.parse(printed));
  });

  test('berth doctor on that machine warns, and prints the same', async () => {
    const command = [join(import.meta.dir, '../../bin/berth'), 'doctor', `http://${host}`, '--output', 'json'];
    const { code, stdout } = await tryRun([...machine.nsenter, ...command], {
      env: { HOME: machine.root, BERTH_CONFIG_HOME: join(machine.root, 'berth') },
    });
    const line = z.object({ where: z.string(), code: z.string() });
    const check = z.object({ name: z.string(), state: z.string(), seen: z.string(), lines: z.array(line) });
    const { checks } = z.object({ checks: z.array(check) }).parse(JSON.parse(stdout));
    const scheme = checks.find(({ name }) => name === 'scheme');
    expect(scheme).toMatchObject({ state: 'warning' });
    expect(scheme?.seen).toContain(REFUSAL);
    expect(scheme?.lines[0]?.where).toBe('/etc/docker/daemon.json');
    expect(JSON.parse(scheme?.lines[0]?.code ?? '')).toEqual(JSON.parse(printed));
    expect(checks.filter(({ state }) => state === 'failed')).toEqual([]);
    expect(code).toBe(0);
  });

  test('the engine refuses, and after it was told what was printed it logs in, pushes and pulls', async () => {
    const image = `${host}/alice/busybox:1`;
    const refusedLogin = await logIn();
    expect(refusedLogin.stderr).toContain(REFUSAL);
    const refused = await machine.tryDocker(['push', image]);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain(REFUSAL);

    // As `systemctl reload docker` does.
    const file = join(machine.root, 'daemon.json');
    const before: unknown = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify(Object.assign({}, before, JSON.parse(printed))));
    process.kill(Number(readFileSync(join(machine.root, 'engine.pid'), 'utf8')), 'SIGHUP');
    await eventually('the engine knows the registry', 20_000, async () =>
      (await machine.docker(['info', '--format', '{{json .RegistryConfig}}'])).includes(host),
    );

    const loggedIn = await logIn();
    expect(`${loggedIn.stdout}${loggedIn.stderr}`).toContain('Login Succeeded');
    const pushed = await machine.docker(['push', image]);
    const digest = /digest: (sha256:[0-9a-f]{64})/.exec(pushed)?.[1] ?? '';
    expect(digest).not.toBe('');
    await machine.docker(['image', 'rm', image]);
    expect(await machine.docker(['pull', image])).toContain(digest);
    expect(await machine.docker(['run', '--rm', '--network', 'none', image])).toBe((await busyboxImage()).prints);
  });
});
