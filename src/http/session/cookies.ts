import { createHmac, timingSafeEqual } from 'node:crypto';
import { SESSION_SECONDS } from '../../accounts/web-sessions.ts';

/** Before the names of all cookies of the session. */
export const COOKIE_PREFIX = 'berth';

const SESSION = 'session_token';
const TWO_FACTOR = 'two_factor';

/** A browser takes a cookie of such a name over https alone, so that nobody on the way can plant one over http. */
const SECURE = '__Secure-';

/** better-auth's cookies: `<value>.<signature>`, percent-encoded; the signature is HMAC-SHA256 in base64. */
export class SessionCookies {
  readonly #secret: string;

  constructor(secret: string) {
    this.#secret = secret;
  }

  /** The session's token; undefined without a cookie that this instance has signed. */
  sessionToken(headers: Headers): string | undefined {
    return this.#signed(headers, SESSION);
  }

  /** The name of the log-in whose second factor is still to come. */
  challenge(headers: Headers): string | undefined {
    return this.#signed(headers, TWO_FACTOR);
  }

  /** The token of a session that a response sets. */
  issuedToken(headers: Headers): string | undefined {
    for (const cookie of headers.getSetCookie()) {
      const [name, value] = pair(cookie.split(';', 1)[0] ?? '');
      if (name !== `${COOKIE_PREFIX}.${SESSION}` && name !== `${SECURE}${COOKIE_PREFIX}.${SESSION}`) continue;
      const token = this.#verified(value);
      if (token !== undefined) return token;
    }
    return undefined;
  }

  /** Of the cookies that a response sets, those of a log-in whose second factor is still to come: who was logged in before still is. */
  challengeCookies(headers: Headers): string[] {
    return headers.getSetCookie().filter((cookie) => cookie.includes(`${COOKIE_PREFIX}.${TWO_FACTOR}=`));
  }

  /** `Set-Cookie` for a session, or for the end of one. */
  setSession(token: string | undefined, secure: boolean): string {
    const value = token === undefined ? '' : encodeURIComponent(`${token}.${this.#signature(token)}`);
    const age = token === undefined ? 0 : SESSION_SECONDS;
    const name = `${secure ? SECURE : ''}${COOKIE_PREFIX}.${SESSION}`;
    return `${name}=${value}; Max-Age=${age}; Path=/; HttpOnly;${secure ? ' Secure;' : ''} SameSite=Lax`;
  }

  #signed(headers: Headers, name: string): string | undefined {
    const cookies = parseCookies(headers.get('cookie'));
    const value = cookies.get(`${SECURE}${COOKIE_PREFIX}.${name}`) ?? cookies.get(`${COOKIE_PREFIX}.${name}`);
    return value === undefined ? undefined : this.#verified(value);
  }

  #verified(encoded: string): string | undefined {
    let text: string;
    try {
      text = decodeURIComponent(encoded);
    } catch {
      return undefined;
    }
    const dot = text.lastIndexOf('.');
    if (dot < 1) return undefined;
    const value = text.slice(0, dot);
    const given = Buffer.from(text.slice(dot + 1));
    const right = Buffer.from(this.#signature(value));
    return given.length === right.length && timingSafeEqual(given, right) ? value : undefined;
  }

  #signature(value: string): string {
    return createHmac('sha256', this.#secret).update(value).digest('base64');
  }
}

/** The `Cookie` header without the session: for a step that must not look at who is logged in. */
export function withoutSession(header: string | null): string {
  return [...parseCookies(header)]
    .filter(([name]) => !name.endsWith(`${COOKIE_PREFIX}.${SESSION}`))
    .map(([name, value]) => `${name}=${value}`)
    .join('; ');
}

/** Of several of a name the first counts: browsers send the one of the longest path first. */
function parseCookies(header: string | null): Map<string, string> {
  const cookies = new Map<string, string>();
  for (const part of header?.split(';') ?? []) {
    const [name, value] = pair(part);
    if (name !== '' && !cookies.has(name)) cookies.set(name, value);
  }
  return cookies;
}

function pair(text: string): [string, string] {
  const equals = text.indexOf('=');
  return equals < 0 ? ['', ''] : [text.slice(0, equals).trim(), text.slice(equals + 1).trim()];
}
