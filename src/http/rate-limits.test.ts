import { describe, expect, test } from 'bun:test';
import { ANONYMOUS, type Identity } from '../accounts/identity.ts';
import { OciError } from '../oci/errors.ts';
import { RATE_LIMIT_TABLE_BYTES, RateLimits, type RateLimitsPolicy } from './rate-limits.ts';

const TEN_A_SECOND = { requests: 10, perMs: 1_000 };

function limitsOf(policy: Partial<RateLimitsPolicy>, table = new ArrayBuffer(RATE_LIMIT_TABLE_BYTES)) {
  let now = 1_000_000;
  const refused: string[] = [];
  const limits = new RateLimits(
    { address: undefined, account: undefined, token: undefined, ...policy },
    table,
    () => now,
    (limit) => refused.push(limit),
  );
  return {
    table,
    refused,
    limits,
    advance: (ms: number) => {
      now += ms;
    },
    /** How many of so many requests are let through. */
    through(count: number, identity: Identity = ANONYMOUS, source = '192.0.2.1'): number {
      let passed = 0;
      for (let i = 0; i < count; i++) {
        try {
          limits.count(identity, () => source);
          passed++;
        } catch (error) {
          expect(error).toMatchObject({ code: 'TOOMANYREQUESTS' });
        }
      }
      return passed;
    },
  };
}

const user = (id: string): Identity => ({
  kind: 'user',
  id,
  name: id,
  administrator: false,
  limit: { credential: 'password', level: 'admin', repository: null },
});

const withToken = (id: string, tokenId: string, parentTokenId?: string): Identity => ({
  kind: 'user',
  id,
  name: id,
  administrator: false,
  limit: {
    credential: 'token',
    tokenId,
    ...(parentTokenId === undefined ? {} : { parentTokenId }),
    level: 'read',
    repository: null,
  },
});

describe('rate limits', () => {
  test('let as many through at once as the rate says, then one after the other', () => {
    const { through, advance } = limitsOf({ address: TEN_A_SECOND });
    expect(through(30)).toBe(10);
    advance(100);
    expect(through(5)).toBe(1);
    advance(550);
    expect(through(10)).toBe(5);
    advance(60_000);
    expect(through(30)).toBe(10);
  });

  test('say how long to wait', () => {
    const { limits, through } = limitsOf({ address: { requests: 2, perMs: 60_000 } });
    through(2);
    let error: unknown;
    try {
      limits.count(ANONYMOUS, () => '192.0.2.1');
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(OciError);
    expect(error).toMatchObject({
      message: 'too many requests without a log-in from 192.0.2.1: 2 are allowed in 60 s; try again in 30 s',
      detail: { retryAfter: 30 },
    });
  });

  test('of addresses are each address own, of an IPv6 network of 2^64 together', () => {
    const { through } = limitsOf({ address: TEN_A_SECOND });
    expect(through(20, ANONYMOUS, '192.0.2.1')).toBe(10);
    expect(through(20, ANONYMOUS, '192.0.2.2')).toBe(10);
    expect(through(7, ANONYMOUS, '2001:db8::1')).toBe(7);
    expect(through(7, ANONYMOUS, '2001:db8:0:0:ffff::2')).toBe(3);
    expect(through(7, ANONYMOUS, '2001:db8:0:1::1')).toBe(7);
    expect(through(7, ANONYMOUS, '::1')).toBe(7);
  });

  test('of accounts do not count by address, and the other way round', () => {
    const both = limitsOf({ address: TEN_A_SECOND, account: { requests: 3, perMs: 1_000 } });
    expect(both.through(20, user('alice'))).toBe(3);
    expect(both.through(20, user('bob'))).toBe(3);
    expect(both.through(20)).toBe(10);
    const one = limitsOf({ account: TEN_A_SECOND });
    expect(one.through(100)).toBe(100);
  });

  test('of tokens are each token own, together with those that were got with it', () => {
    const { through, refused, limits } = limitsOf({ token: TEN_A_SECOND });
    expect(through(20, withToken('alice', 't1'))).toBe(10);
    expect(through(20, withToken('alice', 't2'))).toBe(10);
    expect(through(7, withToken('alice', 't3'))).toBe(7);
    expect(through(7, withToken('alice', 't4', 't3'))).toBe(3);
    expect(through(7, withToken('alice', 't5', 't3'))).toBe(0);
    // A password has no token.
    expect(through(100, user('alice'))).toBe(100);
    expect(refused).toEqual(Array.from({ length: 31 }, () => 'token'));
    const once = () => limits.count(withToken('alice', 't1'), () => '192.0.2.1');
    expect(once).toThrow('too many requests with one access token of alice: 10 are allowed in 1 s; try again in 1 s');
  });

  test('of a token and of its account hold both, and a request that the one refuses takes nothing of the other', () => {
    const { through, refused } = limitsOf({ token: { requests: 3, perMs: 1_000 }, account: TEN_A_SECOND });
    expect(through(5, withToken('alice', 't1'))).toBe(3);
    expect(through(5, withToken('alice', 't2'))).toBe(3);
    expect(through(5, user('alice'))).toBe(4);
    expect(refused).toEqual(['token', 'token', 'token', 'token', 'account']);
  });

  test('keep nobody out for longer after the clock was set back, or a shorter period was set', () => {
    const { through, advance, table } = limitsOf({ address: TEN_A_SECOND });
    advance(86_400_000);
    expect(through(20)).toBe(10);
    advance(-86_400_000);
    expect(through(20)).toBe(10);
    advance(1_000);
    expect(through(20)).toBe(10);
    expect(limitsOf({ address: { requests: 1, perMs: 3_600_000 } }, table).through(2, ANONYMOUS, '192.0.2.2')).toBe(1);
    expect(limitsOf({ address: TEN_A_SECOND }, table).through(20, ANONYMOUS, '192.0.2.2')).toBe(10);
  });

  test('hold over all who share the table', () => {
    const first = limitsOf({ address: TEN_A_SECOND });
    const second = limitsOf({ address: TEN_A_SECOND }, first.table);
    expect(first.through(6) + second.through(6)).toBe(10);
  });

  test('hold for who asks on while 200,000 others come by once', () => {
    const { through } = limitsOf({ address: { requests: 10, perMs: 3_600_000 } });
    let passed = 0;
    for (let i = 0; i < 200_000; i++) {
      through(1, ANONYMOUS, `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
      if (i % 1_000 === 0) passed += through(1, ANONYMOUS, '192.0.2.1');
    }
    expect(passed).toBe(10);
  });
});
