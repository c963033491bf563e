import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { networks } from '../config/networks.ts';
import { PublicAddress } from './public-address.ts';

const trustedProxies = networks(['10.0.0.0/8', '::1/128', '127.0.0.0/8']);
const address = new PublicAddress({ trustedProxies });
const request = (headers: Record<string, string>) => new Request('http://internal:5000/v2/', { headers });
const PROXY = '10.1.2.3';
const STRANGER = '203.0.113.9';

describe('the address of this registry', () => {
  test('is what the client wrote in Host', () => {
    expect(address.base(request({ Host: 'registry.example:5000' }), STRANGER)).toBe('http://registry.example:5000');
    expect(address.base(request({ Host: '[::1]:5000' }), STRANGER)).toBe('http://[::1]:5000');
  });

  test('is what a trusted proxy says, and of a list the first', () => {
    const headers = {
      Host: 'internal',
      'X-Forwarded-Proto': 'https, http',
      'X-Forwarded-Host': 'registry.example, internal',
    };
    expect(address.base(request(headers), PROXY)).toBe('https://registry.example');
    expect(address.base(request(headers), `::ffff:${PROXY}`)).toBe('https://registry.example');
  });

  test('is not what anyone else says', () => {
    const headers = { Host: 'registry.example', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'evil.example' };
    for (const peer of [STRANGER, undefined, '', 'not an address', '2001:db8::1']) {
      expect(address.base(request(headers), peer)).toBe('http://registry.example');
    }
  });

  test('is the configured one, whatever is said', () => {
    const fixed = new PublicAddress({ publicUrl: 'https://fixed.example/', trustedProxies });
    const headers = { Host: 'registry.example', 'X-Forwarded-Host': 'other.example' };
    expect(fixed.base(request(headers), PROXY)).toBe('https://fixed.example');
  });

  test('is always an http address without a path, so that nothing can be slipped into the challenge', () => {
    const odd = fc.string({ unit: fc.constantFrom(...'ab.:/[]"\\,;=@%#?-_1 '), maxLength: 12 });
    fc.assert(
      fc.property(odd, odd, fc.constantFrom(PROXY, STRANGER), (host, proto, peer) => {
        const base = address.base(request({ 'X-Forwarded-Host': host, 'X-Forwarded-Proto': proto }), peer);
        const url = new URL(base);
        expect(base).toMatch(/^https?:\/\/[a-zA-Z0-9.:[\]_-]+$/);
        expect([url.username, url.search, url.hash, url.pathname]).toEqual(['', '', '', '/']);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('a Host', () => {
  test.each(['registry', 'registry.example:5000', '127.0.0.1', '[::1]', '[::1]:5000', 'a_b.example', ''])(
    '%j is taken',
    (host) => {
      expect(address.accepts(host)).toBe(true);
      // And again, when it is known.
      expect(address.accepts(host)).toBe(true);
    },
  );

  test.each([
    'a b',
    'a/b',
    'user@host',
    'a:b',
    'a:123456',
    'a:70000',
    '[::1',
    '::1',
    'a"b',
    'a,b',
    '[]',
    'a?b',
    'a#b',
    '\\',
  ])('%j is not', (host) => {
    expect(address.accepts(host)).toBe(false);
    expect(address.accepts(host)).toBe(false);
  });

  test('is optional', () => {
    expect(address.accepts(null)).toBe(true);
  });
});

describe('the address of a client', () => {
  const client = (forwarded: string | undefined, peer: string | undefined) =>
    address.client(request(forwarded === undefined ? {} : { 'X-Forwarded-For': forwarded }), peer);

  test('is the peer’s, in its own notation', () => {
    expect(client(undefined, STRANGER)).toBe(STRANGER);
    expect(client(undefined, `::ffff:${STRANGER}`)).toBe(STRANGER);
    expect(client(undefined, undefined)).toBe('');
  });

  test('is the last one before the trusted proxies, so that a client cannot choose it', () => {
    expect(client('198.51.100.1', PROXY)).toBe('198.51.100.1');
    expect(client('6.6.6.6, 198.51.100.1, 10.9.9.9', PROXY)).toBe('198.51.100.1');
    expect(client('10.0.0.1, 10.0.0.2', PROXY)).toBe(PROXY);
    expect(client('198.51.100.1, nonsense', PROXY)).toBe(PROXY);
  });

  test('is never taken from the header of a stranger', () => {
    fc.assert(fc.property(fc.ipV4(), (ip) => void expect(client(ip, STRANGER)).toBe(STRANGER)));
  });

  test('of any header is an address', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string({ unit: 'grapheme-ascii', maxLength: 6 }))),
        (hops) => {
          const found = client(hops.join(',').trim() || 'x', PROXY);
          expect(found).toMatch(/^[0-9a-fA-F.:]+$/);
        },
      ),
    );
  });
});

describe('how a request came here', () => {
  const forwarded = {
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Host': 'registry.example',
    'X-Forwarded-For': '198.51.100.1',
  };

  test('is told as it was sent, whether it is believed or not', () => {
    const sent = { proto: 'https', host: 'registry.example', for: '198.51.100.1' };
    const from = (peer: string | undefined) => address.arrival(request({ Host: 'internal:5000', ...forwarded }), peer);
    expect(from(`::ffff:${PROXY}`)).toEqual({
      publicUrl: null,
      forwarded: sent,
      host: 'internal:5000',
      trusted: true,
      peer: PROXY,
    });
    expect(from(STRANGER)).toMatchObject({ forwarded: sent, trusted: false, peer: STRANGER });
    expect(from(undefined)).toMatchObject({ trusted: false, peer: '' });
  });

  test('has nothing for headers that did not come, and the fixed address when there is one', () => {
    const fixed = new PublicAddress({ publicUrl: 'https://fixed.example/', trustedProxies });
    expect(fixed.arrival(request({ Host: 'registry' }), STRANGER)).toEqual({
      publicUrl: 'https://fixed.example',
      forwarded: { proto: null, host: null, for: null },
      host: 'registry',
      trusted: false,
      peer: STRANGER,
    });
  });

  test('repeats no more than the beginning of a header', () => {
    const { forwarded: told } = address.arrival(request({ 'X-Forwarded-For': 'a'.repeat(5_000) }), PROXY);
    expect(told.for).toBe('a'.repeat(200));
  });
});
