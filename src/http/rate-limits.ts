import { isIPv6 } from 'node:net';
import { ANONYMOUS, type Identity } from '../accounts/identity.ts';
import { OciError } from '../oci/errors.ts';

/** So many requests in so many ms; as many may come at once. */
export interface Rate {
  requests: number;
  perMs: number;
}

export interface RateLimitsPolicy {
  /** Of an address, for requests without a credential or with one that is not good. */
  address: Rate | undefined;
  /** Of a user, robot or agent, whatever the address. */
  account: Rate | undefined;
  /** Of an access token, whatever the address, together with those that were got with it. */
  token: Rate | undefined;
}

export type RateLimitKind = keyof RateLimitsPolicy;

/** Numbers that a place takes in a table: a fingerprint of the key, and when its allowance is whole again. */
const ENTRY = 2;
/** Places at which a key may stand. */
const WAYS = 4;
const PLACES = 1 << 16;

/** What a table needs, in bytes. */
export const RATE_LIMIT_TABLE_BYTES = PLACES * ENTRY * 8;

/**
 * Limits on requests, by the generic cell rate algorithm (ITU-T I.371): for each key one number, the time at which its allowance is
 * whole again. The table is memory that all workers share, so a limit holds over all of them; of two requests in the same microsecond one may
 * go uncounted. A table that is full forgets whoever has been quiet for the longest.
 */
export class RateLimits {
  readonly #table: Float64Array;

  constructor(
    readonly policy: RateLimitsPolicy,
    table: ArrayBuffer,
    readonly now: () => number,
    /** Told of each request that is refused. */
    readonly refused: (limit: RateLimitKind) => void = () => {},
  ) {
    this.#table = new Float64Array(table);
  }

  /**
   * Counts a request.
   *
   * @param source the client's address
   * @throws OciError TOOMANYREQUESTS with the seconds to wait in its detail
   */
  count(identity: Identity, source: () => string): void {
    if (identity === ANONYMOUS || identity.kind === 'anonymous') {
      const rate = this.policy.address;
      if (rate === undefined) return;
      const address = source();
      this.#take('address', rate, `address ${networkOf(address)}`, `requests without a log-in from ${address}`);
      return;
    }
    const { account, token } = this.policy;
    const id = identity.limit.parentTokenId ?? identity.limit.tokenId;
    if (token !== undefined && id !== undefined) {
      this.#take('token', token, `token ${id}`, `requests with one access token of ${identity.name}`);
    }
    if (account !== undefined) {
      this.#take('account', account, `${identity.kind} ${identity.id}`, `requests of ${identity.name}`);
    }
  }

  #take(limit: RateLimitKind, { requests, perMs }: Rate, key: string, what: string): void {
    const now = this.now();
    const place = this.#placeOf(key);
    const each = perMs / requests;
    const stored = this.#table[place + 1] ?? 0;
    // One further ahead than a count ever puts it is of a clock that was set back since, or of a longer period that was set before.
    const whole = stored > now + 2 * perMs ? now : Math.max(stored, now);
    const wait = whole + each - perMs - now;
    // Times of today are exact to a quarter of a microsecond.
    if (wait > 0.01) {
      this.refused(limit);
      const seconds = Math.ceil(wait / 1_000);
      throw new OciError(
        'TOOMANYREQUESTS',
        `too many ${what}: ${requests} are allowed in ${perMs / 1_000} s; try again in ${seconds} s`,
        { retryAfter: seconds },
      );
    }
    this.#table[place + 1] = whole + each;
  }

  /** Where the key stands, or where it takes the place of the one that has been whole for the longest. */
  #placeOf(key: string): number {
    const table = this.#table;
    const hash = Number(BigInt(Bun.hash(key)) & 0x1fffffffffffffn) || 1;
    const first = (hash % PLACES) * ENTRY;
    let oldest = first;
    for (let way = 0; way < WAYS; way++) {
      const place = (first + way * ENTRY) % (PLACES * ENTRY);
      if (table[place] === hash) return place;
      if ((table[place + 1] ?? 0) < (table[oldest + 1] ?? 0)) oldest = place;
    }
    table[oldest] = hash;
    table[oldest + 1] = 0;
    return oldest;
  }
}

/** An IPv6 client has a whole /64 of addresses. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  return [...before, ...Array.from({ length: zeros }, () => '0'), ...after]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
