// docs/how-to/ci.sh as it is, on a real engine: each of its exit codes, from a deployment that ends so.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import type { ServerEngine } from '../support/server-engine.ts';
import { type Ran, tryRun } from '../support/tools.ts';
import { loadImage, type WebVersion, webBaseImage, writeBuildContext } from '../support/web-image.ts';
import { canShip, digestOf, type Place, type Rig, runningDigest, smallFile, startRig } from './rig.ts';

const root = new URL('../..', import.meta.url).pathname;

describe.skipIf(!canShip('ci script'))('the shell recipe for CI', () => {
  let rig: Rig;
  let engine: ServerEngine;
  let token: string;
  let place: Place;

  beforeAll(async () => {
    rig = await startRig();
    engine = await rig.engine('ci');
    await loadImage(engine, await webBaseImage(), 'web-base:1');
    token = await rig.team.robot(rig.alice, 'ci');
    await rig.createStack('shop', smallFile(rig.team.host));
    for (const name of ['test', 'fresh', 'empty']) await rig.alice.berth(['env', 'create', 'shop', name]);
    await rig.alice.berth(['env', 'create', 'shop', 'production', '--protected']);
    place = await rig.place('shop/test');
  }, 120_000);

  afterAll(async () => {
    await rig?.stop();
  }, 120_000);

  /** Runs the script as a CI server does: with nothing but its environment. */
  async function ship(version: WebVersion, environment: string, more: Record<string, string> = {}): Promise<Ran> {
    const folder = join(rig.alice.folder, `build-${version.version}`);
    writeBuildContext(folder, 'web-base:1', version);
    const env = {
      HOME: folder,
      BERTH_CONFIG_HOME: folder,
      ...engine.env,
      PATH: `${root}bin:${engine.env.PATH}`,
      REGISTRY: rig.team.host,
      BERTH_SERVER: rig.team.url,
      IMAGE: 'alice/web',
      GIT_SHA: version.version,
      BERTH_TOKEN: token,
      BERTH_STACK: 'alice/shop',
      BERTH_ENVIRONMENT: environment,
      ...more,
    };
    return await tryRun([...engine.nsenter, 'sh', join(root, 'docs/how-to/ci.sh')], { cwd: folder, env });
  }

  const latest = async () => {
    const tag = await rig.alice.json(['tag', 'list', 'alice/web']);
    return /"latest".*?(sha256:[0-9a-f]{64})/s.exec(JSON.stringify(tag))?.[1];
  };

  test('ends with 0 when the server runs the image, and moves latest to it', async () => {
    const { code, stdout, stderr } = await ship({ version: 'c1' }, 'test');
    expect({ code, stdout, stderr }).toMatchObject({ code: 0 });
    const current = await rig.settled('shop/test', 'stable', ({ stable }) => stable);
    expect(await runningDigest(place.engine, 'web')).toBe(digestOf(current, 'web') ?? '');
    expect(current.images[0]?.revision).toBe('c1');
    expect(await latest()).toBe(digestOf(current, 'web'));
  }, 120_000);

  test('ends with 3, says that it is a bad release, shows the log, and leaves latest where it was', async () => {
    const before = await latest();
    const { code, stderr } = await ship({ version: 'c2', behaviour: 'exits' }, 'test');
    expect({ code, stderr }).toMatchObject({ code: 3 });
    expect(stderr).toContain('c2 cannot read its settings');
    expect(stderr).toContain('c2 is a bad release; test runs what it ran before');
    expect(await latest()).toBe(before);
  }, 120_000);

  test('ends with 5 where the environment takes only what was stable before', async () => {
    const { code, stderr } = await ship({ version: 'c3' }, 'production');
    expect({ code, stderr }).toMatchObject({ code: 5, stderr: expect.stringContaining('production does not take c3') });
  }, 60_000);

  test('ends with 124 when no server is there in time', async () => {
    const { code, stderr } = await ship({ version: 'c4' }, 'empty', { BERTH_TIMEOUT: '2s' });
    expect({ code, stderr }).toMatchObject({ code: 124, stderr: expect.stringContaining('empty is not done yet') });
  }, 60_000);

  test('ends with 4 when there is nothing to go back to', async () => {
    await rig.place('shop/fresh');
    const { code, stderr } = await ship({ version: 'c5', behaviour: 'exits' }, 'fresh');
    expect({ code, stderr }).toMatchObject({ code: 4, stderr: expect.stringContaining('fresh is down') });
  }, 120_000);

  test('ends with 1 for a token that is none, before anything is built', async () => {
    const { code, stdout, stderr } = await ship({ version: 'c6' }, 'test', {
      BERTH_TOKEN: `berth_robot_${'x'.repeat(32)}`,
    });
    expect({ code, stdout, stderr }).toMatchObject({ code: 1, stdout: '' });
  }, 60_000);

  test('ends with 6 while another deployment has the environment', async () => {
    await place.agent.kill();
    await rig.alice.berth(['deploy', 'shop/test', 'web=c4']);
    const { code, stderr } = await ship({ version: 'c7' }, 'test', { BERTH_LOCK_TIMEOUT: '1s' });
    expect({ code, stderr }).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('busy with another deployment'),
    });
  }, 60_000);
});
