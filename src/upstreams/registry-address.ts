import type { RepositoryName } from '../oci/names.ts';

/** Where a registry answers. */
export interface RegistryAddress {
  /** As people write it: `docker.io`, `ghcr.io`, `http://localhost:5003`. */
  shown: string;
  /** `https://registry-1.docker.io`; no path, no slash at the end. */
  origin: string;
  /** Docker Hub keeps what has no namespace under `library/`. */
  hub: boolean;
}

const HUB = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com']);

/**
 * Reads `https://old.example.com:5000`, `old.example.com` (HTTPS) or `docker.io`. Plain HTTP is only spoken when the address
 * begins with `http://`.
 *
 * @throws TypeError that says what is wrong with the text
 */
export function parseRegistryAddress(text: string): RegistryAddress {
  const written = text.includes('://') ? text : `https://${text}`;
  let url: URL;
  try {
    url = new URL(written);
  } catch {
    throw new TypeError(`${JSON.stringify(text)} is no address of a registry; write https://HOST or https://HOST:PORT`);
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new TypeError(`${JSON.stringify(text)}: a registry is reached by https:// or http://`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new TypeError(`${JSON.stringify(url.host)}: give the user name and the password apart from the address`);
  }
  if (!/^\/?(?:v[12]\/?)?$/.test(url.pathname) || url.search !== '' || url.hash !== '') {
    throw new TypeError(
      `${JSON.stringify(text)}: an address of a registry has no path; name repositories apart from it`,
    );
  }
  if (HUB.has(url.host)) return { shown: 'docker.io', origin: 'https://registry-1.docker.io', hub: true };
  return { shown: url.protocol === 'https:' ? url.host : url.origin, origin: url.origin, hub: false };
}

/** The name that the registry itself uses: `alpine` of Docker Hub is `library/alpine`. */
export function nameAt(address: RegistryAddress, name: RepositoryName): RepositoryName {
  return address.hub && !name.includes('/') ? (`library/${name}` as RepositoryName) : name;
}
