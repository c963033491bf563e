// What goes wrong around a deployment, with everything real: the server, engines, agents and the network between them. After each
// the old release or the new one serves, and what the server says of it is true.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/processes.ts';
import type { ServerEngine } from '../support/server-engine.ts';
import { canShip, containersOf, digestOf, PATIENCE, type Place, type Rig, smallFile, startRig } from './rig.ts';

describe.skipIf(!canShip('ship faults'))('when something fails around a deployment', () => {
  let rig: Rig;
  /** The environments of most tests run on one machine; each is a project of its own. */
  let shared: ServerEngine;
  const digests: Record<string, string> = {};

  beforeAll(async () => {
    rig = await startRig();
    shared = await rig.engine('shared');
    digests.good = await rig.push('web:good', { version: 'good' });
    digests.better = await rig.push('web:better', { version: 'better' });
    digests.best = await rig.push('web:best', { version: 'best' });
    digests.bad = await rig.push('web:bad', { version: 'bad', behaviour: 'unhealthy' });
    digests.sick = await rig.push('web:sick', { version: 'sick', behaviour: 'sickens' });
    digests.ruin = await rig.push('web:ruin', { version: 'ruin', behaviour: 'ruins' });
  }, 120_000);

  afterAll(async () => {
    await rig?.stop();
  }, 120_000);

  interface Beginning {
    engine?: ServerEngine;
    volume?: 'volume';
    /** Of the agent. */
    env?: Record<string, string>;
    until?: 'healthy' | 'stable';
  }

  /** A stack of one service with an environment `test`; `good` is stable there, or healthy. */
  async function begin(stack: string, options: Beginning = {}): Promise<Place> {
    await rig.createStack(stack, smallFile(rig.team.host, options.volume));
    await rig.alice.berth(['env', 'create', stack, 'test']);
    const place = await rig.place(`${stack}/test`, options.engine ?? shared, options.env);
    await deployed(stack, 'good', 0, options.until ?? 'stable');
    return place;
  }

  const deploy = (stack: string, tag: string, ...more: string[]) =>
    rig.alice.tryBerth(['deploy', `${stack}/test`, `web=${tag}`, ...more]);

  /** Deploys and waits, for the exit code. Returns what it said on the way. */
  async function deployed(stack: string, tag: string, code: number, until = 'healthy'): Promise<string> {
    const ran = await deploy(stack, tag, '--wait', until);
    expect({ code: ran.code, stderr: ran.stderr }).toMatchObject({ code });
    return ran.stderr;
  }

  const webs = (place: Place, stack: string) => containersOf(place.engine, 'web', `${stack}-test`);
  /** The version of that tag runs, and once what was drained has gone it alone. */
  const runs = (place: Place, stack: string, tag: string) =>
    eventually(`${stack} runs ${tag} alone`, PATIENCE, async () => {
      const [only, ...others] = (await webs(place, stack)).filter(({ running }) => running);
      return others.length === 0 && only?.image.split('@')[1] === digests[tag];
    });
  /** Resolves when a target is at work on the deployment that the environment is to run. */
  const underWay = (stack: string, tag: string) =>
    eventually(`a target works on ${tag}`, PATIENCE, async () => {
      const { current } = await rig.status(`${stack}/test`);
      const phases = current?.targets.map(({ phase }) => phase) ?? [];
      return (
        digestOf(current, 'web') === digests[tag] && phases.some((phase) => ['pulled', 'switching'].includes(phase))
      );
    });

  test('the server is killed during a deployment: who waits goes on waiting, and it succeeds', async () => {
    const place = await begin('killed', { until: 'healthy' });
    const waiting = deploy('killed', 'better', '--wait');
    await underWay('killed', 'better');
    await rig.team.killServer();
    await Bun.sleep(2_000);
    await rig.team.startServer();
    const { code, stderr } = await waiting;
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('answers again') });
    await runs(place, 'killed', 'better');
  }, 180_000);

  test('a release that fails while the server is away goes back without it, and the server hears of it later', async () => {
    const place = await begin('alone');
    await deploy('alone', 'bad');
    await underWay('alone', 'bad');
    await rig.team.killServer();
    await eventually('the agent has undone it', PATIENCE, () => place.agent.log().includes('reverted'));
    await runs(place, 'alone', 'good');
    await rig.team.startServer();
    await eventually('the server knows', PATIENCE, async () =>
      (await rig.deployments('alone/test')).some(({ status, images }) => {
        return status === 'rolled_back' && images.some(({ digest }) => digest === digests.bad);
      }),
    );
    await runs(place, 'alone', 'good');
  }, 180_000);

  test('a machine that boots while server and registry are away runs what it ran', async () => {
    const place = await begin('boot', { engine: await rig.engine('boot') });
    await place.agent.kill();
    await place.engine.docker(['rm', '--force', ...(await webs(place, 'boot')).map(({ id }) => id)]);
    await place.engine.crash();
    await rig.team.killServer();
    await place.engine.start();
    place.agent.start();
    await eventually('it runs again', PATIENCE, async () =>
      (await webs(place, 'boot')).some(({ health }) => health === 'healthy'),
    );
    await runs(place, 'boot', 'good');
    await rig.team.startServer();
    await deployed('boot', 'better', 0);
    await runs(place, 'boot', 'better');
  }, 180_000);

  test('a machine that was cut off goes straight to the newest release when it is back', async () => {
    const place = await begin('late', { engine: await rig.engine('late') });
    const near = await rig.place('late/test', shared);
    await eventually('both run it', PATIENCE, async () => (await webs(near, 'late')).length === 1);
    await place.engine.block();
    await eventually('it counts as away', PATIENCE, async () =>
      (await rig.status('late/test')).targets.some(({ name, online }) => name === place.target && !online),
    );
    await deployed('late', 'better', 0);
    await deployed('late', 'best', 0);
    await runs(place, 'late', 'good');
    await place.engine.unblock();
    await eventually('it runs the newest', PATIENCE, async () =>
      (await webs(place, 'late')).every(({ image }) => image.endsWith(digests.best ?? '-')),
    );
    const known = await place.engine.docker(['image', 'ls', '--digests', '--format', '{{.Digest}}']);
    expect(known).not.toContain(digests.better ?? '-');
  }, 240_000);

  test('of two deploys at once the second is refused with exit code 6 and told who holds the environment', async () => {
    const place = await begin('twice', { until: 'healthy' });
    const first = deploy('twice', 'better', '--wait');
    await underWay('twice', 'better');
    const second = await deploy('twice', 'best', '--wait');
    expect(second).toMatchObject({ code: 6, stderr: expect.stringContaining('alice') });
    const third = await deploy('twice', 'best', '--wait', '--lock-timeout', '60s');
    expect({ code: third.code, stderr: third.stderr }).toMatchObject({ code: 0 });
    expect((await first).code).toBe(0);
    await runs(place, 'twice', 'best');
  }, 180_000);

  test('a target that dies in the middle holds the environment for its lease and no longer', async () => {
    const place = await begin('dead', { until: 'healthy' });
    const waiting = deploy('dead', 'better', '--wait');
    await underWay('dead', 'better');
    await place.agent.kill();
    const { code, stderr } = await waiting;
    expect({ code, stderr }).toMatchObject({ code: 4 });
    expect((await rig.status('dead/test')).lock).toBeNull();
    place.agent.start();
    await eventually('it is there again', PATIENCE, async () =>
      (await rig.status('dead/test')).targets.every(({ online }) => online),
    );
    await deployed('dead', 'best', 0);
    await runs(place, 'dead', 'best');
  }, 240_000);

  test('a server whose clock is days wrong runs what it is to run, and its status says how wrong it is', async () => {
    // Two days ahead: Bun loads this before the agent.
    const preload = join(rig.alice.folder, 'clock.ts');
    writeFileSync(preload, 'const now = Date.now; Date.now = () => now() + 172_800_000;\n');
    const place = await begin('clock', { env: { BUN_OPTIONS: `--preload=${preload}` } });
    await deployed('clock', 'bad', 3);
    await deployed('clock', 'better', 0);
    await runs(place, 'clock', 'better');
    const [target] = (await rig.status('clock/test')).targets;
    expect(Math.round((target?.clockSkewMs ?? 0) / 3_600_000)).toBe(48);
    expect(await rig.alice.berth(['target', 'list', 'clock', 'test'])).toMatch(/2 ?d|48 ?h|172/);
  }, 180_000);

  test('a target whose token was revoked goes on serving, and is told nothing more', async () => {
    const place = await begin('revoked', { until: 'healthy' });
    await rig.alice.berth(['target', 'revoke', 'revoked', 'test', place.target]);
    await eventually('the agent says so', PATIENCE, () => /revoked|not accepted|401/i.test(place.agent.log()));
    const { code, stdout, stderr } = await deploy('revoked', 'better', '--wait', '--timeout', '3s');
    expect({ code, stdout, stderr }).not.toMatchObject({ code: 0 });
    await runs(place, 'revoked', 'good');
  }, 120_000);

  test('a container that turns unhealthy in the watch is undone, and exit code 3 says so to who waits for stable', async () => {
    const place = await begin('sick');
    const said = await deployed('sick', 'sick', 3, 'stable');
    expect(said).toContain('sick');
    await runs(place, 'sick', 'good');
  }, 180_000);

  test('when going back fails too it is exit code 4, and nothing claims that the service works', async () => {
    await begin('ruined', { volume: 'volume' });
    const said = await deployed('ruined', 'ruin', 4);
    expect(said).toContain('half migrated');
    expect(said).toContain('cannot read /data');
    const { current } = await rig.status('ruined/test');
    expect(current?.status).not.toBe('success');
    const [last, bad] = await rig.deployments('ruined/test');
    expect([last?.reason, last?.status, bad?.status]).toEqual(['auto-rollback', 'failure', 'failure']);
    const shown = await rig.alice.berth(['status', 'ruined/test']);
    expect(shown).toContain('failure');
    expect(shown).not.toContain('healthy on');
  }, 180_000);
});
