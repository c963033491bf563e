// Starts and ends the servers that are compared: Berth, Debian's docker-registry, nginx.
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../tests/support/ports.ts';
import type { Bench } from './bench.ts';
import { endTree } from './processes.ts';

export interface Server {
  /** `http://127.0.0.1:PORT` */
  url: string;
  /** `127.0.0.1:PORT`, as clients name a registry. */
  host: string;
  /** The first process; what it forked are its descendants. */
  pid: number;
  /** From the spawn to the first 200 for `firstRequest`, in ms. */
  startedIn: number;
}

export interface ServerOptions {
  data: string;
  /** Flags after `berth serve`; other servers take none. */
  args?: string[];
  /** The path whose 200 means "started". */
  firstRequest?: string;
}

export type Contender = 'docker-registry' | 'berth';
export const contenders: readonly Contender[] = ['docker-registry', 'berth'];

/** Starts a registry on `data`, hands it to `use`, and ends it whatever happens. */
export function withRegistry<T>(
  bench: Bench,
  contender: Contender,
  options: ServerOptions,
  use: (server: Server) => Promise<T>,
): Promise<T> {
  return contender === 'berth' ? withBerth(bench, options, use) : withDockerRegistry(bench, options, use);
}

export async function withBerth<T>(
  bench: Bench,
  options: ServerOptions,
  use: (server: Server) => Promise<T>,
): Promise<T> {
  const port = await freePort();
  const command = [bench.berth, 'serve', '--port', String(port), '--host', '127.0.0.1'];
  command.push('--data', options.data, '--anonymous', 'push', ...(options.args ?? []));
  return withProcess(bench, command, port, options, use);
}

/**
 * The configuration that Debian ships (/etc/docker/registry/config.yml) with three changes: the address, the directory,
 * and no htpasswd, because this bench speaks without credentials to both sides.
 */
async function withDockerRegistry<T>(
  bench: Bench,
  options: ServerOptions,
  use: (server: Server) => Promise<T>,
): Promise<T> {
  const port = await freePort();
  const config = join(options.data, 'config.yml');
  const log = bench.registryLog
    ? 'log: {fields: {service: registry}}'
    : 'log: {level: error, accesslog: {disabled: true}}';
  writeFileSync(
    config,
    `version: 0.1
${log}
storage:
  cache: {blobdescriptor: inmemory}
  filesystem: {rootdirectory: ${registryRoot(options.data)}}
  delete: {enabled: true}
http:
  addr: 127.0.0.1:${port}
  headers: {X-Content-Type-Options: [nosniff]}
health:
  storagedriver: {enabled: true, interval: 10s, threshold: 3}
`,
  );
  return withProcess(bench, ['docker-registry', 'serve', config], port, options, use);
}

/** Where docker-registry keeps its files, under a data directory given to `withRegistry`. */
export function registryRoot(data: string): string {
  return join(data, 'storage');
}

/** nginx, one worker a core, sendfile on, no access log: the most a file server on this machine can be asked for. */
export async function withNginx<T>(
  bench: Bench,
  options: { data: string; files: string },
  use: (server: Server) => Promise<T>,
): Promise<T> {
  const port = await freePort();
  const config = join(options.data, 'nginx.conf');
  mkdirSync(join(options.data, 'temp'), { recursive: true });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `  ${kind}_temp_path ${join(options.data, 'temp', kind)};`)
    .join('\n');
  // The worker must be able to read files that this user made.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  writeFileSync(
    config,
    `${user}
worker_processes auto;
daemon off;
pid ${join(options.data, 'nginx.pid')};
error_log stderr warn;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  default_type application/octet-stream;
${temporary}
  server { listen 127.0.0.1:${port}; location = /ready { return 200; } location / { root ${options.files}; } }
}
`,
  );
  const command = ['nginx', '-p', options.data, '-c', config];
  return withProcess(bench, command, port, { data: options.data, firstRequest: '/ready' }, use);
}

async function withProcess<T>(
  bench: Bench,
  command: string[],
  port: number,
  options: ServerOptions,
  use: (server: Server) => Promise<T>,
): Promise<T> {
  const logPath = join(bench.directory('log'), 'output.log');
  const log = openSync(logPath, 'w');
  const started = performance.now();
  const child = Bun.spawn(command, {
    env: { ...process.env, NO_COLOR: '1' },
    stdin: 'ignore',
    stdout: log,
    stderr: log,
  });
  try {
    const url = `http://127.0.0.1:${port}`;
    const startedIn = await firstAnswer(child, `${url}${options.firstRequest ?? '/v2/'}`, started);
    return await use({ url, host: `127.0.0.1:${port}`, pid: child.pid, startedIn });
  } catch (error) {
    const tail = readFileSync(logPath, 'utf8').slice(-2000);
    throw new Error(`${String(error)}\n${command.join(' ')} wrote:\n${tail}`, { cause: error });
  } finally {
    await endTree(child, 20_000);
    closeSync(log);
  }
}

/** Asks until the answer is 200; returns the ms since `started`. */
async function firstAnswer(child: Bun.Subprocess, url: string, started: number): Promise<number> {
  const deadline = started + 60_000;
  let last = 'no answer';
  while (performance.now() < deadline && child.exitCode === null) {
    try {
      const response = await fetch(url, { headers: { connection: 'close' } });
      const now = performance.now();
      await response.arrayBuffer();
      if (response.status === 200) return now - started;
      last = `status ${response.status}`;
    } catch {
      // not listening yet
    }
    await Bun.sleep(2);
  }
  throw new Error(`no 200 from ${url}: ${last}, exit code ${child.exitCode}`);
}
