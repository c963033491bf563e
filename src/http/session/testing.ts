import { createHmac } from 'node:crypto';
import pino from 'pino';
import type { AccountsContext } from '../../accounts/context.ts';
import { Passwords } from '../../accounts/passwords.ts';
import { PermissionReader } from '../../accounts/permission-reader.ts';
import { createUser } from '../../accounts/users.ts';
import { migrate } from '../../database/migrate.ts';
import type { DatabasePlace } from '../../database/test-databases.ts';
import { ERRORS, OciError } from '../../oci/errors.ts';
import { compilePath, pathOf } from '../route.ts';
import type { OidcProvider } from './discovery.ts';
import { SESSION_ROUTES, type SessionRouteName } from './endpoints.ts';
import { createSessions, type Sessions } from './sessions.ts';

export const PASSWORD = 'correct horse battery';

/** Sessions with real parts: an empty database, real hashes, and a clock that a test can move. */
export interface TestSessions {
  sessions: Sessions;
  accounts: AccountsContext;
  passwords: Passwords;
  secret: string;
  /** What was logged. */
  lines: string[];
  /** Moves the clock of Berth, not that of better-auth. */
  advance(ms: number): void;
  addUser(username: string): Promise<string>;
  /** Answers as the route table does: errors become `{ code, detail }`. */
  respond(request: Request, from?: { source?: string; base?: string }): Promise<Response>;
}

export async function openTestSessions(place: DatabasePlace, oidc: OidcProvider[] = []): Promise<TestSessions> {
  const database = place.open();
  await migrate(database);
  let ahead = 0;
  const accounts: AccountsContext = {
    database,
    now: () => Date.now() + ahead,
    newId: () => crypto.randomUUID(),
    policy: { anonymous: 'none', signUp: 'open' },
  };
  const passwords = new Passwords();
  const secret = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url');
  const lines: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
  const sessions = createSessions({ accounts, reader: new PermissionReader(database), passwords, secret, log, oidc });
  return {
    sessions,
    accounts,
    passwords,
    secret,
    lines,
    advance: (ms) => {
      ahead += ms;
    },
    async addUser(username) {
      const user = { username, password: PASSWORD };
      const origin = { name: 'test', source: '192.0.2.1' };
      return (await createUser(accounts, passwords, user, origin, { adopt: false })).id;
    },
    respond: (request, from = {}) => respond(sessions, request, from),
  };
}

const ROUTES = Object.entries(SESSION_ROUTES).map(([name, route]) => ({ name, ...route, ...compilePath(route.path) }));

async function respond(
  sessions: Sessions,
  request: Request,
  from: { source?: string; base?: string },
): Promise<Response> {
  const path = pathOf(request.url);
  const route = ROUTES.find((entry) => entry.method === request.method && entry.pattern.test(path));
  if (route === undefined) return new Response(`nothing at ${request.method} ${path}`, { status: 404 });
  const match = route.pattern.exec(path);
  try {
    return await sessions.handle(route.name as SessionRouteName, {
      request,
      source: from.source ?? '192.0.2.1',
      base: from.base ?? new URL(request.url).origin,
      param: (name) => decodeURIComponent(match?.[route.names.indexOf(name) + 1] ?? ''),
      body: request.body === null ? undefined : await request.json(),
    });
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    return Response.json({ code: error.code, detail: error.message }, { status: ERRORS[error.code].status });
  }
}

/** Keeps cookies for each host as a browser does, and follows no redirect by itself. */
export class Browser {
  readonly #cookies = new Map<string, Map<string, string>>();

  constructor(
    readonly base: string,
    readonly fetch: (request: Request) => Promise<Response>,
  ) {}

  get(path: string): Promise<Response> {
    return this.send('GET', path);
  }

  post(path: string, body?: unknown): Promise<Response> {
    return this.send('POST', path, body);
  }

  async send(method: string, path: string, body?: unknown): Promise<Response> {
    const url = new URL(path, this.base);
    const headers = new Headers({ cookie: this.header(url) });
    if (body !== undefined) headers.set('content-type', 'application/json');
    return this.submit(
      new Request(url, {
        method,
        headers,
        redirect: 'manual',
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    );
  }

  /** A form, as a page of another server sends it. */
  async form(url: URL, fields: Record<string, string>): Promise<Response> {
    const headers = { cookie: this.header(url) };
    return this.submit(
      new Request(url, { method: 'POST', headers, redirect: 'manual', body: new URLSearchParams(fields) }),
    );
  }

  cookie(name: string): string | undefined {
    return this.#jar(new URL(this.base)).get(name);
  }

  setCookie(name: string, value: string): void {
    this.#jar(new URL(this.base)).set(name, value);
  }

  header(url: URL): string {
    return [...this.#jar(url)].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  /** A request with the cookies of this browser, for `identify`. */
  request(): Request {
    return new Request(this.base, { headers: { cookie: this.header(new URL(this.base)) } });
  }

  async submit(request: Request): Promise<Response> {
    const response = await this.fetch(request);
    const jar = this.#jar(new URL(request.url));
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
      const name = pair.slice(0, pair.indexOf('='));
      const value = pair.slice(pair.indexOf('=') + 1);
      const over = attributes.some((text) => /^max-age=0$/i.test(text) || /^expires=Thu, 01 Jan 1970/i.test(text));
      if (over) jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  }

  #jar(url: URL): Map<string, string> {
    const jar = this.#cookies.get(url.host) ?? new Map<string, string>();
    this.#cookies.set(url.host, jar);
    return jar;
  }
}

/** What an authenticator app shows (RFC 6238). @param at ms since 1970 */
export function authenticatorCode(secret: string, at = Date.now()): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const digest = createHmac('sha1', fromBase32(secret)).update(counter).digest();
  const offset = (digest.at(-1) ?? 0) & 0xf;
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

function fromBase32(text: string): Buffer {
  const bits = [...text.replace(/=+$/, '')]
    .map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'))
    .join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}
