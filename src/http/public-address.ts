import { type BlockList, isIP } from 'node:net';
import { LRUCache } from 'lru-cache';

/** How a request came here, as it is: nothing of it is believed. */
export interface Arrival {
  /** The fixed address, when there is one. */
  publicUrl: string | null;
  forwarded: { proto: string | null; host: string | null; for: string | null };
  host: string | null;
  /** Whether the connection comes from a trusted proxy. */
  trusted: boolean;
  /** The address that the connection comes from, '' when it is not known. */
  peer: string;
}

/** What of a header that anyone may send is repeated. */
const MOST_HEADER = 200;

/** Where the challenge of /v2/ sends clients (Distribution "Token Authentication Specification"). */
export function tokenRealm(base: string): string {
  return `${base}/auth/token`;
}

/**
 * How clients see this registry. `Location` headers need none of it, they are relative; the challenge's realm must be
 * absolute. A proxy's `X-Forwarded-*` headers count only when the connection comes from a trusted one.
 */
export class PublicAddress {
  readonly #fixed: URL | undefined;
  readonly #trusted: BlockList;
  readonly #hosts = new LRUCache<string, true>({ max: 100 });

  /** @param options.publicUrl overrides what requests say, e.g. `https://registry.example.com` */
  constructor(options: { publicUrl?: string | undefined; trustedProxies: BlockList }) {
    this.#fixed = options.publicUrl === undefined ? undefined : new URL(options.publicUrl);
    this.#trusted = options.trustedProxies;
  }

  /** Whether a `Host` is a name or address with at most a port (RFC 9112 §3.2). An absent one is HTTP/1.0's. */
  accepts(host: string | null): boolean {
    if (host === null || host === '' || this.#hosts.has(host)) return true;
    const valid = /^(?:[a-zA-Z0-9._-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/.test(host) && URL.canParse(`http://${host}`);
    if (valid) this.#hosts.set(host, true);
    return valid;
  }

  /** `https://registry.example.com`: scheme and host as the client wrote them, no path. */
  base(request: Request, peer: string | undefined): string {
    if (this.#fixed !== undefined) return this.#fixed.origin;
    const trusted = this.#trusts(peer);
    const scheme =
      (trusted && first(request.headers.get('x-forwarded-proto'))) || request.url.slice(0, request.url.indexOf(':'));
    const host = (trusted && first(request.headers.get('x-forwarded-host'))) || request.headers.get('host') || '';
    const base = `${/^https?$/.test(scheme) ? scheme : 'http'}://${host}`;
    return /^[a-zA-Z0-9.:[\]_-]+$/.test(host) && URL.canParse(base) ? base : 'http://localhost';
  }

  /** The client's address: the last one of `X-Forwarded-For` that is no trusted proxy, else the peer. */
  client(request: Request, peer: string | undefined): string {
    if (!this.#trusts(peer)) return plain(peer);
    const forwarded = request.headers.get('x-forwarded-for')?.split(',') ?? [];
    for (const hop of forwarded.reverse()) {
      const address = hop.trim();
      if (isIP(address) === 0) break;
      if (!this.#trusts(address)) return plain(address);
    }
    return plain(peer);
  }

  /** What decided over `base` and `client`, for people to see. */
  arrival(request: Request, peer: string | undefined): Arrival {
    const header = (name: string) => request.headers.get(name)?.slice(0, MOST_HEADER) ?? null;
    return {
      publicUrl: this.#fixed?.origin ?? null,
      forwarded: {
        proto: header('x-forwarded-proto'),
        host: header('x-forwarded-host'),
        for: header('x-forwarded-for'),
      },
      host: header('host'),
      trusted: this.#trusts(peer),
      peer: plain(peer),
    };
  }

  #trusts(address: string | undefined): boolean {
    const text = plain(address);
    const family = isIP(text);
    return family !== 0 && this.#trusted.check(text, family === 6 ? 'ipv6' : 'ipv4');
  }
}

function first(header: string | null): string | undefined {
  return header?.split(',')[0]?.trim();
}

/** IPv4 in its own notation, also when it came in through an IPv6 socket. */
function plain(address: string | undefined): string {
  return address?.startsWith('::ffff:') ? address.slice(7) : (address ?? '');
}
