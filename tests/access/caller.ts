// Sends requests as somebody, and remembers every secret that goes either way: none may be in a log.
import { Database } from 'bun:sqlite';
import { expect, test } from 'bun:test';
import { join } from 'node:path';
import type { RunningBerth } from '../support/berth.ts';
import { Registry } from '../support/registry.ts';
import { noServerError } from '../support/serve.ts';
import type { Answer } from '../support/wire.ts';

export interface Parts {
  /** The value of `Authorization`. */
  as?: string | undefined;
  headers?: Record<string, string>;
  json?: unknown;
  form?: Record<string, string>;
  body?: string | Uint8Array;
}

/** Fields whose values are secrets, in bodies of either direction. */
const SECRET_FIELDS = new Set([
  'access_token',
  'backupCodes',
  'currentPassword',
  'newPassword',
  'password',
  'refresh_token',
  'secret',
  'token',
]);

export class Caller {
  readonly secrets = new Set<string>();
  readonly #registry: Registry;
  readonly #former: Caller | undefined;

  /** @param former whose secrets and log count as well */
  constructor(
    readonly berth: RunningBerth,
    former?: Caller,
  ) {
    this.#registry = new Registry(berth.port, noServerError);
    this.#former = former;
    for (const secret of former?.secrets ?? []) this.secrets.add(secret);
  }

  /** All that the server has logged. */
  log(): string {
    return (this.#former?.log() ?? '') + this.berth.output();
  }

  /** @throws when the answer is a 5xx or holds a stack trace */
  async send(method: string, path: string, parts: Parts = {}): Promise<Answer> {
    const { as, json, form } = parts;
    const headers = { ...parts.headers };
    if (as !== undefined) headers.Authorization = as;
    let { body } = parts;
    if (json !== undefined) {
      headers['Content-Type'] ??= 'application/json';
      body = JSON.stringify(json);
      this.#learn(json);
    }
    if (form !== undefined) {
      headers['Content-Type'] = 'application/x-www-form-urlencoded';
      body = new URLSearchParams(form).toString();
      this.#learn(form);
    }
    this.#learnHeaders(headers);
    const answer = await this.#registry.request(method, path, { headers, ...(body === undefined ? {} : { body }) });
    for (const cookie of answer.headers.getSetCookie()) this.#learnCookie(cookie.split(';', 1)[0] ?? '');
    if (/json/.test(answer.headers.get('content-type') ?? '') && answer.body.length > 0) {
      try {
        this.#learn(answer.json());
      } catch {
        // JSON lines
      }
    }
    return answer;
  }

  /** @throws when the answer has another status */
  async expect(status: number, method: string, path: string, parts: Parts = {}): Promise<Answer> {
    const answer = await this.send(method, path, parts);
    if (answer.status === status) return answer;
    throw new Error(`${method} ${path} → ${answer.status}, not ${status}: ${answer.text().slice(0, 500)}`);
  }

  close(): void {
    this.#registry.close();
  }

  remember(secret: string): void {
    if (secret.length >= 8) this.secrets.add(secret);
  }

  #learnHeaders(headers: Record<string, string>): void {
    const { Authorization = '', Cookie = '' } = headers;
    const [scheme = '', value = ''] = Authorization.split(' ', 2);
    this.remember(value);
    if (scheme.toLowerCase() === 'basic') {
      const text = Buffer.from(value, 'base64').toString('utf8');
      this.remember(text.slice(text.indexOf(':') + 1));
    }
    for (const cookie of Cookie.split('; ')) this.#learnCookie(cookie);
  }

  #learnCookie(pair: string): void {
    const value = pair.slice(pair.indexOf('=') + 1);
    this.remember(value);
    // The token itself, without its signature.
    this.remember(value.split(/\.|%2E/i, 1)[0] ?? '');
  }

  #learn(value: unknown, field = ''): void {
    if (typeof value === 'string' && SECRET_FIELDS.has(field)) this.remember(value);
    if (Array.isArray(value)) for (const entry of value) this.#learn(entry, field);
    else if (typeof value === 'object' && value !== null) {
      for (const [key, entry] of Object.entries(value)) this.#learn(entry, key);
    }
  }
}

/** The last test of a file: what the server has logged by then, on level debug, and the audit log hold no secret that went either way. */
export function testLog(caller: () => Caller): void {
  test('nothing secret of all this is in the log, or in the audit log', () => {
    const { berth, secrets } = caller();
    // The set-up link is printed to be used.
    const log = caller()
      .log()
      .replace(/^.*\/setup\?secret=.*$/gm, '');
    expect(log).toContain('"level":"debug"');
    expect(secrets.size).toBeGreaterThan(2);
    expect([...secrets].filter((secret) => log.includes(secret))).toEqual([]);
    const database = new Database(join(berth.data, 'berth.db'), { readonly: true });
    const audit = JSON.stringify(database.query('select * from audit_log').all());
    database.close();
    expect(audit).toContain('user.create');
    expect([...secrets].filter((secret) => audit.includes(secret))).toEqual([]);
  });
}
