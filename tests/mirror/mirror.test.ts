// Repositories that follow one of another registry: two real servers, and what lies between them.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFlakyProxy } from '../import/flaky-proxy.ts';
import { berth } from '../support/berth.ts';
import { eventually, workersOf } from '../support/processes.ts';
import { PASSWORD, Site, USER } from './site.ts';
import { startValve, type Valve } from './valve.ts';

setDefaultTimeout(120_000);
const SOON = 60_000;

let there: Site;
let here: Site;
let valve: Valve;
let env: Record<string, string>;

beforeAll(async () => {
  [there, here] = await Promise.all([Site.start(['--workers', '1']), Site.start(['--workers', '2'])]);
  valve = await startValve(there.server.url);
  env = {
    BERTH_CONFIG_HOME: mkdtempSync(join(tmpdir(), 'berth-home-')),
    BERTH_SERVER: here.server.url,
    BERTH_TOKEN: await here.token(),
  };
}, 120_000);

afterAll(async () => {
  await valve?.stop();
  await Promise.all([there?.stop(), here?.stop()]);
  rmSync(env?.BERTH_CONFIG_HOME ?? '', { recursive: true, force: true });
}, 60_000);

const call = (args: string[], stdin?: string) => berth(args, stdin === undefined ? { env } : { env, stdin });
const well = async (args: string[], stdin?: string): Promise<string> => {
  const { code, stdout, stderr } = await call(args, stdin);
  if (code !== 0) throw new Error(`berth ${args.join(' ')}: ${code} ${stderr}`);
  return stdout;
};
const show = (name: string) => here.client.mirrors.get(name);
const verified = async () =>
  expect((await berth(['verify', '--data', here.server.data])).stdout).toContain('all is well');

test('a mirror with a wrong log-in says so, and copies by itself once the log-in is right', async () => {
  const first = await there.push('alice/nginx', '1.0', 'one');
  await there.push('alice/nginx', '2.0', 'two');
  await well(['upstream', 'create', 'old', valve.url, '--username', USER, '--password-stdin'], 'not the password');
  const checked = await call(['upstream', 'check', 'old']);
  expect(checked.code).toBe(1);
  expect(checked.stderr).toContain(`it refuses the log-in of ${USER}`);
  await well(['mirror', 'create', 'mirror/nginx', '--upstream', 'old', '--from', 'alice/nginx', '--tags', '1.*']);
  await eventually('the first run fails', SOON, async () => (await show('mirror/nginx')).failures > 0);
  expect(await well(['mirror', 'show', 'mirror/nginx'])).toContain(`it refuses the log-in of ${USER}`);
  expect(await here.digestAt('mirror/nginx', '1.0')).toBeUndefined();

  await well(['upstream', 'edit', 'old', '--username', USER, '--password-stdin'], PASSWORD);
  expect(await well(['upstream', 'check', 'old', '--repository', 'alice/nginx'])).toContain('it takes the log-in');
  await eventually('it is copied', SOON, async () => (await show('mirror/nginx')).lastSuccessAt !== null);
  expect(await here.digestAt('mirror/nginx', '1.0')).toBe(first);
  expect(await here.digestAt('mirror/nginx', '2.0')).toBeUndefined();
  await eventually('both turns are told', SOON, async () => {
    const told = await well(['events', '--kind', 'mirror.*', '--output', 'json']);
    const kinds = told
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { kind: string }).kind]));
    return kinds.join() === 'mirror.failure,mirror.recovery';
  });
  const refused = await call(['upstream', 'delete', 'old', '--yes']);
  expect(refused.stderr).toContain('old is used by the mirror mirror/nginx');
});

test('a run brings what was pushed and moved there, sets back what was pushed here, and keeps what is immutable here', async () => {
  const moved = await there.push('alice/nginx', '1.0', 'one again');
  const fresh = await there.push('alice/nginx', '1.1', 'fresh');
  await here.push('mirror/nginx', '1.1', 'pushed by a person');
  await here.push('mirror/nginx', 'own', 'of this registry alone');
  expect(await well(['mirror', 'run', 'mirror/nginx', '--wait'])).toContain('done: 2 tag(s)');
  expect(await here.digestAt('mirror/nginx', '1.0')).toBe(moved);
  expect(await here.digestAt('mirror/nginx', '1.1')).toBe(fresh);
  expect(await here.digestAt('mirror/nginx', 'own')).toBeString();

  await here.client.tags.setImmutable('mirror/nginx', ['1.1']);
  const again = await there.push('alice/nginx', '1.1', 'moved though it is immutable here');
  const told = await well(['mirror', 'run', 'mirror/nginx', '--wait']);
  expect(told).toContain(
    `kept: mirror/nginx:1.1: it is immutable here and names ${fresh}; there it names ${again} now`,
  );
  expect(told).toContain('done: 0 tag(s)');
  expect(await here.digestAt('mirror/nginx', '1.1')).toBe(fresh);
});

test('a run that is killed with its server goes on at the next start, and what had come is not fetched again', async () => {
  const digests = await Promise.all([1, 2, 3].map((n) => there.push('alice/many', `v${n}`, `many ${n}`, 400_000)));
  const before = await there.push('alice/many', 'v0', 'many 0', 400_000);
  await well(['mirror', 'create', 'mirror/many', '--upstream', 'old', '--from', 'alice/many', '--tags', 'v0']);
  await eventually('the first tag is copied', SOON, async () => (await show('mirror/many')).lastSuccessAt !== null);
  valve.asked.clear();
  valve.close();
  await well(['mirror', 'edit', 'mirror/many', '--tags', '']);
  await eventually('blobs are on their way', SOON, () => valve.held() > 0);
  await here.server.kill();
  valve.open();
  await here.restart();
  await eventually('it is copied', SOON, async () => {
    const { served, requested, lastRun } = await show('mirror/many');
    return served === requested && lastRun?.outcome === 'done';
  });
  expect(await Promise.all([1, 2, 3].map((n) => here.digestAt('mirror/many', `v${n}`)))).toEqual(digests);
  expect(await here.digestAt('mirror/many', 'v0')).toBe(before);
  const manifest = (await (await there.ask('GET', '/v2/alice/many/manifests/v0')).json()) as {
    layers: [{ digest: string }];
  };
  expect(valve.asked.get(`/v2/alice/many/blobs/${manifest.layers[0].digest}`)).toBeUndefined();
  await verified();
});

test('however often a run is asked for, one worker copies at a time, and another goes on where one is killed', async () => {
  const digest = await there.push('alice/large', 'v1', 'large', 900_000);
  valve.mostOfOne = 0;
  valve.asked.clear();
  valve.close();
  await well(['mirror', 'create', 'mirror/large', '--upstream', 'old', '--from', 'alice/large']);
  await eventually('a blob is on its way', SOON, () => valve.held() > 0);
  await Promise.all([1, 2, 3].map(() => here.client.mirrors.run('mirror/large')));
  // Each worker has looked for something to do several times by then.
  await Bun.sleep(3_000);
  expect(valve.mostOfOne).toBe(1);
  // Whoever copies has a connection to the valve; both are killed, one after the other.
  for (const pid of workersOf(here.server.pid)) process.kill(pid, 'SIGKILL');
  await eventually('other workers serve', SOON, () => workersOf(here.server.pid).length === 2);
  valve.open();
  await eventually('it is copied', SOON, async () => {
    try {
      const { served, requested, lastRun } = await show('mirror/large');
      return served === requested && lastRun?.outcome === 'done';
    } catch {
      // No worker serves yet.
      return false;
    }
  });
  expect(await here.digestAt('mirror/large', 'v1')).toBe(digest);
});

test('a registry that answers 429 is left alone until it says, and one that fails now and then is copied all the same', async () => {
  valve.limit(7_200);
  const limited = await call(['mirror', 'run', 'mirror/nginx', '--wait']);
  valve.limit(0);
  expect(limited.code).toBe(1);
  expect(limited.stderr).toContain('too many requests; again from ');
  const { nextAt } = await show('mirror/nginx');
  expect(Date.parse(nextAt)).toBeGreaterThan(Date.now() + 6_000_000);

  const flaky = await startFlakyProxy(there.server.url);
  try {
    await well(['upstream', 'create', 'flaky', flaky.url, '--username', USER, '--password-stdin'], PASSWORD);
    await well(['mirror', 'create', 'mirror/flaky', '--upstream', 'flaky', '--from', 'alice/many']);
    await well(['mirror', 'run', 'mirror/flaky', '--wait']);
    expect(await here.digestAt('mirror/flaky', 'v3')).toBe(await there.digestAt('alice/many', 'v3'));
    expect(flaky.troubles.failed + flaky.troubles.limited + flaky.troubles.cut).toBeGreaterThan(0);
  } finally {
    await flaky.stop();
  }
  await verified();
});

test('a full quota ends the run and is what the report says', async () => {
  await here.client.quotas.set('tight', 10_000);
  await well(['mirror', 'create', 'tight/many', '--upstream', 'old', '--from', 'alice/many', '--tags', 'v1']);
  const full = await call(['mirror', 'run', 'tight/many', '--wait']);
  expect(full.code).toBe(1);
  expect(full.stderr).toMatch(/stopped: quota: tight may hold 10000 bytes/);
  await well(['mirror', 'delete', 'tight/many', '--yes']);
  expect((await call(['mirror', 'show', 'tight/many'])).stderr).toContain('tight/many is no mirror');
});

test('the metrics and the audit log know of it', async () => {
  const metrics = await (await fetch(`${here.server.url}/metrics`)).text();
  expect(metrics).toMatch(/^berth_mirror_runs_total\{outcome="failed"\} [1-9]/m);
  expect(metrics).toMatch(/^berth_mirrors 4$/m);
  const lines = await Array.fromAsync(here.client.audit.list({ action: 'mirror.*' }));
  expect(new Set(lines.map(({ action }) => action))).toEqual(
    new Set(['mirror.create', 'mirror.update', 'mirror.delete', 'mirror.run']),
  );
});
