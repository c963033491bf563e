// `berth up` and `berth down` on a laptop: a real engine, images of a real registry. The sets come from lock files, as with --locked.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type ServerEngine, serverEngineTools, startServerEngine } from '../support/server-engine.ts';
import { type Person, startTeam, type Team } from '../support/stack.ts';
import { type Ran, requireTools, tryRun } from '../support/tools.ts';
import { databaseImage, frontImage, pushImage, webImage, webImageTools } from '../support/web-image.ts';

const shown = z.object({
  set: z.string(),
  services: z.array(
    z.object({ service: z.string(), tag: z.string().nullable(), addresses: z.array(z.string()), state: z.string() }),
  ),
});
const listed = z.array(z.object({ project: z.string(), pulled: z.array(z.string()) }));

const bin = new URL('../../bin/berth', import.meta.url).pathname;

describe.skipIf(!requireTools('laptop', [...serverEngineTools, ...webImageTools]))('a laptop', () => {
  let team: Team;
  let alice: Person;
  let engine: ServerEngine;
  const digests: Record<string, string> = {};

  beforeAll(async () => {
    team = await startTeam();
    alice = await team.join('alice');
    engine = await startServerEngine({ name: 'laptop', insecure: [team.host] });
    const login = { username: 'alice', secret: alice.secret };
    const push = async (name: string, image: Awaited<ReturnType<typeof webImage>>) => {
      await pushImage(image, `${team.host}/alice/${name}`, login);
      digests[name] = image.manifest.digest;
    };
    await push('front:1', await frontImage());
    await push('db:1', await databaseImage());
    await push('web:1', await webImage({ version: '1' }));
    await push('web:2', await webImage({ version: '2' }));
    await push('web:bad', await webImage({ version: 'bad', behaviour: 'unhealthy' }));
  }, 120_000);

  afterAll(async () => {
    await engine?.stop();
    await team?.stop();
  }, 60_000);

  /** Of the commands alone: others run tests on this machine too. */
  const temporary = () => {
    const folder = join(alice.folder, 'temporary');
    mkdirSync(folder, { recursive: true });
    return folder;
  };

  const call = (args: string[], env: Record<string, string> = {}): Promise<Ran> =>
    tryRun([...engine.nsenter, bin, ...args], {
      cwd: alice.folder,
      env: { ...alice.env, ...engine.env, XDG_STATE_HOME: join(alice.folder, 'state'), TMPDIR: temporary(), ...env },
    });

  /** Runs it, and expects that it works. */
  const berth = async (...args: string[]): Promise<string> => {
    const ran = await call(args);
    expect({ args, ...ran }).toMatchObject({ code: 0 });
    return ran.stdout;
  };

  const up = async (...args: string[]) => shown.parse(JSON.parse(await berth('up', ...args, '--output', 'json')));

  const addressOf = (set: z.infer<typeof shown>, service: string) =>
    set.services.find((one) => one.service === service)?.addresses[0]?.replace('localhost', engine.address) ?? '';

  const answer = async (address: string) => (await (await fetch(address, { keepalive: false })).text()).trim();

  const projects = async () => listed.parse(JSON.parse(await berth('down', '--list', '--output', 'json')));

  const file = () => `
name: shop
services:
  front:
    image: ${team.host}/alice/front:1
    ports: ["8080:80"]
    container_name: shop-front
    depends_on: [web]
  web:
    image: alice/web:latest
    depends_on: { db: { condition: service_healthy } }
    environment: { SHADE: "\${SHADE:-blue}", PASSWORD: }
  migrate:
    image: alice/db
    x-berth: { migrate: true }
    depends_on: [db]
    command: ["sh", "-c", "echo migrated >> /data/starts"]
    volumes: ["data:/data"]
  db:
    image: alice/db
    volumes: ["data:/data"]
volumes:
  data: { name: shop-data }
networks:
  default: { ipam: { config: [{ subnet: 10.99.0.0/24 }] } }
`;

  /** A lock file as `berth up` would have written it. */
  const lock = (name: string, web: string, more: object = {}): string => {
    const images = Object.entries({ front: 'front:1', web: `web:${web}`, migrate: 'db:1', db: 'db:1' });
    const path = `${name}.lock.json`;
    writeFileSync(
      join(alice.folder, path),
      JSON.stringify({
        berthLock: 1,
        stack: 'alice/shop',
        environment: name,
        release: null,
        deployment: null,
        file: file(),
        images: images.map(([service, image]) => ({
          service,
          repository: `alice/${image.split(':')[0]}`,
          digest: digests[image] ?? '',
          tag: image.split(':')[1] ?? null,
          revision: null,
          source: null,
          version: null,
          created: null,
        })),
        variables: { SHADE: 'green' },
        secrets: [],
        ...more,
      }),
    );
    return path;
  };

  test('runs two sets of a stack side by side, with ports, volumes and networks of their own', async () => {
    const start = (name: string, web: string) => up('--locked', '--lock', lock(name, web));
    // At once: both see that the port of the file is free.
    const [one, two] = await Promise.all([start('test', '1'), start('production', '2')]);
    expect(one.set).toStartWith('shop-test-');
    expect(two.set).toStartWith('shop-production-');
    for (const { services } of [one, two]) {
      expect(services.map(({ service, state }) => [service, state])).toEqual([
        ['front', 'healthy'],
        ['web', 'healthy'],
        ['db', 'healthy'],
        ['migrate', 'done'],
      ]);
    }
    const addresses = [addressOf(one, 'front'), addressOf(two, 'front')];
    expect(addresses).toContain(`http://${engine.address}:8080`);
    expect(new Set(addresses).size).toBe(2);
    expect(await answer(addressOf(one, 'front'))).toBe('1');
    expect(await answer(addressOf(two, 'front'))).toBe('2');
    const volumes = (await engine.docker(['volume', 'ls', '--quiet'])).split('\n');
    expect(volumes.toSorted()).toEqual([`${two.set}_data`, `${one.set}_data`]);
    const [database = ''] = (
      await engine.docker([
        'ps',
        '--quiet',
        '--filter',
        `label=com.docker.compose.project=${one.set}`,
        '--filter',
        'label=io.berth.service=db',
      ])
    ).split('\n');
    expect(await engine.docker(['ps', '--all', '--quiet', '--filter', 'label=io.berth.service=migrate'])).toBe('');
    expect(await engine.docker(['exec', database, 'cat', '/data/starts'])).toBe('started\nmigrated');
  }, 180_000);

  test('keeps the ports and the data of a set that is brought up again, and forgets images that it no longer runs', async () => {
    const before = await up('--locked', '--lock', lock('production', '2'));
    const after = await up('--locked', '--lock', lock('production', '1'));
    expect(addressOf(after, 'front')).toBe(addressOf(before, 'front'));
    expect(await answer(addressOf(after, 'front'))).toBe('1');
    expect((await engine.tryDocker(['image', 'inspect', `${team.host}/alice/web@${digests['web:2']}`])).code).not.toBe(
      0,
    );
  }, 180_000);

  test('shows no token to anything but the engine, and keeps what it starts from for its owner alone', async () => {
    expect(existsSync(join(engine.root, 'client', 'config.json'))).toBe(false);
    const sets = join(alice.folder, 'state', 'berth', 'sets');
    for (const project of readdirSync(sets)) {
      expect(statSync(join(sets, project)).mode & 0o777).toBe(0o700);
      expect(statSync(join(sets, project, 'variables.json')).mode & 0o777).toBe(0o600);
      for (const name of readdirSync(join(sets, project))) {
        expect(readFileSync(join(sets, project, name), 'utf8')).not.toContain(alice.secret);
      }
    }
    expect(readdirSync(temporary()).filter((name) => name.startsWith('berth-docker-'))).toEqual([]);
  });

  test('takes variables of --set, its own environment, .env and the server, in that order', async () => {
    const folder = join(alice.folder, 'variables');
    mkdirSync(folder);
    writeFileSync(join(folder, '.env'), `PASSWORD='from the file'\n`);
    const args = ['up', '--locked', '--lock', join(alice.folder, lock('test', '1')), '--output', 'json'];
    const inFolder = (...more: string[]) =>
      tryRun([...engine.nsenter, bin, ...args, ...more], {
        cwd: folder,
        env: { ...alice.env, ...engine.env, XDG_STATE_HOME: join(alice.folder, 'state') },
      });
    const environment = async () =>
      await engine.docker([
        'inspect',
        '--format',
        '{{json .Config.Env}}',
        `${(await projects()).at(-1)?.project}-web-1`,
      ]);
    expect((await inFolder()).code).toBe(0);
    expect(await environment()).toContain('"SHADE=green"');
    expect(await environment()).toContain('"PASSWORD=from the file"');
    expect((await inFolder('--set', 'SHADE=red $x')).code).toBe(0);
    expect(await environment()).toContain('"SHADE=red $x"');
  }, 180_000);

  test('says which variables have no value before it pulls anything', async () => {
    const needs = lock('needs', '2', {
      file: file().replace(':-blue', ':?a color'),
      variables: {},
      secrets: ['SHADE'],
    });
    const ran = await call(['up', '--locked', '--lock', needs]);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain(
      'no value for SHADE (a secret, which the server does not give out): give one with --set SHADE=VALUE',
    );
    expect((await engine.tryDocker(['image', 'inspect', `${team.host}/alice/web@${digests['web:2']}`])).code).not.toBe(
      0,
    );
  }, 60_000);

  test('shows the log of a service that does not get healthy, and leaves it to be looked at', async () => {
    const ran = await call(['up', '--locked', '--lock', lock('broken', 'bad'), '--only', 'web']);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('-web-1 is unhealthy');
    expect(ran.stderr).toContain('bad cannot reach its database');
    expect(ran.stderr).toMatch(/berth down shop-broken-\S+ removes it/);
    await berth('down', 'shop@broken');
  }, 120_000);

  test('starts nothing that waits for a migration that fails', async () => {
    const failing = file().replace('echo migrated >> /data/starts', 'echo cannot migrate >&2; exit 3');
    const ran = await call(['up', '--locked', '--lock', lock('failing', '1', { file: failing })]);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('the migration migrate ended with 3');
    expect(ran.stderr).toContain('cannot migrate');
    const webs = ['--filter', 'label=io.berth.local=failing', '--filter', 'label=io.berth.service=web'];
    expect(await engine.docker(['ps', '--all', '--quiet', ...webs])).toBe('');
    await berth('down', 'shop@failing');
  }, 120_000);

  test('writes a compose file that works without Berth', async () => {
    await berth('up', '--locked', '--lock', lock('test', '1'), '--export', 'plain.yaml');
    const text = readFileSync(join(alice.folder, 'plain.yaml'), 'utf8');
    expect(text).not.toContain('berth');
    expect(text).toContain(`image: "${team.host}/alice/web@${digests['web:1']}"`);
    expect(text).toContain(`SHADE: "\${SHADE:-green}"`);
    expect(await berth('up', '--locked', '--lock', lock('test', '1'), '--export', '-')).toBe(text);
    const plain = (...args: string[]) =>
      engine.docker(['compose', '-f', join(alice.folder, 'plain.yaml'), '-p', 'plain', ...args]);
    await plain('up', '--detach', '--pull', 'never', '--no-deps', 'db');
    await plain('down', '--volumes');
  }, 120_000);

  test('leaves nothing behind after down, and not an image that something else uses', async () => {
    await engine.docker(['tag', `${team.host}/alice/web@${digests['web:1']}`, 'mine:1']);
    await berth('down', 'test');
    await berth('down');
    expect(await projects()).toEqual([]);
    expect(await engine.docker(['ps', '--all', '--quiet'])).toBe('');
    expect(await engine.docker(['volume', 'ls', '--quiet'])).toBe('');
    expect((await engine.docker(['network', 'ls', '--format', '{{.Name}}'])).split('\n').toSorted()).toEqual([
      'bridge',
      'host',
      'none',
    ]);
    expect(await engine.docker(['image', 'ls', '--format', '{{.Repository}}:{{.Tag}}'])).toBe('mine:1');
    expect(readdirSync(join(alice.folder, 'state', 'berth', 'sets'))).toEqual([]);
  }, 180_000);

  test('says what is missing: docker, its engine, the registry, the set', async () => {
    const path = lock('test', '1');
    const said = async (args: string[], env: Record<string, string>) => (await call(args, env)).stderr;
    const nowhere = join(alice.folder, 'nowhere');
    const start = ['up', '--locked', '--lock', path];
    expect(await said(start, { DOCKER_HOST: `unix://${nowhere}` })).toContain(
      'no container engine answers: start Docker',
    );
    expect(await said(['down'], {})).toContain('nothing runs here that berth up started');
    expect(await said(['up', '--locked', '--lock', 'none.json'], {})).toContain('none.json: cannot be read');
    expect(await said(['up', '--locked', '--lock', path, 'web=2'], {})).toContain(
      '--locked: the lock file says which images',
    );
    expect(await said(start, { BERTH_SERVER: `http://${engine.hostAddress}:${team.host.split(':')[1]}` })).toContain(
      'speaks HTTP: put {"insecure-registries"',
    );
  }, 60_000);
});
