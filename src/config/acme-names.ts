import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';

const NAME = /^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Names for a certificate, in one spelling, sorted, each once.
 *
 * @throws Error naming the one that is none
 */
export function acmeNamesOf(entries: readonly string[]): readonly string[] {
  const names = entries.map((entry) => entry.trim()).filter((entry) => entry !== '');
  if (names.length === 0) throw new Error('names no name, such as registry.example.com');
  return [...new Set(names.map(nameOf))].sort();
}

function nameOf(entry: string): string {
  if (isIP(entry) !== 0) return entry.toLowerCase();
  const name = entry.startsWith('*.') ? `*.${domainToASCII(entry.slice(2))}` : domainToASCII(entry);
  if (name.length <= 253 && NAME.test(name)) return name;
  throw new Error(
    `${JSON.stringify(entry)} is not a name such as registry.example.com or *.example.com, nor an IP address`,
  );
}
