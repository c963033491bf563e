import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';

/**
 * Where a webhook may lead. An administrator's may lead anywhere; anybody else's to public addresses and to the networks that the operator
 * opened, because the server stands where its users do not: beside cloud metadata, databases and other machines' management.
 */
export interface AddressRules {
  /** Besides public ones. */
  opened: BlockList;
  resolve: (host: string) => Promise<string[]>;
}

/** The address is not for this webhook. */
export class AddressRefusedError extends Error {
  override readonly name = 'AddressRefusedError';
}

/** Not on the public internet: RFC 6890 and its registries, and what wraps an IPv4 address. */
const CLOSED = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  CLOSED.addSubnet(network, bits, 'ipv4');
}
/** All but 2000::/3, and of that the parts that hold others' addresses (Teredo, 6to4) or are for examples. */
const OPEN_V6 = new BlockList();
OPEN_V6.addSubnet('2000::', 3, 'ipv6');
for (const [network, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
] as const) {
  CLOSED.addSubnet(network, bits, 'ipv6');
}

export async function resolveHost(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

/**
 * An address of the host to connect to, looked up now and allowed.
 *
 * @param trusted an administrator chose it
 * @throws AddressRefusedError; what the lookup throws
 */
export async function allowedAddress(rules: AddressRules, host: string, trusted: boolean): Promise<string> {
  const bare = host.replace(/^\[|\]$/g, '');
  const found = isIP(bare) === 0 ? await rules.resolve(bare) : [bare];
  const allowed = trusted ? found : found.filter((address) => isAllowed(rules, address));
  const [first] = allowed;
  if (first !== undefined) return first;
  if (found.length === 0) throw new Error(`${bare} has no address`);
  throw new AddressRefusedError(
    `${bare} is not on the public internet (${found.join(', ')}): an administrator may make this webhook, or open the network with --webhook-networks`,
  );
}

function isAllowed({ opened }: AddressRules, text: string): boolean {
  const address = unwrapped(text);
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  if (opened.check(address, family)) return true;
  if (CLOSED.check(address, family)) return false;
  return family === 'ipv4' || OPEN_V6.check(address, 'ipv6');
}

/** `::ffff:10.0.0.1`, in any spelling, as 10.0.0.1 */
function unwrapped(address: string): string {
  if (isIP(address) !== 6) return address;
  const dotted = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (dotted !== undefined) return dotted;
  const canonical = new URL(`http://[${address.split('%', 1)[0]}]/`).hostname;
  const [, high, low] = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(canonical) ?? [];
  if (high === undefined || low === undefined) return address.split('%', 1)[0] ?? address;
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [a >> 8, a & 255, b >> 8, b & 255].join('.');
}
