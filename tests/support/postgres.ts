// A PostgreSQL server of its own for a test run: a temporary cluster on a loopback port, as durable as a real one.
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import { findTool, requireTools, run, tryRun } from './tools.ts';

export interface RunningPostgres {
  /** `postgres://…/postgres`: the cluster's own database. Tests take a new one each. */
  url: string;
  /** Creates an empty database and returns its URL. */
  newDatabase: () => Promise<string>;
  /** Ends the server and removes the cluster. Idempotent. */
  stop: () => Promise<void>;
  /** The server ends at once, in the middle of what it does, as in a crash. */
  crash: () => Promise<void>;
  /** After `crash`, on the same port: it recovers what was committed. */
  restart: () => Promise<void>;
  /** Its processes take connections and queries, and answer nothing, until the function that this returns is called. */
  hang: () => () => void;
}

export interface PostgresOptions {
  /** Lines of postgresql.conf, such as `max_connections = 300`. */
  settings?: string[];
}

const READY_WITHIN_MS = 60_000;

/** Debian keeps the server's programs out of PATH, in a folder for each major version. */
export function postgresTool(name: string): string | undefined {
  const versions = '/usr/lib/postgresql';
  if (!existsSync(versions)) return findTool(name);
  const newest = readdirSync(versions).sort((a, b) => Number(b) - Number(a));
  return (
    newest.map((version) => join(versions, version, 'bin', name)).find((path) => existsSync(path)) ?? findTool(name)
  );
}

/** As `requireTools`, for a suite that starts PostgreSQL. */
export function requirePostgres(suite: string): boolean {
  return requireTools(suite, [postgresTool('initdb') ?? 'initdb', postgresTool('postgres') ?? 'postgres']);
}

export async function startPostgres(options: PostgresOptions = {}): Promise<RunningPostgres> {
  const root = mkdtempSync(join(tmpdir(), 'berth-postgres-'));
  try {
    return await startIn(root, options);
  } catch (error) {
    rmSync(root, { recursive: true, force: true });
    throw error;
  }
}

async function startIn(root: string, options: PostgresOptions): Promise<RunningPostgres> {
  const cluster = join(root, 'cluster');
  // The server refuses to run as root.
  const user = process.getuid?.() === 0 ? await postgresUser() : undefined;
  if (user !== undefined) chownSync(root, user.uid, user.gid);
  const as = user === undefined ? [] : ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'];
  const settings = { cwd: root, env: { LC_ALL: 'C' } };
  const initdb = [postgresTool('initdb') ?? 'initdb', '--pgdata', cluster, '--username', 'berth'];
  await run([...as, ...initdb, '--auth', 'trust', '--encoding', 'UTF8', '--no-locale'], settings);

  const port = await freePort();
  const flags = ['listen_addresses = 127.0.0.1', `port = ${port}`, `unix_socket_directories = ${root}`];
  const all = [...flags, ...(options.settings ?? [])].flatMap((line) => {
    const [name = '', ...value] = line.split('=');
    return ['-c', `${name.trim()}=${value.join('=').trim()}`];
  });
  let ended = true;
  const launch = () => {
    ended = false;
    const child = Bun.spawn([...as, postgresTool('postgres') ?? 'postgres', '-D', cluster, ...all], {
      cwd: root,
      env: { ...process.env, LC_ALL: 'C' },
      stdin: 'ignore',
      stdout: Bun.file(join(root, 'log')),
      stderr: Bun.file(join(root, 'errors')),
    });
    const exited = child.exited.then(() => {
      ended = true;
    });
    return { child, exited };
  };
  let server = launch();
  const address = `postgres://berth@127.0.0.1:${port}`;
  const query = (statement: string) =>
    tryRun([postgresTool('psql') ?? 'psql', '--no-psqlrc', '--quiet', '--command', statement, `${address}/postgres`]);
  /** SIGQUIT ends it at once, without a checkpoint. */
  const crash = async () => {
    if (!ended) server.child.kill('SIGQUIT');
    await server.exited;
  };
  const stop = async () => {
    await crash();
    rmSync(root, { recursive: true, force: true });
  };
  const ready = async () => {
    const deadline = Date.now() + READY_WITHIN_MS;
    while (!ended && Date.now() < deadline) {
      if ((await query('select 1')).code === 0) return;
      await Bun.sleep(50);
    }
    const said = readFileSync(join(root, 'errors'), 'utf8');
    await stop();
    throw new Error(`postgres did not get ready:\n${said}`);
  };
  await ready();
  let databases = 0;
  return {
    url: `${address}/postgres`,
    async newDatabase() {
      const name = `test_${++databases}`;
      const { code, stderr } = await query(`create database ${name}`);
      if (code !== 0) throw new Error(`create database: ${stderr}`);
      return `${address}/${name}`;
    },
    stop,
    crash,
    async restart() {
      server = launch();
      await ready();
    },
    hang() {
      const { pid } = server.child;
      const { stdout } = Bun.spawnSync(['ps', '-o', 'pid=', '--ppid', String(pid)]);
      const processes = [pid, ...stdout.toString().split(/\s+/).filter(Boolean).map(Number)];
      for (const one of processes) process.kill(one, 'SIGSTOP');
      return () => {
        for (const one of processes) process.kill(one, 'SIGCONT');
      };
    },
  };
}

async function postgresUser(): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = await Promise.all([run(['id', '-u', 'postgres']), run(['id', '-g', 'postgres'])]);
  return { uid: Number(uid), gid: Number(gid) };
}
