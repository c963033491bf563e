import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatBytes } from '../bytes.ts';
import { note } from '../terminal.ts';
import { CommandError } from '../usage.ts';
import { type Docker, lastLine } from './docker.ts';

/** Of this registry; undefined for a person who is not logged in. */
export interface RegistryLogin {
  username: string;
  token: string;
}

export interface PullOptions {
  docker: Docker;
  /** The registry's name in images: `localhost:5000`. */
  registry: string;
  /** Asked only when something of it has to be pulled. */
  login: () => Promise<RegistryLogin | undefined>;
}

const WITHIN_MS = 60 * 60_000;

/**
 * Brings the images here that are not here yet.
 *
 * @param references with digests
 * @param pulled gets those that were pulled, also when a later one fails
 * @throws CommandError that says what to do
 */
export async function pullMissing(
  references: readonly string[],
  pulled: string[],
  options: PullOptions,
): Promise<void> {
  const { docker, registry } = options;
  const present = await Promise.all(references.map((reference) => sizeOf(docker, reference)));
  const missing = [...new Set(references.filter((_, at) => present[at] === undefined))];
  const own = missing.filter((reference) => reference.startsWith(`${registry}/`));
  if (own.length > 0) {
    await withLogin(options, async (env) => {
      for (const reference of own) pulled.push(await pull(docker, reference, env));
    });
  }
  for (const reference of missing) if (!own.includes(reference)) pulled.push(await pull(docker, reference));
}

/** Bytes of an image that is here, unpacked. */
async function sizeOf(docker: Docker, reference: string): Promise<number | undefined> {
  const { code, stdout } = await docker.run(['image', 'inspect', '--format', '{{.Size}}', reference]);
  return code === 0 ? Number(stdout) : undefined;
}

async function pull(docker: Docker, reference: string, env?: Record<string, string | undefined>): Promise<string> {
  note(`pulling ${reference}`);
  const options = { shown: true, withinMs: WITHIN_MS, ...(env === undefined ? {} : { env }) };
  const { code, stderr, late } = await docker.run(['pull', reference], options);
  if (code !== 0) throw new CommandError(pullReason(reference, late ? 'it took more than an hour' : lastLine(stderr)));
  note(`pulled ${reference}: ${formatBytes((await sizeOf(docker, reference)) ?? 0)} unpacked`);
  return reference;
}

/**
 * Runs `work` with an environment in which docker is logged in to the registry, and nothing of that stays: the person's own docker
 * configuration is not touched.
 */
async function withLogin(
  { docker, registry, login }: PullOptions,
  work: (env: Record<string, string | undefined>) => Promise<void>,
): Promise<void> {
  const { username, token } = (await login()) ?? {};
  if (username === undefined || token === undefined) return work(docker.environment);
  const folder = mkdtempSync(join(tmpdir(), 'berth-docker-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const interrupted = (signal: NodeJS.Signals) => {
    remove();
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  try {
    const auth = Buffer.from(`${username}:${token}`).toString('base64');
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ auths: { [registry]: { auth } } }), { mode: 0o600 });
    // A context is of the person's configuration, which this docker does not see.
    const engine = await docker.engine();
    await work({ ...docker.environment, ...engine, DOCKER_CONFIG: folder, DOCKER_CONTEXT: undefined });
  } finally {
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    remove();
  }
}

/** What docker said about a pull, and what helps. */
export function pullReason(reference: string, said: string): string {
  const [host = ''] = reference.split('/', 1);
  const failed = `${reference} could not be pulled`;
  if (/server gave HTTP response to HTTPS client/i.test(said)) {
    return `${failed}: the engine wants HTTPS, and ${host} speaks HTTP: put {"insecure-registries": ["${host}"]} into /etc/docker/daemon.json and restart Docker (in Docker Desktop: Settings, Docker Engine)`;
  }
  if (/x509|certificate/i.test(said)) {
    return `${failed}: the engine does not trust the certificate of ${host}: put its CA into /etc/docker/certs.d/${host}/ca.crt (${said})`;
  }
  if (/unauthorized|authentication required|access .*denied|denied:/i.test(said)) {
    return `${failed}: ${host} refuses it: log in with berth login, or docker login for other registries (${said})`;
  }
  if (/no space left/i.test(said))
    return `${failed}: the engine's disk is full: docker system prune frees what nothing uses`;
  if (/no matching manifest/i.test(said))
    return `${failed}: the image was not built for this machine's platform (${said})`;
  if (/manifest unknown|not found/i.test(said)) return `${failed}: ${host} has no such image any more (${said})`;
  if (/connection refused|no such host|timeout|deadline exceeded|no route/i.test(said)) {
    return `${failed}: the engine does not reach ${host}, which may be another place for it than for you (${said})`;
  }
  return `${failed}: ${said}`;
}
