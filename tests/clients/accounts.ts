// A registry with accounts, and what a person does with it in each client's words: log in, push, pull, run.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { newToken } from '../../src/api/tokens.ts';
import { berth, startBerth } from '../support/berth.ts';
import { type EngineOptions, startContainerd, startEngine } from '../support/engine.ts';
import { busyboxImage, type TestImage } from '../support/images.ts';
import { type Ran, run, tryRun } from '../support/tools.ts';
import { makeStore, runFlags } from './containers-storage.ts';

export interface Account {
  name: string;
  password: string;
  /** A personal access token of level `admin`, for the API: it costs no password hash. */
  secret: string;
}

export interface AccountsRegistry {
  /** `127.0.0.1:PORT`, as clients name a registry. */
  host: string;
  /** `http://127.0.0.1:PORT` */
  url: string;
  port: number;
  /** The data directory. */
  data: string;
  administrator: Account;
  signUp: (name: string) => Promise<Account>;
  /** Calls the API; throws for any answer but 2xx. Returns the body, undefined for none. */
  api: (account: Account, method: string, path: string, body?: object) => Promise<unknown>;
  makeToken: (account: Account, token: TokenWanted) => Promise<{ id: string; secret: string }>;
  /** A robot that writes to all of a namespace. Returns a token of it. */
  makeRobot: (account: Account, namespace: string, name: string) => Promise<string>;
  createRepository: (account: Account, name: string, visibility: 'public' | 'private') => Promise<void>;
  visibility: (account: Account, name: string) => Promise<'public' | 'private'>;
  tags: (account: Account, name: string) => Promise<string[]>;
  /** Gives a user a role in a repository. */
  grant: (account: Account, name: string, user: string, role: 'read' | 'write') => Promise<void>;
  /** `berth_password_hashes_total`: how many passwords were hashed so far. */
  hashes: () => Promise<number>;
  /**
   * Ends it.
   *
   * @throws when it answered any request with a 5xx, did not end well, `berth verify` finds a blob that is wrong, or a
   *   password or token that was given out here stands in its log
   */
  stop: () => Promise<void>;
}

const tagList = z.object({ tags: z.array(z.string()) });
const repositoryShown = z.object({ visibility: z.enum(['public', 'private']) });

export interface TokenWanted {
  level: 'read' | 'write' | 'delete' | 'admin';
  repository?: string;
}

/** With what has to be escaped somewhere: in Basic, in a form, in JSON, in a shell. */
const passwordOf = (name: string) => `the pässword+of&${name} %41"$`;

/** Access tokens, bearer tokens, Basic. */
const SECRETS = /berth_(pat|robot|login)_\w{32}|eyJ[\w-]{20}|Basic \w{8}/;

export async function startAccounts(): Promise<AccountsRegistry> {
  const data = mkdtempSync(join(tmpdir(), 'berth-accounts-'));
  const administrator = { name: 'root2', password: passwordOf('root2'), secret: '' };
  const setup = ['setup', '--data', data, '--username', administrator.name, '--password-stdin'];
  const made = await berth(setup, { stdin: `${administrator.password}\n` });
  if (made.code !== 0) throw new Error(`berth setup: ${made.stdout}${made.stderr}`);
  const flags = ['--anonymous', 'none', '--sign-up', 'open', '--workers', '2', '--log-level', 'debug'];
  const server = await startBerth({ data, args: flags });
  const secrets = new Set([administrator.password]);

  const call = async (authorization: string | undefined, method: string, path: string, body?: object) => {
    const response = await fetch(`${server.url}/api/v1/${path}`, {
      method,
      headers: {
        ...(authorization === undefined ? {} : { Authorization: authorization }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    const answer: unknown = text === '' ? undefined : JSON.parse(text);
    return answer;
  };
  const makeToken = async (authorization: string, wanted: TokenWanted, path = 'tokens') => {
    const body = { name: 'made by a test', ...wanted };
    const { token, secret } = newToken.parse(await call(authorization, 'POST', path, body));
    secrets.add(secret);
    return { id: token.id, secret };
  };
  /** Trades a password for a token, once. */
  const withToken = async ({ name, password }: Omit<Account, 'secret'>): Promise<Account> => {
    const basic = `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
    return { name, password, secret: (await makeToken(basic, { level: 'admin' })).secret };
  };
  const bearer = ({ secret }: Account) => `Bearer ${secret}`;

  return {
    host: server.host,
    url: server.url,
    port: server.port,
    data,
    administrator: await withToken(administrator),
    async signUp(name) {
      const account = { name, password: passwordOf(name) };
      secrets.add(account.password);
      await call(undefined, 'POST', 'sign-up', { username: name, password: account.password });
      return withToken(account);
    },
    api: (account, method, path, body) => call(bearer(account), method, path, body),
    makeToken: (account, wanted) => makeToken(bearer(account), wanted),
    async makeRobot(account, namespace, name) {
      const robots = `namespaces/${namespace}/robots`;
      await call(bearer(account), 'POST', robots, { name, role: 'write' });
      return (await makeToken(bearer(account), { level: 'write' }, `${robots}/${name}/tokens`)).secret;
    },
    async createRepository(account, name, visibility) {
      await call(bearer(account), 'POST', 'repositories', { name, visibility });
    },
    async visibility(account, name) {
      return repositoryShown.parse(await call(bearer(account), 'GET', `repositories/${name}`)).visibility;
    },
    async tags(account, name) {
      const headers = { Authorization: bearer(account) };
      const response = await fetch(`${server.url}/v2/${name}/tags/list`, { headers });
      return tagList.parse(await response.json()).tags;
    },
    async grant(account, name, user, role) {
      await call(bearer(account), 'PUT', `repositories/${name}/grants`, { user, role });
    },
    async hashes() {
      const text = await (await fetch(`${server.url}/metrics`)).text();
      return Number(/^berth_password_hashes_total(?:\{[^}]*\})? (\d+)$/m.exec(text)?.[1] ?? Number.NaN);
    },
    async stop() {
      const verified = await berth(['verify', '--data', data]);
      const code = await server.stop();
      rmSync(data, { recursive: true, force: true });
      const output = server.output();
      const failed = output.split('\n').filter((line) => /"status":5\d\d|"level":"(error|fatal)"/.test(line));
      const told = [...secrets].filter((secret) => output.includes(secret));
      if (failed.length > 0) throw new Error(`the server failed:\n${failed.slice(0, 20).join('\n')}`);
      if (told.length > 0 || SECRETS.test(output)) throw new Error('a secret stands in the log');
      if (verified.code !== 0) throw new Error(`berth verify: ${verified.stdout}${verified.stderr}`);
      if (code !== 0) throw new Error(`berth serve ended with code ${code}:\n${output.slice(-4000)}`);
    },
  };
}

/** A client with an empty store and no log-ins. Names are whole: `HOST:PORT/alice/app:1`. */
export interface RegistryClient {
  /** What it pushes: busybox. */
  image: TestImage;
  login: (host: string, username: string, secret: string) => Promise<Ran>;
  logout: (host: string) => Promise<Ran>;
  /** Gives the image that name and pushes it. */
  push: (name: string) => Promise<Ran>;
  /** Forgets every image, then pulls. */
  pull: (name: string) => Promise<Ran>;
  /** Runs what was pulled and returns what it prints. */
  run: (name: string) => Promise<string>;
  stop: () => Promise<void>;
}

/** The first of these that fails, or the last. */
async function inOrder(...steps: (() => Promise<Ran>)[]): Promise<Ran> {
  let last: Ran = { code: 0, stdout: '', stderr: '' };
  for (const step of steps) {
    last = await step();
    if (last.code !== 0) break;
  }
  return last;
}

export interface DockerClient extends RegistryClient {
  engine: Awaited<ReturnType<typeof startEngine>>;
}

export async function dockerClient(options: EngineOptions = {}): Promise<DockerClient> {
  const image = await busyboxImage();
  const engine = await startEngine(options);
  const docker = engine.tryDocker;
  const archive = join(engine.root, 'image.tar');
  await run(['skopeo', 'copy', image.source, `docker-archive:${archive}:loaded:1`]);
  return {
    image,
    engine,
    login: (host, username, secret) =>
      docker(['login', '--username', username, '--password-stdin', host], { stdin: secret }),
    logout: (host) => docker(['logout', host]),
    push: (name) =>
      inOrder(
        () => docker(['load', '--quiet', '--input', archive]),
        () => docker(['tag', 'loaded:1', name]),
        () => docker(['push', name]),
      ),
    async pull(name) {
      const images = await engine.docker(['image', 'ls', '--format', '{{.Repository}}:{{.Tag}}']);
      const known = images.split('\n').filter((one) => one !== '' && !one.endsWith(':<none>'));
      if (known.length > 0) await engine.docker(['image', 'rm', '--force', ...known]);
      return docker(['pull', name]);
    },
    run: (name) => engine.docker(['run', '--rm', '--pull', 'never', '--network', 'none', name]),
    stop: engine.stop,
  };
}

const insecure = '--tls-verify=false';

/** podman and buildah share their options and their store. */
async function storeClient(client: 'podman' | 'buildah'): Promise<RegistryClient> {
  const image = await busyboxImage();
  const store = makeStore();
  const call: typeof store.tryPodman =
    client === 'podman'
      ? store.tryPodman
      : (args, options) =>
          store.buildah(args, options).then(
            (stdout) => ({ code: 0, stdout, stderr: '' }),
            (error: unknown) => ({ code: 1, stdout: '', stderr: String(error) }),
          );
  const authfile = ['--authfile', join(store.work, 'auth.json')];
  return {
    image,
    login: (host, username, secret) =>
      call(['login', ...authfile, insecure, '--username', username, '--password-stdin', host], { stdin: secret }),
    logout: (host) => call(['logout', ...authfile, host]),
    async push(name) {
      const loaded = await call(['pull', '--quiet', image.source]);
      if (loaded.code !== 0) return loaded;
      return call(['push', ...authfile, insecure, loaded.stdout.trim(), `docker://${name}`]);
    },
    pull: (name) =>
      inOrder(
        () => call(['rmi', '--all', '--force']),
        () => call(['pull', ...authfile, insecure, name]),
      ),
    async run(name) {
      if (client === 'podman') return store.podman(['run', ...runFlags, '--pull', 'never', name]);
      const container = await store.buildah(['from', '--quiet', '--pull-never', name]);
      const printed = await store.buildah(['run', '--isolation', 'chroot', container, '--', 'cat', '/platform']);
      await store.buildah(['rm', container]);
      return printed;
    },
    stop: store.remove,
  };
}

export const podmanClient = () => storeClient('podman');
export const buildahClient = () => storeClient('buildah');

/** skopeo runs nothing: what it pulled to an archive, podman loads and runs. */
export async function skopeoClient(): Promise<RegistryClient> {
  const image = await busyboxImage();
  const store = makeStore();
  const authfile = ['--authfile', join(store.work, 'auth.json')];
  const archive = join(store.work, 'pulled.tar');
  const skopeo = (args: string[], stdin?: string) =>
    tryRun(['skopeo', ...args], { env: { HOME: store.work }, ...(stdin === undefined ? {} : { stdin }) });
  return {
    image,
    login: (host, username, secret) =>
      skopeo(['login', ...authfile, insecure, '--username', username, '--password-stdin', host], secret),
    logout: (host) => skopeo(['logout', ...authfile, host]),
    push: (name) => skopeo(['copy', ...authfile, '--dest-tls-verify=false', image.source, `docker://${name}`]),
    pull(name) {
      rmSync(archive, { force: true });
      const destination = `docker-archive:${archive}:pulled:1`;
      return skopeo(['copy', ...authfile, '--src-tls-verify=false', `docker://${name}`, destination]);
    },
    async run() {
      await store.podman(['rmi', '--all', '--force']);
      await store.podman(['load', '--quiet', '--input', archive]);
      return store.podman(['run', ...runFlags, '--pull', 'never', 'pulled:1']);
    },
    stop: store.remove,
  };
}

/** containerd has no log-in: `ctr` is given the name and the secret with each push and pull. */
export async function containerdClient(): Promise<RegistryClient> {
  const image = await busyboxImage();
  const containerd = await startContainerd();
  const { ctr, tryCtr } = containerd;
  const user: string[] = [];
  let containers = 0;
  const nothing: Ran = { code: 0, stdout: '', stderr: '' };
  return {
    image,
    login(_, username, secret) {
      user.splice(0, 2, '--user', `${username}:${secret}`);
      return Promise.resolve(nothing);
    },
    logout() {
      user.length = 0;
      return Promise.resolve(nothing);
    },
    async push(name) {
      await containerd.load(image.path, image.manifest.digest, name);
      return tryCtr(['images', 'push', '--plain-http', ...user, name]);
    },
    async pull(name) {
      const names = (await ctr(['images', 'ls', '--quiet'])).split('\n').filter(Boolean);
      if (names.length > 0) await ctr(['images', 'rm', '--sync', ...names]);
      return tryCtr(['images', 'pull', '--plain-http', ...user, name]);
    },
    run: (name) => ctr(['run', '--rm', name, `walk-${++containers}`]),
    stop: containerd.stop,
  };
}
