// A server as a deployment meets it: a dockerd in a network namespace of its own, with bridge networks, published ports and
// an address that the host reaches. Any number run beside each other; none touches the host's own rules or engine.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type Daemon, removeTree, startDaemon } from './engine.ts';
import { isAlive } from './processes.ts';
import { findTool, newerTools, type Ran, type RunOptions, run, tryRun } from './tools.ts';

/** What `startServerEngine` needs, for `requireTools`. */
export const serverEngineTools = [
  'root',
  'ip',
  'nsenter',
  'iptables',
  join(newerTools, 'usr/sbin/dockerd'),
  join(newerTools, 'usr/bin/docker'),
];

export interface ServerEngineOptions {
  /** For people: part of the directory's name. */
  name?: string;
  /** Registries that it may ask over plain HTTP, as in `insecure-registries`: `HOST:PORT` or a network. */
  insecure?: string[];
  /** `newer` (Docker Engine 26.1) unless told. */
  release?: 'debian' | 'newer';
  /** A directory on a file system of the test's own, as for a disk that fills; without it below the temporary directory. */
  dataRoot?: string;
}

export interface ServerEngine {
  name: string;
  /** Where the host reaches its published ports. */
  address: string;
  /** The host's end of the wire: where programs in the namespace reach what listens on all of the host's addresses. */
  hostAddress: string;
  /** The value for DOCKER_HOST. */
  socket: string;
  root: string;
  /** In it `docker` and `docker compose` are found and speak to this engine, with no configuration of the user's. */
  env: Record<string, string>;
  /** Before a command: runs it inside the namespace. */
  nsenter: string[];
  /** Runs `docker ARGS` inside the namespace; throws when that fails. Returns stdout, trimmed. */
  docker: (args: string[], options?: RunOptions) => Promise<string>;
  tryDocker: (args: string[], options?: RunOptions) => Promise<Ran>;
  log: () => string;
  /** SIGKILL to dockerd and all it started, containers too, as when the power fails. */
  crash: () => Promise<void>;
  /** Starts it anew on the same directories, after `crash`. */
  start: () => Promise<void>;
  /** `crash`, then `start`. */
  restart: () => Promise<void>;
  /** Pulls the plug: no packet passes between it and the host. */
  block: () => Promise<void>;
  unblock: () => Promise<void>;
  stop: () => Promise<void>;
}

/** Every address that tests make is in it. Docker's own pools lie elsewhere. */
export const TEST_NETWORK = '10.77.0.0/16';

export async function startServerEngine(options: ServerEngineOptions = {}): Promise<ServerEngine> {
  try {
    return await startWith(options, 'overlay2');
  } catch (error) {
    // overlay2 cannot stand on an overlay file system, as in a container without a volume for its temporary files.
    if (!String(error).includes('driver not supported') && !String(error).includes('graphdriver')) throw error;
    console.error('overlay2 does not work under the temporary directory; the engine copies layers instead (vfs)');
    return await startWith(options, 'vfs');
  }
}

async function startWith(options: ServerEngineOptions, driver: 'overlay2' | 'vfs'): Promise<ServerEngine> {
  await sweepNamespaces();
  const name = options.name ?? 'server';
  const root = mkdtempSync(join(tmpdir(), `berth-${name}-`));
  const namespace = `berth-${process.pid}-${crypto.randomUUID().slice(0, 6)}`;
  const device = `bth${crypto.randomUUID().slice(0, 8)}`;
  const nsenter = ['nsenter', `--net=/run/netns/${namespace}`, '--'];
  let daemon: Daemon | undefined;
  let unblock = () => Promise.resolve();
  const stop = async () => {
    await unblock();
    if (daemon !== undefined) await removeContainers();
    await daemon?.end();
    daemon = undefined;
    await tryRun(['ip', 'link', 'delete', device]);
    await tryRun(['ip', 'netns', 'delete', namespace]);
    if (options.dataRoot !== undefined) await removeTree(options.dataRoot);
    await removeTree(root);
  };
  const programs = findPrograms(root, options.release ?? 'newer');
  const socket = `unix://${root}/docker.sock`;
  const config = join(root, 'client');
  mkdirSync(config);
  const env = { DOCKER_HOST: socket, DOCKER_CONFIG: config, DOCKER_CLI_HINTS: 'false', PATH: programs.path };
  const client = [...nsenter, programs.client];
  const docker = (args: string[], more?: RunOptions) =>
    run([...client, ...args], { ...more, env: { ...env, ...more?.env } });
  const tryDocker = (args: string[], more?: RunOptions) =>
    tryRun([...client, ...args], { ...more, env: { ...env, ...more?.env } });
  /** Theirs are processes, mounts and virtual wires that dockerd would leave behind. */
  const removeContainers = async () => {
    const { stdout } = await tryDocker(['ps', '--all', '--quiet'], { within: 20_000 });
    const ids = stdout.split('\n').filter(Boolean);
    if (ids.length > 0) await tryDocker(['rm', '--force', '--volumes', ...ids], { within: 60_000 });
  };
  const settings = join(root, 'daemon.json');
  const start = async () => {
    daemon = await startDaemon({
      root,
      command: [
        ...nsenter,
        programs.dockerd,
        '--config-file',
        settings,
        '--data-root',
        options.dataRoot ?? join(root, 'data'),
        '--exec-root',
        join(root, 'exec'),
        '--pidfile',
        join(root, 'engine.pid'),
        '--host',
        socket,
        '--ip6tables=false',
        '--shutdown-timeout=3',
      ],
      env: { PATH: programs.path },
      ready: async () => (await tryDocker(['version'], { within: 10_000 })).code === 0,
    });
  };
  const crash = async () => {
    const { stdout } = await tryDocker(['ps', '--quiet'], { within: 20_000 });
    const ids = stdout.split('\n').filter(Boolean);
    const shown = ids.length === 0 ? '' : (await tryDocker(['inspect', '--format', '{{.State.Pid}}', ...ids])).stdout;
    await daemon?.end('SIGKILL');
    daemon = undefined;
    // The first process of each container; the kernel ends the others with it.
    for (const pid of shown
      .split('\n')
      .map(Number)
      .filter((number) => number > 1))
      endProcess(pid);
    // After a power failure /run is empty; a process of this number may still wait to be reaped here.
    for (const file of ['engine.pid', 'exec/containerd/containerd.pid']) rmSync(join(root, file), { force: true });
  };
  try {
    const wire = await layWire(namespace, device);
    writeFileSync(
      settings,
      JSON.stringify({
        'storage-driver': driver,
        'insecure-registries': options.insecure ?? [TEST_NETWORK],
        // Nothing answers there: a name that no container has is unknown at once, and no question leaves the host.
        dns: [wire.hostAddress],
      }),
    );
    unblock = async () => {
      await tryRun(['ip', 'route', 'delete', 'unreachable', `${wire.address}/32`]);
      await tryRun(['ip', 'link', 'set', device, 'up']);
    };
    await start();
    return {
      name,
      address: wire.address,
      hostAddress: wire.hostAddress,
      socket,
      root,
      env,
      nsenter,
      docker,
      tryDocker,
      log: () => daemon?.log() ?? '',
      crash,
      start,
      async restart() {
        await crash();
        await start();
      },
      async block() {
        await run(['ip', 'link', 'set', device, 'down']);
        // Or the host would ask its own gateway for the address.
        await run(['ip', 'route', 'replace', 'unreachable', `${wire.address}/32`]);
      },
      unblock,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Wire {
  hostAddress: string;
  address: string;
}

/** Makes the namespace and a wire to it, whose end on the host is `device`: a /30 of TEST_NETWORK that nobody on this host has. */
async function layWire(namespace: string, device: string): Promise<Wire> {
  const [hostAddress, address] = await freeAddresses();
  await run(['ip', 'netns', 'add', namespace]);
  await run(['ip', 'link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace]);
  await run(['ip', 'addr', 'add', `${hostAddress}/30`, 'dev', device]);
  await run(['ip', 'link', 'set', device, 'up']);
  const inside = ['ip', '-n', namespace];
  await run([...inside, 'addr', 'add', `${address}/30`, 'dev', 'eth0']);
  await run([...inside, 'link', 'set', 'lo', 'up']);
  await run([...inside, 'link', 'set', 'eth0', 'up']);
  await run([...inside, 'route', 'add', 'default', 'via', hostAddress]);
  return { hostAddress, address };
}

/** The two usable addresses of a random /30 of TEST_NETWORK in which this host has none. */
export async function freeAddresses(): Promise<[string, string]> {
  const taken = await run(['ip', '-4', '-o', 'addr', 'show']);
  for (let tries = 0; tries < 100; tries++) {
    const [third = 0, fourth = 0] = crypto.getRandomValues(new Uint8Array(2));
    const at = (offset: number) => `10.77.${third}.${(fourth & 0xfc) + offset}`;
    if (![0, 1, 2, 3].some((offset) => taken.includes(` ${at(offset)}/`))) return [at(1), at(2)];
  }
  throw new Error(`no free addresses in ${TEST_NETWORK}`);
}

/** Removes the namespaces of test runs that were killed; a wire goes with its namespace. */
async function sweepNamespaces(): Promise<void> {
  if (!existsSync('/run/netns')) return;
  for (const namespace of readdirSync('/run/netns')) {
    const pid = /^berth-(\d+)-[0-9a-f]{6}$/.exec(namespace)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) await tryRun(['ip', 'netns', 'delete', namespace]);
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ended by itself in the meantime
  }
}

/** dockerd runs the first `iptables` in PATH: the legacy one asks least of the kernel. */
function findPrograms(root: string, release: 'debian' | 'newer'): { path: string; dockerd: string; client: string } {
  const bin = join(root, 'bin');
  mkdirSync(bin);
  for (const program of ['iptables', 'iptables-save', 'iptables-restore', 'ip6tables']) {
    const found = findTool(program.replace('tables', 'tables-legacy')) ?? findTool(program);
    if (found !== undefined) symlinkSync(found, join(bin, program));
  }
  const folders =
    release === 'newer' ? [join(newerTools, 'usr/sbin'), join(newerTools, 'usr/bin')] : ['/usr/sbin', '/usr/bin'];
  const path = [bin, ...folders, process.env.PATH ?? '', '/usr/sbin', '/sbin'].join(delimiter);
  const program = (name: string) => Bun.which(name, { PATH: path }) ?? name;
  return { path, dockerd: program('dockerd'), client: program('docker') };
}
