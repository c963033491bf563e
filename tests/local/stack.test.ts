// A laptop and a stack of the server: what runs in an environment, with one service of one's own; and the same without Berth.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { enrolledTarget } from '../../src/api/deployments.ts';
import { AgentClient } from '../../src/client/agent.ts';
import { eventually } from '../support/processes.ts';
import { type ServerEngine, serverEngineTools, startServerEngine } from '../support/server-engine.ts';
import { type Person, startTeam, type Team } from '../support/stack.ts';
import { type Ran, requireTools, tryRun } from '../support/tools.ts';
import { databaseImage, pushImage, webImage, webImageTools } from '../support/web-image.ts';

const lockFile = z.object({ images: z.array(z.object({ service: z.string(), digest: z.string() })) });
const bin = new URL('../../bin/berth', import.meta.url).pathname;

describe.skipIf(!requireTools('stack on a laptop', [...serverEngineTools, ...webImageTools]))('a stack', () => {
  let team: Team;
  let alice: Person;
  let engine: ServerEngine;
  let push: (tag: string, version: string) => Promise<string>;

  beforeAll(async () => {
    team = await startTeam();
    alice = await team.join('alice');
    engine = await startServerEngine({ name: 'laptop', insecure: [team.host] });
    const login = { username: 'alice', secret: alice.secret };
    push = async (tag, version) => {
      const image = await webImage({ version });
      await pushImage(image, `${team.host}/alice/web:${tag}`, login);
      return image.manifest.digest;
    };
    await pushImage(await databaseImage(), `${team.host}/alice/db:1`, login);
    await push('latest', '1');
    await push('feature', '2');
    writeFileSync(
      join(alice.folder, 'shop.yaml'),
      `services:
  web:
    image: alice/web
    build: .
    ports: ["\${WEB_PORT:-8080}:80"]
    environment: { SHADE: "\${SHADE:-blue}", KEY: "\${KEY:?the key}" }
    depends_on: [db]
  db:
    image: alice/db:1
    volumes: ["data:/data"]
volumes: { data: }
`,
    );
    await alice.berth(['stack', 'create', 'shop', '--file', 'shop.yaml']);
    await alice.berth(['env', 'create', 'shop', 'test']);
    await alice.berth(['config', 'set', 'shop/test', 'SHADE=green']);
    await alice.berth(['config', 'set', 'shop/test', '--secret', 'KEY'], { stdin: 'open sesame' });
    await runInTest();
  }, 120_000);

  /** Deploys to the environment, and says for its server that it runs. */
  const runInTest = async () => {
    const { token } = enrolledTarget.parse(await alice.json(['target', 'enroll', 'shop', 'test']));
    await alice.berth(['deploy', 'shop/test']);
    const agent = new AgentClient(team.url, token);
    const { signal } = new AbortController();
    const wanted = await agent.state(undefined, signal);
    const { number = 0, images = {} } = wanted?.state.deployment ?? {};
    const services = Object.entries(images).map(([service, { digest }]) => ({
      ...{ service, digest, containers: 1, health: 'healthy' as const, restarts: 0 },
    }));
    await agent.report({ now: Date.now(), deployment: { number, phase: 'stable' }, services }, signal);
  };

  afterAll(async () => {
    await engine?.stop();
    await team?.stop();
  }, 60_000);

  const call = (...args: string[]): Promise<Ran> =>
    tryRun([...engine.nsenter, bin, ...args], { cwd: alice.folder, env: { ...alice.env, ...engine.env } });

  const berth = async (...args: string[]): Promise<string> => {
    const ran = await call(...args);
    expect({ args, ...ran }).toMatchObject({ code: 0 });
    return ran.stdout;
  };

  const answer = async (port: number) => {
    const response = await fetch(`http://${engine.address}:${port}/`, { keepalive: false });
    return (await response.text()).trim();
  };

  const locked = (name: string, service: string) =>
    lockFile
      .parse(JSON.parse(readFileSync(join(alice.folder, name), 'utf8')))
      .images.find((image) => image.service === service)?.digest;

  const environment = async () =>
    engine.docker([
      ...['inspect', '--format', '{{json .Config.Env}}'],
      await engine.docker([
        'ps',
        '--quiet',
        '--filter',
        'label=io.berth.local=test',
        '--filter',
        'label=io.berth.service=web',
      ]),
    ]);

  test('asks for the secrets of an environment, which the server does not give out', async () => {
    const ran = await call('up', 'shop@test');
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('no value for KEY (a secret');
  }, 60_000);

  test('runs as in an environment, with another version of one service', async () => {
    await berth('up', 'shop@test', 'web=feature', '--set', 'KEY=mine');
    expect(await answer(8080)).toBe('2');
    expect(await environment()).toContain('"SHADE=green"');
    expect(await environment()).toContain('"KEY=mine"');
  }, 120_000);

  test('runs what the lock file says though the tag has moved', async () => {
    const before = locked('berth.test.lock.json', 'web');
    const moved = await push('feature', '3');
    await berth('up', 'shop@test', '--locked', '--set', 'KEY=mine');
    expect(await answer(8080)).toBe('2');
    expect(locked('berth.test.lock.json', 'web')).toBe(before);
    await berth('up', 'shop@test', 'web=feature', '--set', 'KEY=mine');
    expect(await answer(8080)).toBe('3');
    expect(locked('berth.test.lock.json', 'web')).toBe(moved);
  }, 120_000);

  test('runs a release, and an override under a name of its own', async () => {
    await berth('up', 'shop@1', '--set', 'KEY=x', '--set', 'WEB_PORT=8090', '--only', 'web');
    expect(await answer(8090)).toBe('1');
    await berth('up', 'alice/shop', 'web=feature', '--name', 'mine', '--set', 'KEY=x', '--set', 'WEB_PORT=8091');
    expect(await answer(8091)).toBe('3');
    expect(existsSync(join(alice.folder, 'berth.mine.lock.json'))).toBe(true);
    expect(await berth('up', '--list')).toMatch(/shop-1-\S+.*\n.*shop-mine-\S+.*\n.*shop-test-/);
    for (const set of ['shop@1', 'mine', 'shop@test']) await berth('down', set);
    expect(await engine.docker(['ps', '--all', '--quiet'])).toBe('');
    expect(await engine.docker(['image', 'ls', '--quiet'])).toBe('');
    expect(await engine.docker(['volume', 'ls', '--quiet'])).toBe('');
  }, 180_000);

  test('is a compose file that plain docker runs', async () => {
    await berth('up', 'shop@test', '--export', 'plain.yaml');
    await engine.docker(['login', '--username', 'alice', '--password-stdin', team.host], { stdin: alice.secret });
    const plain = (...args: string[]) =>
      engine.docker(['compose', '--file', join(alice.folder, 'plain.yaml'), ...args], { env: { KEY: 'x' } });
    await plain('up', '--detach');
    await eventually('plain docker runs it', 30_000, () =>
      answer(8080).then(
        (text) => text === '1',
        () => false,
      ),
    );
    await plain('down', '--volumes', '--rmi', 'all');
  }, 120_000);

  test('is refused with its reason where the name is wrong', async () => {
    expect((await call('up', 'shop@nowhere')).stderr).toContain('alice/shop has no environment "nowhere"; it has test');
    expect((await call('up', 'shop@test', 'wob=1', '--set', 'KEY=x')).stderr).toContain('wob');
    expect((await call('up', 'shop@test', '--only', 'wob', '--set', 'KEY=x')).stderr).toContain('there is no "wob"');
    expect((await call('up', 'shop@test', 'web')).code).toBe(2);
  }, 60_000);
});
