import { BlockList, isIP } from 'node:net';

/** The proxies that are believed by default: those on this machine. Others must be named, or any neighbour could forge who it is. */
export const LOOPBACK = ['127.0.0.0/8', '::1/128'];

/** Checked configuration value. @throws RangeError naming the entry that is no network */
export function networks(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', prefix, ...rest] = entry.trim().split('/');
    const family = isIP(address);
    const bits = prefix === undefined ? (family === 6 ? 128 : 32) : Number(prefix);
    const wrong = family === 0 || address.includes('%') || rest.length > 0 || !/^\d{1,3}$/.test(prefix ?? '0');
    if (wrong || bits > (family === 6 ? 128 : 32)) {
      throw new RangeError(`${JSON.stringify(entry)} is not an address or a network such as 10.0.0.0/8`);
    }
    list.addSubnet(address, bits, family === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
