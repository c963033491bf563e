// nginx, Apache httpd and Caddy as Debian packs them, each with the file of packaging/proxies in which nothing but the
// addresses and the paths of the certificate is another.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Daemon, startDaemon } from '../support/engine.ts';
import { freePort } from '../support/ports.ts';
import { findTool, run, tryRun } from '../support/tools.ts';
import { type Certificates, makeCertificates } from './certificates.ts';

export const PROXIES = ['nginx', 'apache', 'caddy'] as const;
export type ProxyName = (typeof PROXIES)[number];

export interface RunningProxy extends Certificates {
  /** `10.77.x.y:PORT` */
  host: string;
  /** `https://10.77.x.y:PORT` */
  url: string;
  log: () => string;
  /** As its administrator does after a change of the configuration. */
  reload: () => Promise<void>;
  /** The proxy's processes, of all generations. */
  pids: () => number[];
  /** Bytes in regular files that its processes have open, logs left out; also those without a name. */
  spooled: () => number;
  stop: () => Promise<void>;
}

export interface ProxyOptions {
  /** Where it listens: an address of this host. */
  address: string;
  /** Where Berth is: `127.0.0.1:40001`. */
  upstream: string;
  /** More replacements in the file, each of a text that stands there. */
  replace?: readonly (readonly [string, string])[];
}

const folder = new URL('../../packaging/proxies/', import.meta.url).pathname;

/** The file as it is installed, by proxy; `main` is what the package or the administrator has around it. */
interface Kind {
  file: string;
  /** What stands in the file for the address. */
  listen: string;
  main: (at: (name: string) => string) => string;
  command: (main: string, root: string) => string[];
  reload: (main: string, pid: number) => string[];
}

const nginx: Kind = {
  file: 'nginx.conf',
  listen: 'listen 443',
  main: (at) =>
    [
      'user root;',
      'daemon off;',
      'worker_processes 2;',
      `pid ${at('nginx.pid')};`,
      'events {}',
      'http {',
      'access_log off;',
      ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${at(kind)};`),
      'include site;',
      '}',
    ].join('\n'),
  command: (main, root) => [findTool('nginx') ?? 'nginx', '-p', root, '-c', main, '-e', 'stderr'],
  reload: (_, pid) => ['kill', '-HUP', String(pid)],
};

/** What Debian's package turns on by itself, and what docs/how-to/apache.md has turned on. */
const DEBIAN_MODULES =
  'access_compat alias auth_basic authn_core authn_file authz_core authz_host authz_user autoindex deflate dir env filter mime mpm_event negotiation reqtimeout setenvif status';
const page = readFileSync(new URL('../../docs/how-to/apache.md', import.meta.url), 'utf8');
const chosenModules = (/a2enmod (.*)$/m.exec(page)?.[1] ?? '').split(' ');

const apache: Kind = {
  file: 'apache.conf',
  listen: '*:443',
  main(at) {
    // What a2enmod turns on with them.
    const needed = ['proxy', 'socache_shmcb'];
    const modules = [...DEBIAN_MODULES.split(' '), ...needed, ...chosenModules];
    const available = '/etc/apache2/mods-available';
    const configured = readdirSync(available).filter((file) => file.endsWith('.conf'));
    return [
      `ServerRoot ${at('')}`,
      'ServerName localhost',
      `DefaultRuntimeDir ${at('')}`,
      `PidFile ${at('apache.pid')}`,
      // Its own log is the one that is read when it fails.
      'ErrorLog /proc/self/fd/2',
      'LogLevel warn',
      'User www-data',
      'Group www-data',
      'Timeout 300',
      ...[...new Set(modules)].map((name) => `Include ${available}/${name}.load`),
      ...[...new Set(modules)]
        .filter((name) => configured.includes(`${name}.conf`))
        .map((name) => `Include ${available}/${name}.conf`),
      `Listen ${at('listen')}`,
      `Include ${at('site')}`,
    ].join('\n');
  },
  command: (main) => [findTool('apache2') ?? 'apache2', '-DFOREGROUND', '-f', main],
  reload: (_, pid) => ['kill', '-USR1', String(pid)],
};

const caddy: Kind = {
  file: 'Caddyfile',
  listen: 'registry.example.com {',
  main: (at) =>
    [
      '{',
      `admin unix/${at('admin.sock')}`,
      'auto_https disable_redirects',
      `storage file_system ${at('storage')}`,
      '}',
      'import site',
      '',
    ].join('\n'),
  command: (main) => [findTool('caddy') ?? 'caddy', 'run', '--adapter', 'caddyfile', '--config', main],
  reload: (main) => [findTool('caddy') ?? 'caddy', 'reload', '--force', '--adapter', 'caddyfile', '--config', main],
};

const KINDS: Record<ProxyName, Kind> = { nginx, apache, caddy };

export async function startProxy(name: ProxyName, options: ProxyOptions): Promise<RunningProxy> {
  const kind = KINDS[name];
  const port = await freePort();
  const host = `${options.address}:${port}`;
  const root = mkdtempSync(join(tmpdir(), `berth-${name}-`));
  const at = (file: string) => (file === 'listen' ? host : join(root, file));
  // Apache's children are of another user.
  chmodSync(root, 0o755);
  const temporary = join(root, 'tmp');
  mkdirSync(temporary);
  chmodSync(temporary, 0o1777);
  const certificates = await makeCertificates(root, options.address);
  const listen = { nginx: `listen ${host}`, apache: host, caddy: `https://${host} {` }[name];
  const changes: (readonly [string, string])[] = [
    ['/etc/ssl/registry.example.com.pem', certificates.certificate],
    ['/etc/ssl/registry.example.com.key', certificates.key],
    ['127.0.0.1:5000', options.upstream],
    [kind.listen, listen],
    ...(name === 'caddy' ? [] : ([['registry.example.com', options.address]] as const)),
    ...(options.replace ?? []),
  ];
  let site = readFileSync(join(folder, kind.file), 'utf8');
  for (const [text, other] of changes) {
    if (!site.includes(text)) throw new Error(`packaging/proxies/${kind.file}: has no ${text}`);
    site = site.replaceAll(text, other);
  }
  writeFileSync(join(root, 'site'), site);
  const main = join(root, 'main');
  writeFileSync(main, kind.main(at));
  const probe = ['curl', '--silent', '--output', '/dev/null', '--cacert', certificates.authority, `https://${host}/`];
  const daemon: Daemon = await startDaemon({
    root,
    command: kind.command(main, root),
    env: {
      TMPDIR: temporary,
      HOME: root,
      XDG_CONFIG_HOME: root,
      XDG_DATA_HOME: root,
      APACHE_RUN_DIR: root,
      APACHE_LOG_DIR: root,
      APACHE_PID_FILE: join(root, 'apache.pid'),
    },
    ready: async () => (await tryRun(probe, { within: 10_000 })).code === 0,
  });
  const pids = () => processesBelow(daemon.pid);
  return {
    ...certificates,
    host,
    url: `https://${host}`,
    log: daemon.log,
    pids,
    spooled: () => pids().reduce((sum, pid) => sum + openBytes(pid, root), 0),
    reload: async () => void (await run(kind.reload(main, daemon.pid), { env: { HOME: root } })),
    stop: daemon.stop,
  };
}

/** A process and all that it started, and they. */
function processesBelow(pid: number): number[] {
  const { stdout } = Bun.spawnSync(['ps', '-eo', 'pid=,ppid=']);
  const rows = stdout
    .toString()
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/).map(Number));
  const found = [pid];
  for (const parent of found) {
    for (const [child = 0, its] of rows) if (its === parent) found.push(child);
  }
  return found;
}

function openBytes(pid: number, root: string): number {
  let sum = 0;
  const directory = `/proc/${pid}/fd`;
  try {
    for (const descriptor of readdirSync(directory)) {
      const path = readlinkSync(join(directory, descriptor));
      // The log, and the memory that processes share.
      if (path === join(root, 'log') || path === join(root, 'stderr') || !path.startsWith('/')) continue;
      const { size, isFile } = statOf(join(directory, descriptor));
      if (isFile) sum += size;
    }
  } catch {
    // It has ended meanwhile, or has closed the file.
  }
  return sum;
}

function statOf(path: string): { size: number; isFile: boolean } {
  const stat = statSync(path);
  return { size: stat.size, isFile: stat.isFile() };
}
