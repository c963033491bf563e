/** What of an address names the registry in commands and image names: see `registryHost`. */
export interface Address {
  protocol: string;
  hostname: string;
  host: string;
  port: string;
}

/**
 * The registry in an image's name. Docker takes the first part for a registry only when it has a dot or a port or is `localhost`
 * (distribution/reference "normalize.go"), so another name without a port gets its scheme's.
 */
export function registryHost({ protocol, hostname, host, port }: Address): string {
  if (port !== '' || hostname === 'localhost' || /[.:]/.test(hostname)) return host;
  return `${host}:${protocol === 'https:' ? 443 : 80}`;
}

/** Whether Docker talks plain HTTP to it without being told (moby "registry/config.go": 127.0.0.0/8, ::1 and what resolves there). */
export function isLocal(hostname: string): boolean {
  return hostname === 'localhost' || /^127(\.\d{1,3}){3}$/.test(hostname) || hostname === '[::1]';
}

/** Whether clients must be told that this address speaks plain HTTP. */
export function isPlainElsewhere({ protocol, hostname }: Address): boolean {
  return protocol === 'http:' && !isLocal(hostname);
}
