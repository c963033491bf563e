// Acts 7 to 13 of what a team does with Berth, on real engines: CI builds and pushes, servers run it, a bad release goes back by
// itself, a good one is promoted and undone, a laptop runs a mix. Requests go through all of it.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { z } from 'zod';
import { plan } from '../../src/api/deployments.ts';
import { berth } from '../support/berth.ts';
import { eventually } from '../support/processes.ts';
import type { ServerEngine } from '../support/server-engine.ts';
import type { Person } from '../support/stack.ts';
import { type Ran, tryRun } from '../support/tools.ts';
import { startTraffic, type Traffic } from '../support/traffic.ts';
import { loadImage, type WebVersion, webBaseImage, writeBuildContext } from '../support/web-image.ts';
import {
  answerOf,
  canShip,
  containersOf,
  digestOf,
  type Place,
  type Rig,
  runningDigest,
  shopFile,
  startRig,
} from './rig.ts';

const bin = new URL('../../bin', import.meta.url).pathname;
const TEST = 'shop/test';
const PRODUCTION = 'shop/production';

/** What a CI server runs for each commit: the recipe of the documentation. */
const ciScript = new URL('../../docs/how-to/ci.sh', import.meta.url).pathname;

describe.skipIf(!canShip('ship story'))('a team ships', () => {
  let rig: Rig;
  let ci: ServerEngine;
  let robot: Person;
  let onTest: Place;
  let onProduction: Place;
  let front: Traffic;
  let api: Traffic;
  const numbers: string[] = [];
  let database = '';
  /** Digests by version. */
  const digests: Record<string, string> = {};

  beforeAll(async () => {
    rig = await startRig();
    ci = await rig.engine('ci');
    await loadImage(ci, await webBaseImage(), 'web-base:1');
    robot = rig.team.holder('ci', await rig.team.robot(rig.alice, 'ci'));
    await rig.push('api:latest', { version: 'api-1' });
  }, 120_000);

  afterAll(async () => {
    await front?.stop();
    await api?.stop();
    await rig?.stop();
    if (numbers.length > 0) console.log(`requests during deployments, ten a second:\n  ${numbers.join('\n  ')}`);
  }, 120_000);

  /** A commit: CI runs the script. */
  async function commit(version: WebVersion): Promise<Ran> {
    const folder = join(robot.folder, version.version);
    writeBuildContext(folder, 'web-base:1', version);
    const env = {
      ...robot.env,
      ...ci.env,
      PATH: `${bin}:${ci.env.PATH}`,
      REGISTRY: rig.team.host,
      IMAGE: 'alice/web',
      GIT_SHA: version.version,
      BERTH_STACK: 'alice/shop',
      BERTH_ENVIRONMENT: 'test',
    };
    return await tryRun([...ci.nsenter, 'sh', ciScript], { cwd: folder, env });
  }

  const frontOf = ({ engine }: Place) => `http://${engine.address}/`;
  const idOf = async (place: Place, service: string) => (await containersOf(place.engine, service))[0]?.id ?? '';

  /** Deploys while requests are sent, and says how many failed. */
  async function measured<T>(what: string, traffic: Traffic, work: () => Promise<T>): Promise<T> {
    traffic.reset();
    const result = await work();
    await Bun.sleep(1_000);
    const failed = traffic.failed();
    numbers.push(
      `${what}: ${failed.length} of ${traffic.requests().length} failed${failed.length > 0 ? `, for ${traffic.longestGap()} ms` : ''}`,
    );
    return result;
  }

  test('a stack and two environments are made from a compose file', async () => {
    await rig.createStack('shop', shopFile(rig.team.host));
    const { alice } = rig;
    await alice.berth([
      'env',
      'create',
      'shop',
      'test',
      '--track',
      'web=latest',
      '--track',
      'api=latest',
      '--deploy-on-push',
    ]);
    await alice.berth(['env', 'create', 'shop', 'production', '--protected']);
    await alice.berth(['config', 'set', PRODUCTION, 'COLOR=green']);
  }, 60_000);

  test('the line that enrolling prints makes a machine a target', async () => {
    [onTest, onProduction] = await Promise.all([rig.place(TEST), rig.place(PRODUCTION)]);
    expect(onTest.agent.log()).not.toMatch(/berth_\w{20}/);
    expect((await rig.status(TEST)).current).toBeNull();
  }, 120_000);

  test('CI builds and pushes v1, and is green when the test server runs it', async () => {
    const { code, stdout, stderr } = await commit({ version: 'v1' });
    expect({ code, stdout, stderr }).toMatchObject({ code: 0 });
    expect(await answerOf(frontOf(onTest))).toBe('v1');
    const current = await rig.settled(TEST, 'stable', ({ stable }) => stable);
    digests.v1 = digestOf(current, 'web') ?? '';
    expect(await runningDigest(onTest.engine, 'web')).toBe(digests.v1);
    // The tag that the script moves at its end names what runs already.
    expect((await rig.deployments(TEST)).length).toBe(1);
    expect(current.images.find(({ service }) => service === 'web')?.revision).toBe('v1');
    database = await idOf(onTest, 'db');
    front = startTraffic(frontOf(onTest));
    api = startTraffic(`http://${onTest.engine.address}:8081/`);
  }, 180_000);

  test('a push of the tag that it follows is enough, and no request is lost', async () => {
    await measured('start-first, good release', front, async () => {
      digests.v2 = await rig.push('web:latest', { version: 'v2' });
      await rig.settled(TEST, 'v2, stable', (one) => one.stable && digestOf(one, 'web') === digests.v2);
    });
    expect(front.failed()).toEqual([]);
    expect(front.answers()).toEqual(['v1', 'v2']);
    expect((await rig.status(TEST)).current?.reason).toBe('push');
    expect(api.failed()).toEqual([]);
    expect(await idOf(onTest, 'db')).toBe(database);
  }, 180_000);

  test('a bad release is red in CI with exit code 3 and its log, while the one before serves every request', async () => {
    const before = await idOf(onTest, 'web');
    const { code, stderr } = await measured('start-first, bad release', front, () =>
      commit({ version: 'v3', behaviour: 'unhealthy' }),
    );
    expect({ code, stderr }).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('v3 cannot reach its database'),
    });
    expect(front.failed()).toEqual([]);
    expect(front.answers()).toEqual(['v2']);
    expect(await idOf(onTest, 'web')).toBe(before);
    expect(await idOf(onTest, 'db')).toBe(database);
    expect((await rig.deployments(PRODUCTION)).length).toBe(0);
  }, 180_000);

  test('status and history say what happened', async () => {
    const [back, bad] = await rig.deployments(TEST);
    expect(bad).toMatchObject({ status: 'rolled_back', reason: 'manual', rolledBackBy: back?.number });
    expect(back).toMatchObject({ status: 'success', reason: 'auto-rollback', undoes: bad?.number });
    expect(digestOf(back ?? null, 'web')).toBe(digests.v2);
    const history = await rig.alice.berth(['history', TEST]);
    expect(history).toContain('rolled_back');
    expect(history).toContain('auto-rollback');
    const status = await rig.alice.berth(['status', TEST]);
    expect(status).toContain((digests.v2 ?? '').slice(7, 19));
  }, 60_000);

  test('a bad release that is pushed goes back with nobody acting, and only the next push resumes', async () => {
    const bad = await rig.push('web:latest', { version: 'v4', behaviour: 'exits' });
    await eventually('v4 is rolled back', 90_000, async () =>
      (await rig.deployments(TEST)).some((one) => digestOf(one, 'web') === bad && one.status === 'rolled_back'),
    );
    const count = (await rig.deployments(TEST)).length;
    await rig.push('web:latest', { version: 'v4', behaviour: 'exits' });
    await Bun.sleep(5_000);
    expect((await rig.deployments(TEST)).length).toBe(count);
    expect(await answerOf(frontOf(onTest))).toBe('v2');
    digests.v5 = await rig.push('web:latest', { version: 'v5' });
    await rig.settled(TEST, 'v5, stable', (one) => one.stable && digestOf(one, 'web') === digests.v5);
    expect(front.failed()).toEqual([]);
    expect(await idOf(onTest, 'db')).toBe(database);
  }, 240_000);

  test('a service with a published port is stopped first: few requests are lost, and it works afterwards', async () => {
    const good = await measured('stop-first, good release', api, async () => {
      const digest = await rig.push('api:latest', { version: 'api-2' });
      await rig.settled(TEST, 'api-2, stable', (one) => one.stable && digestOf(one, 'api') === digest);
      return digest;
    });
    expect(api.answers()).toEqual(['api-1', 'api-2']);
    await measured('stop-first, bad release', api, async () => {
      const bad = await rig.push('api:latest', { version: 'api-3', behaviour: 'unhealthy' });
      await eventually('api-3 is rolled back', 90_000, async () =>
        (await rig.deployments(TEST)).some((one) => digestOf(one, 'api') === bad && one.status === 'rolled_back'),
      );
    });
    expect(await runningDigest(onTest.engine, 'api')).toBe(good);
    api.reset();
    await Bun.sleep(1_000);
    expect(api.failed()).toEqual([]);
    expect(api.answers()).toEqual(['api-2']);
    expect(front.failed()).toEqual([]);
  }, 240_000);

  test('a tag that points at a bad release points where it did before with one command', async () => {
    const count = (await rig.deployments(TEST)).length;
    await rig.alice.berth(['tag', 'rollback', 'alice/api:latest']);
    expect(await rig.alice.berth(['tag', 'history', 'alice/api:latest'])).toContain('alice');
    await Bun.sleep(2_000);
    // What the tag points at runs already.
    expect((await rig.deployments(TEST)).length).toBe(count);
    expect(front.failed()).toEqual([]);
  }, 60_000);

  test('promote takes the same digests to production, with the variables of production', async () => {
    const shown = plan.parse(await rig.alice.json(['plan', PRODUCTION, '--promote-from', 'test']));
    expect(shown.refusals).toEqual([]);
    expect(shown.changes.map(({ service, change }) => `${service} ${change}`)).toContain('web add');
    const { code, stderr } = await rig.alice.tryBerth([
      'promote',
      'shop',
      '--to',
      'production',
      '--yes',
      '--wait',
      'stable',
    ]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(await runningDigest(onProduction.engine, 'web')).toBe(digests.v5 ?? '');
    expect(await answerOf(frontOf(onProduction))).toBe('v5');
    const [web] = await containersOf(onProduction.engine, 'web');
    expect(await onProduction.engine.docker(['inspect', '--format', '{{.Config.Env}}', web?.id ?? ''])).toContain(
      'COLOR=green',
    );
  }, 180_000);

  test('rollback brings the last stable release back after its tag was deleted and garbage was collected', async () => {
    const { alice, team } = rig;
    expect(await commit({ version: 'v6' })).toMatchObject({ code: 0 });
    await rig.settled(TEST, 'v6, stable', ({ stable, images }) => stable && images.some(({ tag }) => tag === 'v6'));
    const promoted = await alice.tryBerth(['promote', 'shop', '--to', 'production', '--yes', '--wait', 'stable']);
    expect({ code: promoted.code, stderr: promoted.stderr }).toMatchObject({ code: 0 });
    expect(await answerOf(frontOf(onProduction))).toBe('v6');

    // Nothing in the registry or on the server names v5 but the history of deployments.
    await rig.push('web:latest', { version: 'v6b' });
    await rig.settled(TEST, 'v6b, stable', (one) => one.stable && one.reason === 'push');
    const manifests = `http://127.0.0.1:${team.server().port}/v2/alice/web/manifests`;
    const headers = { Authorization: `Bearer ${alice.secret}` };
    const deleted = await fetch(`${manifests}/latest`, { method: 'DELETE', headers });
    expect(deleted.status).toBe(202);
    const { data } = team.server();
    const gc = await berth(['gc', '--data', data, '--gc-grace', '1s', '--tag-history-window', '1s']);
    expect({ code: gc.code, stderr: gc.stderr }).toMatchObject({ code: 0 });
    const kept = await berth(['why', digests.v5 ?? '', '--data', data]);
    expect(kept.stdout).toContain('shop');
    expect(kept.stdout).toContain('production');
    const refused = await fetch(`${manifests}/${digests.v5}`, { method: 'DELETE', headers });
    expect(refused.status).toBeGreaterThanOrEqual(400);
    expect(await refused.text()).toContain('production');

    const database = await idOf(onProduction, 'db');
    const began = Date.now();
    const undone = await alice.tryBerth(['rollback', PRODUCTION, '--reason', 'prices are wrong', '--wait']);
    numbers.push(`rollback, from the command to healthy: ${Date.now() - began} ms`);
    expect({ code: undone.code, stderr: undone.stderr }).toMatchObject({ code: 0 });
    // Until it has drained, the one before answers too.
    await rig.settled(PRODUCTION, 'v5, stable', ({ stable }) => stable);
    expect(await runningDigest(onProduction.engine, 'web')).toBe(digests.v5 ?? '');
    expect(await answerOf(frontOf(onProduction))).toBe('v5');
    expect(await idOf(onProduction, 'db')).toBe(database);
    const [latest] = await rig.deployments(PRODUCTION);
    expect(latest).toMatchObject({ reason: 'rollback', actor: 'alice' });
    expect(await alice.berth(['history', PRODUCTION])).toContain('alice');
  }, 300_000);

  test('nothing brings the release that was undone back but a person who insists', async () => {
    const releases = await rig.deployments(PRODUCTION);
    const bad = releases.find(({ number }) => number === releases[0]?.undoes);
    expect(bad).toBeDefined();
    const again = await rig.alice.tryBerth(['deploy', PRODUCTION, '--release', String(bad?.release), '--wait']);
    expect({ code: again.code, stderr: again.stderr }).toMatchObject({ code: 5 });
    expect(await answerOf(frontOf(onProduction))).toBe('v5');
  }, 60_000);

  test('plain docker follows an environment by a tag', async () => {
    const image = `${rig.team.host}/alice/web:env-production`;
    await ci.docker(['pull', '--quiet', image]);
    expect(await ci.docker(['image', 'inspect', '--format', '{{.RepoDigests}}', image])).toContain(digests.v5 ?? '');
    const container = await ci.docker(['run', '--detach', '--publish', '80:80', image]);
    await eventually('it answers', 20_000, async () => (await answerOf(`http://${ci.address}/`)) === 'v5');
    await ci.docker(['rm', '--force', container]);
  }, 60_000);

  test('a laptop runs two sets of versions side by side, and nothing is left after down', async () => {
    const laptop = await rig.engine('laptop');
    await rig.push('web:feature-x', { version: 'feature-x' });
    const { alice } = rig;
    await laptop.docker(['login', '--username', 'alice', '--password-stdin', rig.team.host], { stdin: alice.secret });
    const call = (...args: string[]) =>
      tryRun([...laptop.nsenter, join(bin, 'berth'), ...args], {
        cwd: alice.folder,
        env: { ...alice.env, ...laptop.env },
      });
    const upped = async (...args: string[]) => {
      const { code, stdout, stderr } = await call('up', ...args);
      expect({ code, stdout, stderr }).toMatchObject({ code: 0 });
      return stdout + stderr;
    };
    await upped('shop@test', 'web=feature-x');
    await upped('shop@production');
    const webs = (await containersOf(laptop, 'web')).map(({ image }) => image.split('@')[1]);
    const wanted = await rig.push('web:feature-x', { version: 'feature-x' });
    expect(webs.toSorted()).toEqual([wanted, digests.v5 ?? ''].toSorted());
    expect((await containersOf(laptop, 'db')).length).toBe(2);
    const published = z
      .string()
      .parse(
        await laptop.docker(['ps', '--format', '{{.Ports}}', '--filter', 'label=com.docker.compose.service=front']),
      );
    const ports = [...published.matchAll(/:(\d+)->80/g)].map((found) => found[1]);
    const answers = await Promise.all([...new Set(ports)].map((port) => answerOf(`http://${laptop.address}:${port}/`)));
    expect(answers.toSorted()).toEqual(['feature-x', 'v5']);
    for (const set of ['shop@test', 'shop@production']) {
      const { code, stderr } = await call('down', set, '--volumes');
      expect({ code, stderr }).toMatchObject({ code: 0 });
    }
    expect(await laptop.docker(['ps', '--all', '--quiet'])).toBe('');
    expect(await laptop.docker(['volume', 'ls', '--quiet'])).toBe('');
  }, 180_000);
});
