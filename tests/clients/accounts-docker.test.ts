// What `docker login` keeps, what it costs, when it ends; and what Docker's other commands do with it.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { auditPage } from '../../src/api/audit.ts';
import { tokenList } from '../../src/api/tokens.ts';
import { type EngineOptions, newerEngine } from '../support/engine.ts';
import { requireTools } from '../support/tools.ts';
import { type Account, type AccountsRegistry, type DockerClient, dockerClient, startAccounts } from './accounts.ts';

const canRun = requireTools('accounts: docker login', ['root', 'dockerd', 'docker', 'skopeo', 'runc', ...newerEngine]);
setDefaultTimeout(60_000);

const containerdStore: EngineOptions = { release: 'newer', containerdStore: true };

const configuration = z.object({
  auths: z.record(z.string(), z.object({ auth: z.string(), identitytoken: z.string().optional() })),
});

describe.if(canRun)('docker login', () => {
  let registry: AccountsRegistry;
  let older: DockerClient;
  let newer: DockerClient;
  let alice: Account;
  let bob: Account;
  let carol: Account;

  beforeAll(async () => {
    [registry, older, newer] = await Promise.all([startAccounts(), dockerClient(), dockerClient(containerdStore)]);
    alice = await registry.signUp('alice');
    bob = await registry.signUp('bob');
    carol = await registry.signUp('carol');
  });

  afterAll(async () => {
    await Promise.all([older?.stop(), newer?.stop()]);
    await registry?.stop();
  });

  const login = async (client: DockerClient, name: string, secret: string, host = registry.host) => {
    const { code, stderr } = await client.login(host, name, secret);
    expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
  };
  const push = async (client: DockerClient, name: string) => {
    const { code, stdout, stderr } = await client.push(name);
    return code === 0 ? stdout : Promise.reject(new Error(stdout + stderr));
  };
  const pull = async (client: DockerClient, name: string) => {
    const { code, stderr } = await client.pull(name);
    expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
  };
  const configText = (client: DockerClient) =>
    readFileSync(join(client.engine.env.DOCKER_CONFIG ?? '', 'config.json'), 'utf8');
  const kept = (client: DockerClient, host = registry.host) =>
    configuration.parse(JSON.parse(configText(client))).auths[host];
  const tokensOf = async (account: Account) =>
    tokenList.parse(await registry.api(account, 'GET', 'tokens')).tokens.filter(({ kind }) => kind === 'login');

  for (const [title, clientOf] of [
    ['20.10', () => older],
    ["26.1 with containerd's store", () => newer],
  ] as const) {
    test(`of ${title} costs one password hash and keeps a token, with which pushes and pulls cost none`, async () => {
      const client = clientOf();
      const name = `${registry.host}/alice/counted:1`;
      const tokens = (await tokensOf(alice)).length;
      const before = await registry.hashes();
      await login(client, 'alice', alice.password);
      expect(await registry.hashes()).toBe(before + 1);

      expect(kept(client)).toEqual({ auth: btoa('alice:'), identitytoken: expect.stringMatching(/^berth_login_/) });
      const [token, ...others] = await tokensOf(alice);
      expect(others).toHaveLength(tokens);
      expect(token).toMatchObject({ name: 'docker from 127.0.0.1', level: 'delete', repository: null });

      await push(client, name);
      for (let times = 0; times < 3; times++) await pull(client, name);
      expect(await client.run(name)).toBe(client.image.prints);
      expect(await registry.hashes()).toBe(before + 1);
      const [used] = await tokensOf(alice);
      expect(used).toMatchObject({ lastUsedAt: expect.any(String), lastUsedFrom: '127.0.0.1' });
    });
  }

  test('stands in the audit log, and so does one with a wrong password', async () => {
    await login(older, 'bob', bob.password);
    expect((await older.login(registry.host, 'bob', 'not the password')).code).toBe(1);
    const page = auditPage.parse(await registry.api(registry.administrator, 'GET', 'audit?actor=bob&n=100'));
    const lines = page.lines.map(({ action, outcome, source }) => ({ action, outcome, source }));
    expect(lines).toContainEqual({ action: 'login.success', outcome: 'done', source: '127.0.0.1' });
    expect(lines).toContainEqual({ action: 'login.failure', outcome: 'refused', source: '127.0.0.1' });
  });

  test('a second time takes the place of the first, which still counts elsewhere until it is revoked', async () => {
    const name = `${registry.host}/alice/twice:1`;
    await login(older, 'alice', alice.password);
    const [first] = await tokensOf(alice);
    await login(newer, 'alice', alice.password);
    const { identitytoken } = kept(newer) ?? {};
    await login(newer, 'alice', alice.password);
    expect(kept(newer)?.identitytoken).not.toBe(identitytoken);
    await push(newer, name);
    await pull(older, name);
    await registry.api(alice, 'DELETE', `tokens/${first?.id}`);
    expect((await older.pull(name)).code).toBe(1);
    await pull(newer, name);
  });

  test('is forgotten by docker logout', async () => {
    const name = `${registry.host}/alice/forgotten:1`;
    await login(older, 'alice', alice.password);
    await push(older, name);
    await older.logout(registry.host);
    expect(kept(older)).toBeUndefined();
    expect((await older.pull(name)).stderr).toMatch(/denied|unauthorized/);
    // No log-in to end is no error.
    expect((await older.logout(registry.host)).code).toBe(0);
  });

  test('ends when its token is revoked', async () => {
    const name = `${registry.host}/alice/ended:1`;
    await login(older, 'alice', alice.password);
    await push(older, name);
    const [token] = await tokensOf(alice);
    await registry.api(alice, 'DELETE', `tokens/${token?.id}`);
    expect((await older.push(name)).stderr).toContain('unauthorized');
    expect((await older.pull(name)).code).toBe(1);
  });

  test('with a personal access token ends when that one is revoked', async () => {
    const name = `${registry.host}/alice/child:1`;
    const { id, secret } = await registry.makeToken(alice, { level: 'write' });
    await login(newer, 'alice', secret);
    expect(kept(newer)?.identitytoken).not.toBe(secret);
    await push(newer, name);
    await registry.api(alice, 'DELETE', `tokens/${id}`);
    expect((await newer.push(name)).code).toBe(1);
    expect((await newer.pull(name)).code).toBe(1);
  });

  test('with a password ends when the password is changed', async () => {
    const dave = await registry.signUp('dave');
    const name = `${registry.host}/dave/app:1`;
    await login(older, 'dave', dave.password);
    await push(older, name);
    const password = 'another password';
    await registry.api(registry.administrator, 'PUT', 'users/dave/password', { password });
    expect((await older.push(name)).stderr).toContain('unauthorized');
    expect((await older.login(registry.host, 'dave', dave.password)).code).toBe(1);
    await login(older, 'dave', password);
    await push(older, name);
  });

  test('counts for the name of the host that it was made for, by whichever of them the registry is called', async () => {
    const host = `localhost:${registry.port}`;
    await login(older, 'alice', alice.password);
    await older.logout(host);
    expect((await older.push(`${host}/alice/named:1`)).code).toBe(1);
    await login(older, 'alice', alice.password, host);
    await push(older, `${host}/alice/named:1`);
    await pull(older, `${registry.host}/alice/named:1`);
    await pull(older, `${host}/alice/named:1`);
    expect(await older.run(`${host}/alice/named:1`)).toBe(older.image.prints);
    await older.logout(host);
  });

  test('lets docker build take a private image as its base, with the legacy builder and with BuildKit', async () => {
    const base = `${registry.host}/alice/base:1`;
    await login(older, 'alice', alice.password);
    await push(older, base);
    const nobody = await dockerBuild(newer, base, '1');
    expect(nobody.code).not.toBe(0);
    for (const [client, buildkit] of [
      [older, '0'],
      [newer, '1'],
    ] as const) {
      await login(client, 'alice', alice.password);
      const { code, stderr } = await dockerBuild(client, base, buildkit);
      expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
      await client.engine.docker(['push', `${registry.host}/alice/built:${buildkit}`]);
    }
  });

  function dockerBuild(client: DockerClient, base: string, buildkit: '0' | '1') {
    const context = mkdtempSync(join(client.engine.root, 'build-'));
    writeFileSync(join(context, 'Dockerfile'), `FROM ${base}\nLABEL made=yes\n`);
    const name = `${registry.host}/alice/built:${buildkit}`;
    return client.engine.tryDocker(['build', '--pull', '--tag', name, context], { env: { DOCKER_BUILDKIT: buildkit } });
  }

  test('lets docker manifest and buildx imagetools read and write what the account may', async () => {
    const name = `${registry.host}/alice/tools:1`;
    await login(newer, 'alice', alice.password);
    await push(newer, name);
    expect(await newer.engine.docker(['manifest', 'inspect', '--insecure', name])).toContain('schemaVersion');
    await newer.engine.docker(['buildx', 'imagetools', 'create', '--tag', `${registry.host}/alice/copied:1`, name]);
    expect(await newer.engine.docker(['buildx', 'imagetools', 'inspect', name])).toContain('Digest');
    await login(newer, 'bob', bob.password);
    expect((await newer.engine.tryDocker(['manifest', 'inspect', '--insecure', name])).code).toBe(1);
    expect((await newer.engine.tryDocker(['buildx', 'imagetools', 'inspect', name])).code).toBe(1);
  });

  for (const [title, options] of [
    ['20.10', {}],
    ["26.1 with containerd's store", containerdStore],
  ] as const) {
    test(`of ${title} gets a token for two repositories: the layers of a readable one are mounted, of another sent`, async () => {
      const source = `alice/source-${title.slice(0, 2)}`;
      await login(older, 'alice', alice.password);
      await push(older, `${registry.host}/${source}:1`);
      await registry.grant(alice, source, 'bob', 'read');
      // An engine that knows the layer from nowhere else.
      const client = await dockerClient(options);
      try {
        await login(client, 'bob', bob.password);
        await client.engine.docker(['pull', `${registry.host}/${source}:1`]);
        const pushAs = async (repository: string) => {
          await client.engine.docker(['tag', `${registry.host}/${source}:1`, `${registry.host}/${repository}:1`]);
          return client.engine.docker(['push', `${registry.host}/${repository}:1`]);
        };
        expect(await pushAs(`bob/${title.slice(0, 2)}`)).toContain(`: Mounted from ${source}`);
        // She may read neither of the two that the engine knows to have it.
        await login(client, 'carol', carol.password);
        const sent = await pushAs(`carol/${title.slice(0, 2)}`);
        expect([sent.includes(': Pushed'), sent.includes('Mounted')]).toEqual([true, false]);
        await pull(client, `${registry.host}/carol/${title.slice(0, 2)}:1`);
      } finally {
        await client.stop();
      }
    });
  }
});
