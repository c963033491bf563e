/*
 * What clients must be told of a registry that speaks plain HTTP, or whose certificate nobody knows. `host` is the registry as
 * it is named in image names (`registry-host.ts`).
 */

/** For `/etc/docker/daemon.json` of clients, where the registry speaks plain HTTP. */
export function daemonJson(host: string): string {
  return JSON.stringify({ 'insecure-registries': [host] }, null, 2);
}

/** For podman, buildah and skopeo (containers-registries.conf(5)). */
export function registriesConf(host: string): string {
  return `[[registry]]\nlocation = ${JSON.stringify(host)}\ninsecure = true`;
}

/** Where containerd looks for how to reach `host` (containerd "docs/hosts.md"). */
export function hostsFile(host: string): string {
  return `/etc/containerd/certs.d/${host}/hosts.toml`;
}

/** @param ca a file with the authority's certificate; without one it is plain HTTP */
export function hostsToml(host: string, ca?: string): string {
  const scheme = ca === undefined ? 'http' : 'https';
  const lines = [`server = "${scheme}://${host}"`, '', `[host."${scheme}://${host}"]`];
  lines.push('  capabilities = ["pull", "resolve", "push"]');
  if (ca !== undefined) lines.push(`  ca = ${JSON.stringify(ca)}`);
  return lines.join('\n');
}

/** Where Docker and podman look for the certificate of an authority of one's own. */
export function certificateFile(host: string): string {
  return `/etc/docker/certs.d/${host}/ca.crt`;
}
