import { networkInterfaces } from 'node:os';
import { servesHttps } from '../config/https.ts';
import type { Settings } from '../config/settings.ts';
import { isPlainElsewhere, registryHost } from '../doctor/registry-host.ts';

/**
 * The registry as images on other machines name it, when those reach it over plain HTTP: `192.168.1.10:5000`. undefined when it speaks
 * HTTPS, or listens on this machine alone.
 */
export function plainRegistry(settings: Settings): string | undefined {
  const { host, port, publicUrl } = settings;
  if (publicUrl === undefined && servesHttps(settings)) return undefined;
  const everywhere = host === '::' || host === '0.0.0.0';
  const reached = everywhere ? ownAddress() : host;
  if (publicUrl === undefined && reached === undefined) return undefined;
  const address = new URL(publicUrl ?? `http://${reached?.includes(':') ? `[${reached}]` : reached}:${port}`);
  return isPlainElsewhere(address) ? registryHost(address) : undefined;
}

function ownAddress(): string | undefined {
  const addresses = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  return addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
}
