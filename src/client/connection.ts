import { z } from 'zod';
import type { ClientTls } from './client-tls.ts';
import { ApiError, ServerUnreachableError } from './errors.ts';
import { type Query, withQuery } from './path.ts';

/** What a client shows of itself. */
export type Credential =
  | { kind: 'token'; token: string }
  /** HTTP Basic; an access token may take the place of the password. */
  | { kind: 'password'; username: string; password: string };

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A page of a list; its cursor is for `?last=`. */
interface Page {
  next: string | null;
}

const problem = z.object({ detail: z.string(), code: z.string(), requestId: z.string().optional() });

const ANSWER_WITHIN_MS = 30_000;
/** What one page holds at most. */
const PAGE = 1_000;

/** Requests to one server, with one credential. Every method throws ApiError or ServerUnreachableError; neither names a secret. */
export class Connection {
  readonly server: string;
  readonly #authorization: string | undefined;

  /** @param server `http://localhost:5000` */
  constructor(
    server: string,
    credential?: Credential,
    private readonly tls?: ClientTls,
  ) {
    this.server = server.replace(/\/+$/, '');
    this.#authorization = credential === undefined ? undefined : authorizationOf(credential);
  }

  /** The answer, checked. */
  async call<T>(schema: z.ZodType<T>, method: Method, path: string, body?: unknown): Promise<T> {
    const result = schema.safeParse(json(await this.#send(method, path, body)));
    if (!result.success) throw this.#noBerth();
    return result.data;
  }

  /** One page of a list, as it is. */
  page<T>(schema: z.ZodType<T>, path: string, query: Query): Promise<T> {
    return this.call(schema, 'GET', withQuery(path, query));
  }

  /** For a route that answers with nothing. */
  async send(method: Method, path: string, body?: unknown): Promise<void> {
    await this.#send(method, path, body);
  }

  /**
   * The entries of a list, a page at a time.
   *
   * @param entries what of a page they are
   * @param limit at most so many
   */
  async *list<P extends Page, Entry>(
    schema: z.ZodType<P>,
    path: string,
    entries: (page: P) => readonly Entry[],
    options: { query?: Query; limit?: number } = {},
  ): AsyncIterable<Entry> {
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    let last: string | undefined;
    while (left > 0) {
      const query = { ...options.query, n: String(Math.min(left, PAGE)), last };
      const page: P = await this.call(schema, 'GET', withQuery(path, query));
      for (const entry of entries(page).slice(0, left)) {
        yield entry;
        left--;
      }
      if (page.next === null) return;
      last = page.next;
    }
  }

  /**
   * An answer that goes on until the server or the signal ends it.
   *
   * @throws ApiError, ServerUnreachableError
   */
  async stream(
    path: string,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>> {
    let response: Response;
    let text: string;
    try {
      response = await fetch(this.server + path, {
        redirect: 'manual',
        signal,
        ...(this.tls === undefined ? {} : { tls: this.tls }),
        headers: { ...headers, ...(this.#authorization === undefined ? {} : { Authorization: this.#authorization }) },
      });
      if (response.ok && response.body !== null) return response.body;
      text = await response.text();
    } catch (error) {
      throw this.#unreachable(error);
    }
    throw this.#refusal(response, text);
  }

  async #send(method: Method, path: string, body: unknown): Promise<string> {
    let response: Response;
    let text: string;
    try {
      response = await fetch(this.server + path, {
        method,
        // A redirect could lead the credential elsewhere, and turns a POST into a GET.
        redirect: 'manual',
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
        ...(this.tls === undefined ? {} : { tls: this.tls }),
        headers: {
          Accept: 'application/json',
          ...(this.#authorization === undefined ? {} : { Authorization: this.#authorization }),
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      text = await response.text();
    } catch (error) {
      throw this.#unreachable(error);
    }
    if (response.ok) return text;
    throw this.#refusal(response, text);
  }

  #unreachable(error: unknown): ServerUnreachableError {
    return new ServerUnreachableError(
      `no Berth answers at ${this.server} (${error instanceof Error ? error.message : 'unknown error'}); ${adviceFor(error)}`,
      { cause: error },
    );
  }

  #refusal(response: Response, text: string): ApiError | ServerUnreachableError {
    const known = problem.safeParse(json(text));
    if (known.success) return new ApiError({ status: response.status, ...known.data });
    if (response.status >= 300 && response.status < 400) {
      return new ServerUnreachableError(
        `${this.server} redirects to ${(response.headers.get('location') ?? 'elsewhere').slice(0, 300)}; give that address with --server or BERTH_SERVER`,
      );
    }
    return new ServerUnreachableError(
      `what answers at ${this.server} is no Berth (status ${response.status}); give its address with --server or BERTH_SERVER`,
    );
  }

  #noBerth(): ServerUnreachableError {
    return new ServerUnreachableError(`what answers at ${this.server} is no Berth of this version`);
  }
}

/** Codes of OpenSSL's verification, `X509_V_ERR_…`: no known authority has signed it. */
const UNTRUSTED = /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)_\w+)$/;

function adviceFor(error: unknown): string {
  return authorityAdvice(error) ?? 'give its address with --server or BERTH_SERVER';
}

/** For the error of a request that failed because the server's certificate is of an unknown authority; else undefined. */
export function authorityAdvice(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return UNTRUSTED.test(code) ? 'trust its authority with --ca FILE or BERTH_CA' : undefined;
}

/** undefined for what is no JSON */
function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws TypeError for a token that no header can hold; the runtime's own error would print it */
function authorizationOf(credential: Credential): string {
  if (credential.kind === 'token') {
    if (!/^[\x21-\x7e]+$/.test(credential.token)) throw new TypeError('the token has characters that none has');
    return `Bearer ${credential.token}`;
  }
  const bytes = new TextEncoder().encode(`${credential.username}:${credential.password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}
