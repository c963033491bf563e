// Everything that a team with Berth has, for tests: `berth serve` where servers reach it, people with the command line, a robot
// for CI, and agents on servers.
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newToken } from '../../src/api/tokens.ts';
import { berth, type RunningBerth, startBerth } from './berth.ts';
import { freePort } from './ports.ts';
import { isAlive } from './processes.ts';
import { freeAddresses, type ServerEngine } from './server-engine.ts';
import { type Ran, type RunOptions, run, tryRun } from './tools.ts';

const bin = new URL('../../bin', import.meta.url).pathname;

export interface Person {
  name: string;
  /** A personal access token of level `admin`. */
  secret: string;
  /** Runs `berth ARGS` as them, from a directory of their own, which `folder` is; never throws for its exit code. */
  tryBerth: (args: string[], options?: RunOptions) => Promise<Ran>;
  /** The same; throws with all it said unless it ends with 0. Returns stdout, trimmed. */
  berth: (args: string[], options?: RunOptions) => Promise<string>;
  /** `berth ARGS --output json`, parsed. */
  json: (args: string[], options?: RunOptions) => Promise<unknown>;
  /** Calls the API; throws for any answer but 2xx. `path` is below `/api/v1/`. */
  api: (method: string, path: string, body?: object) => Promise<unknown>;
  folder: string;
  env: Record<string, string>;
}

export interface Team {
  /** `10.77.x.y:PORT`: the registry's name for everyone, on this host and on every server. */
  host: string;
  /** `http://10.77.x.y:PORT` */
  url: string;
  server: () => RunningBerth;
  /** Its administrator. */
  administrator: Person;
  /** A person with an account of that name, logged in. */
  join: (name: string) => Promise<Person>;
  /** A robot's token that writes to all of the person's namespace. */
  robot: (owner: Person, name: string) => Promise<string>;
  /** A person of the command line who holds that token. */
  holder: (name: string, token: string) => Person;
  /** SIGKILL to the server and its workers. */
  killServer: () => Promise<void>;
  /** Starts it again on its data and port, after `killServer`. */
  startServer: () => Promise<void>;
  stop: () => Promise<void>;
}

export interface TeamOptions {
  /** Flags after `berth serve`. */
  args?: string[];
  env?: Record<string, string>;
}

export async function startTeam(options: TeamOptions = {}): Promise<Team> {
  const data = mkdtempSync(join(tmpdir(), 'berth-team-'));
  const homes = mkdtempSync(join(tmpdir(), 'berth-people-'));
  const [address] = await freeAddresses();
  // Every namespace reaches it through its own wire, and it is there whichever of them come and go.
  await sweepAddresses();
  await run(['ip', 'addr', 'add', `${address}/32`, 'dev', 'lo', 'label', `lo:bt${process.pid}`]);
  let server: RunningBerth | undefined;
  const stop = async () => {
    await server?.stop();
    await tryRun(['ip', 'addr', 'del', `${address}/32`, 'dev', 'lo']);
    for (const folder of [data, homes]) rmSync(folder, { recursive: true, force: true });
  };
  const running = () => {
    if (server === undefined) throw new Error('berth serve does not run');
    return server;
  };
  try {
    const port = await freePort();
    const host = `${address}:${port}`;
    const url = `http://${host}`;
    const password = 'correct horse battery staple';
    const setup = ['setup', '--data', data, '--username', 'root2', '--password-stdin'];
    const made = await berth(setup, { stdin: `${password}\n` });
    if (made.code !== 0) throw new Error(`berth setup: ${made.stdout}${made.stderr}`);
    const flags = ['--host', '::', '--anonymous', 'none', '--sign-up', 'open', '--public-url', url, '--workers', '2'];
    const startServer = async () => {
      const args = [...flags, ...(options.args ?? [])];
      server = await startBerth({ data, port, args, ...(options.env === undefined ? {} : { env: options.env }) });
    };
    await startServer();

    const holder = (name: string, secret: string): Person => {
      const folder = join(homes, name);
      mkdirSync(folder, { recursive: true });
      const env = {
        HOME: folder,
        BERTH_CONFIG_HOME: join(folder, 'config'),
        BERTH_SERVER: url,
        BERTH_TOKEN: secret,
        NO_COLOR: '1',
      };
      const tryBerth = (args: string[], more: RunOptions = {}) =>
        tryRun([join(bin, 'berth'), ...args], { cwd: folder, ...more, env: { ...env, ...more.env } });
      const throwing = (args: string[], more: RunOptions = {}) =>
        run([join(bin, 'berth'), ...args], { cwd: folder, ...more, env: { ...env, ...more.env } });
      return {
        name,
        secret,
        folder,
        env,
        tryBerth,
        berth: throwing,
        async json(args, more) {
          const parsed: unknown = JSON.parse(await throwing([...args, '--output', 'json'], more));
          return parsed;
        },
        api: (method, path, body) => call(`${running().url}/api/v1/${path}`, `Bearer ${secret}`, method, body),
      };
    };
    const tokenFor = async (name: string) => {
      const basic = `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
      const body = { name: 'made by a test', level: 'admin' };
      return newToken.parse(await call(`${running().url}/api/v1/tokens`, basic, 'POST', body)).secret;
    };
    return {
      host,
      url,
      server: running,
      administrator: holder('root2', await tokenFor('root2')),
      async join(name) {
        await call(`${running().url}/api/v1/sign-up`, undefined, 'POST', { username: name, password });
        return holder(name, await tokenFor(name));
      },
      async robot(owner, name) {
        const robots = `namespaces/${owner.name}/robots`;
        await owner.api('POST', robots, { name, role: 'write' });
        const body = { name: 'made by a test', level: 'write' };
        return newToken.parse(await owner.api('POST', `${robots}/${name}/tokens`, body)).secret;
      },
      holder,
      killServer: () => running().kill(),
      startServer,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Removes the addresses of test runs that were killed. */
async function sweepAddresses(): Promise<void> {
  const { stdout } = await tryRun(['ip', '-4', '-o', 'addr', 'show', 'dev', 'lo']);
  for (const [, address = '', pid] of stdout.matchAll(/inet (\S+) .*\blo:bt(\d+)\b/g)) {
    if (!isAlive(Number(pid))) await tryRun(['ip', 'addr', 'del', address, 'dev', 'lo']);
  }
}

async function call(url: string, authorization: string | undefined, method: string, body?: object): Promise<unknown> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(authorization === undefined ? {} : { Authorization: authorization }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
  const answer: unknown = text === '' ? undefined : JSON.parse(text);
  return answer;
}

export interface RunningAgent {
  pid: () => number;
  /** The agent's own folder on the server. */
  state: string;
  log: () => string;
  /** SIGKILL to it and to what it started. */
  kill: () => Promise<void>;
  /** Starts it anew with the same state. */
  start: () => void;
  /** SIGTERM; returns its exit code. SIGKILL after 30 s. */
  stop: () => Promise<number>;
}

export interface AgentOptions {
  /** The line that enrolling printed: `berth agent …`. */
  command: string;
  /** More for its environment. */
  env?: Record<string, string>;
}

/** Runs the agent's line on a server as its administrator would: in a shell there, with `berth` and `docker` in PATH. */
export function startAgent(engine: ServerEngine, { command, env }: AgentOptions): RunningAgent {
  const home = mkdtempSync(join(engine.root, 'agent-'));
  const state = join(home, 'state');
  const logFile = join(home, 'log');
  writeFileSync(logFile, '');
  let child: ReturnType<typeof Bun.spawn> | undefined;
  const start = () => {
    const descriptor = openSync(logFile, 'a');
    appendFileSync(logFile, `--- ${command.replace(/berth_\w+/g, '…')}\n`);
    // A session of its own, so that its children end with it.
    child = Bun.spawn(['setpriv', '--pdeathsig', 'KILL', 'setsid', ...engine.nsenter, 'sh', '-c', `exec ${command}`], {
      env: {
        ...process.env,
        ...engine.env,
        PATH: `${bin}:${engine.env.PATH ?? ''}`,
        HOME: home,
        BERTH_AGENT_STATE: state,
        NO_COLOR: '1',
        ...env,
      },
      stdin: 'ignore',
      stdout: descriptor,
      stderr: descriptor,
    });
    closeSync(descriptor);
  };
  const running = () => {
    if (child === undefined) throw new Error('the agent was not started');
    return child;
  };
  const killAll = async () => {
    const { pid } = running();
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      running().kill('SIGKILL');
    }
    await running().exited;
  };
  start();
  return {
    pid: () => running().pid,
    state,
    log: () => readFileSync(logFile, 'utf8'),
    kill: killAll,
    start,
    async stop() {
      running().kill('SIGTERM');
      const timer = setTimeout(() => void killAll(), 30_000);
      const code = await running().exited;
      clearTimeout(timer);
      return code;
    },
  };
}
