import { describe, expect, test } from 'bun:test';
import { BlockList } from 'node:net';
import { AddressRefusedError, allowedAddress } from './addresses.ts';

const CLOSED = [
  '127.0.0.1',
  '10.1.2.3',
  '172.31.0.1',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '0.0.0.0',
  '224.0.0.1',
]
  .concat(['255.255.255.255', '::1', '::', 'fe80::1', 'fd00::1', 'ff02::1', '::ffff:127.0.0.1', '::ffff:7f00:1'])
  .concat(['::ffff:a9fe:a9fe', '64:ff9b::a9fe:a9fe', '2002:7f00:1::', '2001:db8::1', '::127.0.0.1', '198.18.0.1']);
const OPEN = ['192.0.3.1', '8.8.8.8', '172.32.0.1', '2606:4700::1111', '::ffff:8.8.8.8'];

const rules = (addresses: string[], opened = new BlockList()) => ({ opened, resolve: async () => addresses });
const refused = async (work: Promise<unknown>) =>
  (await work.catch((error: unknown) => error)) instanceof AddressRefusedError;

describe('where webhooks may lead', () => {
  test.each(CLOSED)('%s is closed to who is no administrator, as an address and behind a name', async (address) => {
    const literal = address.includes(':') ? `[${address}]` : address;
    expect(await refused(allowedAddress(rules([]), literal, false))).toBe(true);
    expect(await refused(allowedAddress(rules([address]), 'ci.example.com', false))).toBe(true);
    expect(await allowedAddress(rules([address]), 'ci.example.com', true)).toBe(address);
  });

  test.each(OPEN)('%s is open', async (address) => {
    expect(await allowedAddress(rules([address]), 'ci.example.com', false)).toBe(address);
  });

  test('of several addresses of a name only an open one is taken', async () => {
    expect(await allowedAddress(rules(['127.0.0.1', '8.8.8.8']), 'ci.example.com', false)).toBe('8.8.8.8');
  });

  test('the operator opens networks', async () => {
    const opened = new BlockList();
    opened.addSubnet('10.0.0.0', 8, 'ipv4');
    expect(await allowedAddress(rules(['10.1.2.3'], opened), 'ci.lan', false)).toBe('10.1.2.3');
    expect(await allowedAddress(rules(['::ffff:10.1.2.3'], opened), 'ci.lan', false)).toBe('::ffff:10.1.2.3');
    expect(await refused(allowedAddress(rules(['192.168.0.1'], opened), 'ci.lan', false))).toBe(true);
  });

  test('spellings of an address that URL understands are the address', async () => {
    for (const url of ['http://2130706433/', 'http://0x7f.1/', 'http://0177.0.0.1/', 'http://127.1/']) {
      expect(await refused(allowedAddress(rules([]), new URL(url).hostname, false))).toBe(true);
    }
  });
});
