import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where a container engine listens, as DOCKER_HOST and its companions say. */
export interface EngineAddress {
  /** For people. */
  name: string;
  /** What a path is put after: `http://docker`, `https://10.0.0.1:2376`. */
  base: string;
  /** The path of a unix socket. */
  unix?: string;
  tls?: { ca: string; cert: string; key: string };
}

const DEFAULT = 'unix:///var/run/docker.sock';

/** @throws TypeError for an address that can't be used */
export function engineAddress(environment: Record<string, string | undefined>): EngineAddress {
  const name = environment.DOCKER_HOST || DEFAULT;
  const [, kind, rest] = /^([a-z]+):\/\/(.+)$/.exec(name) ?? [];
  if (kind === 'unix' && rest !== undefined) return { name, base: 'http://docker', unix: rest };
  if (kind !== 'tcp' && kind !== 'http' && kind !== 'https') {
    throw new TypeError(`DOCKER_HOST: ${JSON.stringify(name)} is neither unix:///path nor tcp://host:port`);
  }
  if (!environment.DOCKER_TLS_VERIFY && kind !== 'https') return { name, base: `http://${rest}` };
  const folder = environment.DOCKER_CERT_PATH || join(environment.HOME ?? '/root', '.docker');
  const read = (file: string) => readFileSync(join(folder, file), 'utf8');
  return { name, base: `https://${rest}`, tls: { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') } };
}
