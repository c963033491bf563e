// Real container engines for tests: a dockerd or a containerd of its own, with its own root, socket and pid file.
// They use no network but the host's loopback (containers run with `--network none`), so they need no bridge, change
// no firewall rule, and any number of them can run beside each other and beside the host's own engine.
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { findTool, newerTools, type Ran, type RunOptions, run, tryRun } from './tools.ts';

/** What `install-tools.sh` unpacks aside: Docker Engine 26.1 and containerd 1.7. */
export const newerEngine = [join(newerTools, 'usr/sbin/dockerd'), join(newerTools, 'usr/bin/docker')];

export interface EngineOptions {
  /** `debian`: the installed docker.io (20.10 on Debian 12). `newer`: the one unpacked aside. */
  release?: 'debian' | 'newer';
  /** Keeps images in containerd's store, which pushes and pulls through containerd's code. `newer` alone can. */
  containerdStore?: boolean;
  /** More for its environment. */
  env?: Record<string, string>;
}

export interface Engine {
  /** The value for DOCKER_HOST. */
  socket: string;
  pid: number;
  root: string;
  /** The environment in which its own client, plug-ins and nothing of the user's configuration are found. */
  env: Record<string, string>;
  /** Runs `docker ARGS` against it; throws when that fails. Returns stdout, trimmed. */
  docker: (args: string[], options?: RunOptions) => Promise<string>;
  tryDocker: (args: string[], options?: RunOptions) => Promise<Ran>;
  /** What the engine has logged. */
  log: () => string;
  stop: () => Promise<void>;
}

export async function startEngine(options: EngineOptions = {}): Promise<Engine> {
  const root = mkdtempSync(join(tmpdir(), 'berth-engine-'));
  try {
    return await startEngineIn(root, options, 'overlay2');
  } catch (error) {
    await removeTree(root);
    // overlay2 cannot stand on an overlay file system, as in a container without a volume for its temporary files.
    if (!String(error).includes('driver not supported') && !String(error).includes('graphdriver')) throw error;
    console.error('overlay2 does not work under the temporary directory; the engine copies layers instead (vfs)');
    mkdirSync(root);
    return await startEngineIn(root, options, 'vfs');
  }
}

async function startEngineIn(root: string, options: EngineOptions, driver: 'overlay2' | 'vfs'): Promise<Engine> {
  const newer = options.release === 'newer';
  const bin = newer ? [join(newerTools, 'usr/sbin'), join(newerTools, 'usr/bin')] : [];
  const path = [...bin, process.env.PATH ?? '', '/usr/sbin', '/sbin'].join(delimiter);
  const config = join(root, 'client');
  mkdirSync(config);
  const socket = `unix://${root}/docker.sock`;
  const env = { DOCKER_HOST: socket, DOCKER_CONFIG: config, DOCKER_CLI_HINTS: 'false', PATH: path };
  const client = newer ? join(newerTools, 'usr/bin/docker') : debianClient();
  const settings = join(root, 'daemon.json');
  const features = options.containerdStore
    ? { features: { 'containerd-snapshotter': true } }
    : { 'storage-driver': driver };
  writeFileSync(settings, JSON.stringify(features));
  const daemon = await startDaemon({
    root,
    command: [
      newer ? join(newerTools, 'usr/sbin/dockerd') : 'dockerd',
      '--config-file',
      settings,
      '--data-root',
      join(root, 'data'),
      '--exec-root',
      join(root, 'exec'),
      '--pidfile',
      join(root, 'engine.pid'),
      '--host',
      socket,
      '--bridge=none',
      '--iptables=false',
      '--ip6tables=false',
    ],
    env: { PATH: path, ...options.env },
    ready: async () => (await tryRun([client, 'version'], { env, within: 10_000 })).code === 0,
  });
  return {
    socket,
    pid: daemon.pid,
    root,
    env,
    docker: (args, more) => run([client, ...args], { ...more, env: { ...env, ...more?.env } }),
    tryDocker: (args, more) => tryRun([client, ...args], { ...more, env: { ...env, ...more?.env } }),
    log: daemon.log,
    stop: daemon.stop,
  };
}

/** The client of the docker.io package: a `docker` before it in PATH may be of any version. */
function debianClient(): string {
  return existsSync('/usr/bin/docker') ? '/usr/bin/docker' : (findTool('docker') ?? 'docker');
}

export interface Containerd {
  address: string;
  pid: number;
  /** Runs `ctr ARGS` against it in the namespace `test`; throws when that fails. */
  ctr: (args: string[], options?: RunOptions) => Promise<string>;
  tryCtr: (args: string[], options?: RunOptions) => Promise<Ran>;
  /** Imports the image of this digest from an OCI layout, with all its platforms, and names it. */
  load: (layout: string, digest: string, name: string) => Promise<void>;
  log: () => string;
  stop: () => Promise<void>;
}

export async function startContainerd(): Promise<Containerd> {
  const root = mkdtempSync(join(tmpdir(), 'berth-containerd-'));
  const address = join(root, 'containerd.sock');
  const config = join(root, 'config.toml');
  writeFileSync(
    config,
    [
      'version = 2',
      `root = "${join(root, 'root')}"`,
      `state = "${join(root, 'state')}"`,
      // Off: the Kubernetes plug-in sets up its own networks, and the device mapper one logs an error.
      'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.devmapper"]',
      '[grpc]',
      `  address = "${address}"`,
      '[plugins."io.containerd.internal.v1.opt"]',
      `  path = "${join(root, 'opt')}"`,
      '',
    ].join('\n'),
  );
  const ctr = ['ctr', '--address', address, '--namespace', 'test'];
  try {
    const daemon = await startDaemon({
      root,
      command: ['containerd', '--config', config],
      env: {},
      ready: async () => (await tryRun(['ctr', '--address', address, 'version'], { within: 10_000 })).code === 0,
    });
    return {
      address,
      pid: daemon.pid,
      ctr: (args, options) => run([...ctr, ...args], options),
      tryCtr: (args, options) => tryRun([...ctr, ...args], options),
      async load(layout, digest, name) {
        const archive = join(root, 'import.tar');
        await run(['tar', '-C', layout, '-cf', archive, '.']);
        await run([...ctr, 'images', 'import', '--all-platforms', '--digests', '--base-name', 'imported', archive]);
        rmSync(archive);
        await run([...ctr, 'images', 'tag', '--force', `imported@${digest}`, name]);
      },
      log: daemon.log,
      stop: daemon.stop,
    };
  } catch (error) {
    await removeTree(root);
    throw error;
  }
}

export interface DaemonOptions {
  /** Removed, with every mount below it, by `stop`. */
  root: string;
  command: string[];
  env: Record<string, string>;
  ready: () => Promise<boolean>;
}

export interface Daemon {
  pid: number;
  log: () => string;
  /** SIGTERM (or another signal), then SIGKILL to it and all it started; keeps `root`. */
  end: (signal?: 'SIGTERM' | 'SIGKILL') => Promise<void>;
  stop: () => Promise<void>;
}

/** Starts a program that serves until it is ended; throws with its log when it ends first or is not ready in a minute. */
export async function startDaemon({ root, command, env, ready }: DaemonOptions): Promise<Daemon> {
  const logFile = join(root, 'log');
  const descriptor = openSync(logFile, 'a');
  // The kernel ends it when the test process dies, however that happens.
  const child = Bun.spawn(['setpriv', '--pdeathsig', 'TERM', ...command], {
    env: { ...process.env, ...env },
    stdin: 'ignore',
    stdout: descriptor,
    stderr: descriptor,
  });
  closeSync(descriptor);
  let ended = false;
  void child.exited.then(() => {
    ended = true;
  });
  const log = () => readFileSync(logFile, 'utf8');
  const end = async (signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM') => {
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
    await child.exited;
    clearTimeout(timer);
    await endOrphans(root);
  };
  const deadline = Date.now() + 60_000;
  while (!ended && Date.now() < deadline) {
    if (await ready()) {
      return {
        pid: child.pid,
        log,
        end,
        async stop() {
          await end();
          await removeTree(root);
        },
      };
    }
    await Bun.sleep(100);
  }
  await end();
  throw new Error(`${command[0]} did not get ready:\n${log()}`);
}

/** Ends what a daemon left behind (its containerd after SIGKILL, shims): whatever was started with `root` in its arguments. */
async function endOrphans(root: string): Promise<void> {
  const { stdout } = await tryRun(['ps', '-eo', 'pid=,args=', '-ww']);
  for (const line of stdout.split('\n')) {
    const [, pid, args] = /^\s*(\d+) (.*)$/.exec(line) ?? [];
    if (pid === undefined || !args?.includes(`${root}/`)) continue;
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // ended by itself in the meantime
    }
  }
}

/** Removes a directory and lets go of everything mounted below it first. */
export async function removeTree(root: string): Promise<void> {
  const mounted = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((point) => point.startsWith(`${root}/`))
    .reverse();
  for (const point of mounted) await tryRun(['umount', '--lazy', point]);
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
}
