// What the agent does when something around it is not as it should be.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverEngineTools } from '../support/server-engine.ts';
import { requireTools, run } from '../support/tools.ts';
import { type Agent, deployment, eventually, randomTar, type Shop, shopFile, startShop } from './shop.ts';

const here = requireTools('agent faults', [...serverEngineTools, 'busybox', 'docker']);

describe.skipIf(!here)('the agent, when', () => {
  let shop: Shop;
  let agent: Agent;
  const digests: Record<string, string> = {};
  const images = (web: string, more: { db?: string; migrate?: string } = {}) => ({
    db: digests.db ?? '',
    web: digests[web] ?? web,
    ...more,
  });

  beforeAll(async () => {
    shop = await startShop();
    digests.db = await shop.push('alice/db', 'sleeps', '1');
    digests.failsToMigrate = await shop.push('alice/migrate', 'failsToMigrate', '1');
    for (const version of ['one', 'two', 'three']) digests[version] = await shop.push('alice/web', 'good', version);
    for (const kind of ['unhealthy', 'fading', 'exits'] as const) {
      digests[kind] = await shop.push('alice/web', kind, kind);
    }
  }, 90_000);
  afterAll(() => shop?.stop(), 60_000);
  afterEach(() => shop.clear(), 60_000);

  const reaches = (number: number, phase: string) =>
    eventually(
      `deployment ${number} ${phase}`,
      () => shop.control.deployment(number)?.phase === phase,
      () => `${JSON.stringify(shop.control.reports.slice(-8))}\n${agent.log()}`,
    );
  const runs = async (service: string) => (await shop.running(service)).map(({ digest }) => digest);
  /** Deployment 1, stable. */
  const begin = async (change: Parameters<typeof deployment>[2] = {}) => {
    const first = deployment(1, images('one'), change);
    shop.control.want({ deployment: first });
    agent = shop.startAgent();
    await reaches(1, 'stable');
    return first;
  };

  test('an image is not there: nothing is changed, and the place is to blame', async () => {
    const stable = await begin();
    const before = await shop.running('web');
    shop.control.want({ deployment: deployment(2, images(`sha256:${'0'.repeat(64)}`)), stable });
    await reaches(2, 'reverted');
    expect(shop.control.deployment(2)).toMatchObject({ revertedTo: 1, blame: 'place' });
    expect(shop.control.phases(2)).not.toContain('switching');
    expect(await shop.running('web')).toEqual(before);
  }, 60_000);

  test('the migration fails: nothing is changed, and its last lines are reported', async () => {
    const stable = await begin();
    const before = await shop.running('web');
    const next = deployment(2, images('two', { migrate: digests.failsToMigrate ?? '' }));
    shop.control.want({ deployment: next, stable });
    await reaches(2, 'reverted');
    expect(shop.control.deployment(2)).toMatchObject({ revertedTo: 1, blame: 'release' });
    expect(shop.control.deployment(2)?.log).toContain('column is missing');
    expect(await shop.running('web')).toEqual(before);
  }, 60_000);

  test('the first deployment of all fails: there is nothing to go back to', async () => {
    shop.control.want({ deployment: deployment(1, images('exits')) });
    agent = shop.startAgent();
    await reaches(1, 'failed');
    expect(shop.control.deployment(1)?.error).toContain('exit');
    expect(shop.control.deployment(1)?.log).toContain('this release is broken');
  }, 60_000);

  test('the release turns unhealthy while it is watched: the one before comes back', async () => {
    const stable = await begin();
    const timings = { ...shop.control.state.timings, watchMs: 30_000 };
    shop.control.want({ deployment: deployment(2, images('fading')), stable, timings });
    await reaches(2, 'reverted');
    expect(shop.control.phases(2)).toContain('monitoring');
    expect(await runs('web')).toEqual([digests.one ?? '']);
  }, 60_000);

  test('a service is stopped first, its new release fails, and what it goes back to fails too', async () => {
    const file = shopFile({ web: 'ports: [ "18080:8080" ]' });
    const stable = await begin({ file });
    const failing = deployment(2, images('exits'), { file });
    await agent.stop();
    shop.control.want({ deployment: failing, stable });
    agent = shop.startAgent({ failpoint: 'reverting' });
    await agent.exited;
    // Meanwhile another program takes the port.
    const blocker = ['run', '--detach', '--name', 'blocker', '--publish', '18080:8080', '--entrypoint', '/bin/sleep'];
    const ids = (await shop.engine.docker(['ps', '--all', '--quiet', '--filter', 'label=io.berth.service=web'])).split(
      '\n',
    );
    await shop.engine.docker(['rm', '--force', ...ids.filter(Boolean)]);
    await shop.engine.docker([...blocker, `${shop.host}/alice/db@${digests.db}`, '1000']);
    agent = shop.startAgent();
    await reaches(2, 'revert-failed');
    expect(shop.control.deployment(2)?.error).toContain('18080');
    await shop.engine.docker(['rm', '--force', 'blocker']);
    shop.control.want({ deployment: deployment(3, images('three'), { file }) });
    await reaches(3, 'stable');
    expect(await runs('web')).toEqual([digests.three ?? '']);
  }, 90_000);

  test('it was away for some deployments: it goes to the newest at once', async () => {
    const stable = await begin();
    await agent.stop();
    shop.control.want({ deployment: deployment(2, images('two')), stable });
    shop.control.want({ deployment: deployment(5, images('three')), stable });
    agent = shop.startAgent();
    await reaches(5, 'stable');
    expect(shop.control.phases(2)).toEqual([]);
    // What is older is never taken.
    shop.control.want({ deployment: deployment(4, images('one')) });
    const asked = shop.control.asked();
    await eventually('asked again', () => shop.control.asked() > asked + 1);
    expect(await runs('web')).toEqual([digests.three ?? '']);
  }, 60_000);

  test('a newer deployment comes while one is applied: it is left for the newer', async () => {
    const stable = await begin();
    shop.control.want({ deployment: deployment(2, images('unhealthy')), stable });
    await reaches(2, 'switching');
    shop.control.want({ deployment: deployment(3, images('two')), stable });
    await reaches(3, 'stable');
    expect(await runs('web')).toEqual([digests.two ?? '']);
  }, 60_000);

  test('the engine dies and comes back: what was running runs again', async () => {
    await begin({ file: shopFile().replace('restart: unless-stopped', '') });
    await shop.engine.crash();
    await eventually(
      'unknown',
      () => shop.control.services() === null,
      () => agent.log(),
    );
    await shop.engine.start();
    await eventually(
      'known again',
      () =>
        shop.control.services()?.length === 2 && shop.control.services()?.every(({ health }) => health === 'running'),
      () => agent.log(),
    );
    expect(await runs('web')).toEqual([digests.one ?? '']);
    expect(shop.control.deployment(1)?.phase).toBe('stable');
  }, 60_000);

  test('the engine dies while a release is switched: that is no failure of the release', async () => {
    const stable = await begin();
    const file = shopFile({ web: 'healthcheck: { test: [ "CMD", "sleep", "2" ], interval: 1s }' }).replace(
      'x-berth: { probe: { port: 8080, path: /healthz } }',
      '',
    );
    shop.control.want({ deployment: deployment(2, images('two'), { file }), stable });
    await reaches(2, 'switching');
    await eventually('two', async () => (await shop.running('web')).length === 2);
    await shop.engine.restart();
    await reaches(2, 'stable');
    expect(await runs('web')).toEqual([digests.two ?? '']);
  }, 90_000);

  test('server and registry are away at boot: what the disk says is started', async () => {
    await begin({ file: shopFile().replace('restart: unless-stopped', '') });
    await agent.stop();
    await shop.engine.crash();
    shop.control.failWith(503);
    await shop.engine.start();
    await shop.engine.block();
    expect(await shop.running('web')).toEqual([]);
    agent = shop.startAgent();
    await eventually(
      'up',
      async () => (await shop.running('web')).length + (await shop.running('db')).length === 2,
      () => agent.log(),
    );
    await shop.engine.unblock();
    shop.control.failWith(undefined);
    shop.control.want({ deployment: deployment(2, images('two')) });
    await reaches(2, 'stable');
  }, 60_000);

  test('the token is revoked: what runs goes on, and the agent keeps asking', async () => {
    await begin();
    shop.control.failWith(401);
    await eventually(
      'said so',
      () => agent.log().includes('the token is not good'),
      () => agent.log(),
    );
    expect(await runs('web')).toEqual([digests.one ?? '']);
    shop.control.failWith(undefined);
    shop.control.want({ deployment: deployment(2, images('two')) });
    await reaches(2, 'stable');
  }, 60_000);

  test('many deployments have passed: old images are removed, those to be kept are not', async () => {
    const stable = await begin();
    shop.control.want({ deployment: deployment(2, images('two')), stable, keep: [digests.two ?? ''] });
    await reaches(2, 'stable');
    shop.control.want({ deployment: deployment(3, images('three')), stable: deployment(3, images('three')) });
    await reaches(3, 'stable');
    const there = async (digest: string | undefined) =>
      (await shop.engine.tryDocker(['image', 'inspect', `${shop.host}/alice/web@${digest}`])).code === 0;
    await eventually('pruned', async () => !(await there(digests.one)));
    expect(await there(digests.two)).toBe(true);
    expect(await there(digests.three)).toBe(true);
  }, 60_000);

  test('the project of the environment is used by another: nothing of it is touched', async () => {
    const first = deployment(1, images('one'));
    await shop.engine.docker(['pull', '--quiet', `${shop.host}/alice/db@${digests.db}`]);
    const label = ['--label', 'com.docker.compose.project=shop-test', '--label', 'com.docker.compose.service=web'];
    await shop.engine.docker(['run', '--detach', '--name', 'mine', ...label, `${shop.host}/alice/db@${digests.db}`]);
    shop.control.want({ deployment: first });
    agent = shop.startAgent();
    await reaches(1, 'failed');
    expect(shop.control.deployment(1)).toMatchObject({ blame: 'place' });
    expect(await shop.engine.docker(['ps', '--filter', 'name=mine', '--format', '{{.Names}}'])).toBe('mine');
  }, 60_000);

  test('compose is asked itself after deployments and reverts: it has nothing to do', async () => {
    const stable = await begin();
    const [database] = await shop.running('db');
    shop.control.want({ deployment: deployment(2, images('unhealthy')), stable });
    await reaches(2, 'reverted');
    shop.control.want({ deployment: deployment(3, images('two')), stable });
    await reaches(3, 'stable');
    await agent.stop();
    const folder = join(shop.state, 'deployments/3');
    const variables: Record<string, string> = JSON.parse(readFileSync(join(folder, 'variables.json'), 'utf8'));
    const before = [await shop.running('db'), await shop.running('web')];
    const command = ['compose', '--project-name', 'shop-test', '--project-directory', join(shop.state, 'project')];
    await shop.engine.docker(
      [...command, '--file', join(folder, 'compose.yaml'), 'up', '--detach', '--pull', 'never'],
      {
        env: variables,
      },
    );
    expect([await shop.running('db'), await shop.running('web')]).toEqual(before);
    expect((await shop.running('db'))[0]?.id).toBe(database?.id ?? '');
    expect(existsSync(join(shop.state, 'progress.json'))).toBe(true);
  }, 90_000);
});

describe.skipIf(!here)('a full disk', () => {
  test('fails the pull with nothing changed, and room again lets the next one through', async () => {
    const disk = mkdtempSync(join(tmpdir(), 'berth-disk-'));
    await run(['mount', '-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', disk]);
    const shop = await startShop({ dataRoot: join(disk, 'data') });
    try {
      const db = await shop.push('alice/db', 'sleeps', '1');
      const one = await shop.push('alice/web', 'good', 'one');
      const large = await shop.push('alice/web', 'good', 'large', await randomTar(60));
      const two = await shop.push('alice/web', 'good', 'two');
      const reaches = (number: number, phase: string) =>
        eventually(
          `deployment ${number} ${phase}`,
          () => shop.control.deployment(number)?.phase === phase,
          () => `${JSON.stringify(shop.control.reports.slice(-8))}\n${agent.log()}`,
        );
      const stable = deployment(1, { db, web: one });
      shop.control.want({ deployment: stable });
      const agent = shop.startAgent();
      await reaches(1, 'stable');
      shop.control.want({ deployment: deployment(2, { db, web: large }), stable });
      await reaches(2, 'reverted');
      expect(shop.control.deployment(2)).toMatchObject({ blame: 'place', revertedTo: 1 });
      expect(shop.control.deployment(2)?.error).toContain('no space left');
      shop.control.want({ deployment: deployment(3, { db, web: two }), stable });
      await reaches(3, 'stable');
    } finally {
      await shop.stop();
      await run(['umount', '--lazy', disk]);
      rmSync(disk, { recursive: true, force: true });
    }
  }, 90_000);
});
