import { reading } from './body-reading.ts';
import { parseChallenges } from './challenge.ts';
import type { RegistryAddress } from './registry-address.ts';
import { RegistryTokens, type UpstreamCredentials } from './registry-tokens.ts';
import { invalid, isNotFound, UpstreamError, unavailable } from './upstream-error.ts';

export interface Patience {
  /** How often a request is tried in all. */
  tries: number;
  /** The first pause between two tries, in ms; each further one is twice as long. */
  pauseMs: number;
  /** The longest pause, also when `Retry-After` asks for more: then it is not waited for at all, in ms. */
  longestPauseMs: number;
  /** How long the head of an answer may take, in ms. */
  answerMs: number;
  /** How long a body may be silent, in ms. */
  idleMs: number;
}

/** What a person waits for at a command. */
export const PATIENT: Patience = {
  tries: 6,
  pauseMs: 500,
  longestPauseMs: 60_000,
  answerMs: 60_000,
  idleMs: 60_000,
};

/** Sends one request. */
export type Fetch = (url: URL, init: BunFetchRequestInit) => Promise<Response>;

export interface TransportOptions {
  address: RegistryAddress;
  credentials?: UpstreamCredentials | undefined;
  /** Certificates (PEM) of a private authority, besides those that the system trusts. */
  ca?: string | undefined;
  /** The flag that takes them, for messages; `--ca` without it. */
  authorityFlag?: string;
  patience?: Partial<Patience>;
  fetch?: Fetch | undefined;
  now?: () => number;
  sleep?: (ms: number) => Promise<void>;
}

export interface UpstreamRequest {
  method?: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT';
  /** `/v2/…`, or a whole address of the same registry. */
  path: string;
  /** `repository:NAME:pull`; behind a space, what the registry may not ask for by itself. */
  scope: string;
  headers?: Record<string, string>;
  /** Made anew for each try. */
  body?: () => Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
  /** Whether it may be sent again after a failure. */
  once?: boolean;
  signal?: AbortSignal | undefined;
}

const MOST_REDIRECTS = 5;
const READS = new Set(['GET', 'HEAD']);
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const ERROR_MOST_BYTES = 16_384;

/**
 * Requests to one registry: logs in where it asks for it, follows redirects without taking the log-in to another host, waits and
 * tries again after 429, 5xx and cut connections, within bounds. Answers of 2xx come out; everything else is an `UpstreamError`.
 */
export class RegistryTransport {
  readonly address: RegistryAddress;
  readonly patience: Patience;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly #tokens: RegistryTokens;
  readonly #ca: string | undefined;
  readonly #authorityFlag: string;
  readonly #exchange: Fetch;

  constructor(options: TransportOptions) {
    this.address = options.address;
    this.patience = { ...PATIENT, ...options.patience };
    this.now = options.now ?? Date.now;
    this.sleep = options.sleep ?? Bun.sleep;
    this.#ca = options.ca;
    this.#authorityFlag = options.authorityFlag ?? '--ca';
    this.#exchange = options.fetch ?? fetch;
    this.#tokens = new RegistryTokens({
      origin: options.address.origin,
      credentials: options.credentials,
      now: this.now,
      idleMs: this.patience.idleMs,
      send: (url, headers) => this.#fetch(url, { method: 'GET', headers }),
    });
  }

  /** Whether the credentials were asked for, for what `scope` stands for, and are taken. */
  loggedIn(scope: string): boolean {
    return this.#tokens.hasCredentials && this.#tokens.known(scope) !== undefined;
  }

  /** The head of the answer; its body is to be read. @throws UpstreamError */
  send(request: UpstreamRequest): Promise<Response> {
    return this.#persist(request, () => this.#try(request));
  }

  /** An answer with all of its body, of `most` bytes at most. @throws UpstreamError */
  read(request: UpstreamRequest, most: number): Promise<{ headers: Headers; bytes: Uint8Array<ArrayBuffer> }> {
    return this.#persist(request, async () => {
      const { headers, body } = await this.#try(request);
      const pieces: Uint8Array[] = [];
      let size = 0;
      for await (const piece of reading(body, this.patience.idleMs, request.signal)) {
        size += piece.byteLength;
        if (size > most) throw invalid(`${this.#told(request)}: it sends more than ${most} bytes`);
        pieces.push(piece);
      }
      const length = headers.get('content-length');
      if (length !== null && Number(length) !== size)
        throw unavailable(`${this.#told(request)}: the connection was cut`);
      return { headers, bytes: new Uint8Array(Buffer.concat(pieces)) };
    });
  }

  async #persist<T>(request: UpstreamRequest, work: () => Promise<T>): Promise<T> {
    const tries = request.once ? 1 : this.patience.tries;
    for (let tried = 1; ; tried++) {
      try {
        return await work();
      } catch (error) {
        request.signal?.throwIfAborted();
        const pause = this.pauseAfter(error, tried);
        if (tried >= tries || pause === undefined) throw error;
        await this.sleep(pause);
        request.signal?.throwIfAborted();
      }
    }
  }

  /** How long to wait before the next try, in ms; undefined when another try is of no use or must wait too long. */
  pauseAfter(error: unknown, tried: number): number | undefined {
    if (!(error instanceof UpstreamError)) return undefined;
    const { failure } = error;
    if (failure.kind !== 'rate-limited' && failure.kind !== 'unavailable') return undefined;
    if (error.cause instanceof Permanent || error.status === 404) return undefined;
    const asked = failure.retryAt === undefined ? undefined : failure.retryAt - this.now();
    if (asked !== undefined) return asked > this.patience.longestPauseMs ? undefined : Math.max(asked, 0);
    const grown = this.patience.pauseMs * 2 ** (tried - 1);
    return Math.min(grown, this.patience.longestPauseMs) * (0.75 + Math.random() / 4);
  }

  async #try(request: UpstreamRequest): Promise<Response> {
    const { scope } = request;
    const known = this.#tokens.known(scope);
    const first = await this.#follow(request, known);
    if (first.response.status !== 401 || !first.own) return this.#judge(request, first.response);
    const challenges = parseChallenges(first.response.headers.get('www-authenticate'));
    await first.response.body?.cancel();
    if (known !== undefined) this.#tokens.forget(scope);
    let authorization: string;
    try {
      authorization = await this.#tokens.answer(challenges, scope);
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      throw new UpstreamError(error.failure, `${this.#told(request)}: ${error.message}`, { cause: error.cause });
    }
    const { response: second, own } = await this.#follow(request, authorization);
    if (second.status === 401 && own) this.#tokens.forget(scope);
    return this.#judge(request, second);
  }

  /** `own`: whether the registry itself answers at the end. Only it may ask for the log-in, and say where that is sent. */
  async #follow(
    request: UpstreamRequest,
    authorization: string | undefined,
  ): Promise<{ response: Response; own: boolean }> {
    const origin = new URL(this.address.origin);
    let url = new URL(request.path, origin);
    for (let redirects = 0; ; redirects++) {
      const own = url.origin === origin.origin;
      const headers = { ...request.headers, ...(own && authorization !== undefined ? { authorization } : {}) };
      const body = request.body?.();
      const response = await this.#fetch(url, {
        method: request.method ?? 'GET',
        headers,
        signal: request.signal,
        ...(body === undefined ? {} : { body }),
      });
      const location = response.headers.get('location');
      if (!REDIRECTS.has(response.status) || location === null || request.body !== undefined) return { response, own };
      await response.body?.cancel();
      if (redirects === MOST_REDIRECTS)
        throw unavailable(`${this.#told(request)}: more than ${MOST_REDIRECTS} redirects`);
      if (!URL.canParse(location, url)) throw unavailable(`${this.#told(request)}: a redirect to no address`);
      const next = new URL(location, url);
      const secure = next.protocol === 'https:' || (next.protocol === 'http:' && url.protocol === 'http:');
      if (!secure) throw unavailable(`${this.#told(request)}: a redirect from HTTPS to ${next.protocol}//${next.host}`);
      url = next;
    }
  }

  /** One exchange; a body that goes on is read with `reading`. */
  async #fetch(
    url: URL,
    request: {
      method: string;
      headers: Record<string, string>;
      body?: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
      signal?: AbortSignal | undefined;
    },
  ): Promise<Response> {
    const late = new AbortController();
    // A body that is sent takes as long as it takes.
    const timer = request.body === undefined ? setTimeout(() => late.abort(), this.patience.answerMs) : undefined;
    const signal = request.signal === undefined ? late.signal : AbortSignal.any([late.signal, request.signal]);
    try {
      return await this.#exchange(url, {
        method: request.method,
        headers: { 'accept-encoding': 'identity', 'user-agent': 'berth', ...request.headers },
        redirect: 'manual',
        decompress: false,
        timeout: false,
        signal,
        ...(request.body === undefined ? {} : { body: request.body }),
        ...(this.#ca === undefined ? {} : { tls: { ca: this.#ca } }),
      } as BunFetchRequestInit);
    } catch (error) {
      request.signal?.throwIfAborted();
      if (late.signal.aborted)
        throw unavailable(`${url.host} did not answer within ${this.patience.answerMs / 1_000} s`, error);
      throw unreachable(url, error, this.#authorityFlag);
    } finally {
      clearTimeout(timer);
    }
  }

  async #judge(request: UpstreamRequest, response: Response): Promise<Response> {
    if (response.ok) return response;
    const told = `${this.#told(request)} answers ${response.status}`;
    const retryAt = retryTime(response.headers.get('retry-after'), this.now());
    const errors = await registryErrors(response, this.patience.idleMs, request.signal);
    const said = errors === undefined || errors === '' ? '' : ` (${errors})`;
    const { status } = response;
    if (status === 401 || status === 403) {
      const writes = !READS.has(request.method ?? 'GET');
      // Quotas and immutable tags are refused so, too: then the registry's own words say it.
      const why =
        writes && status === 403 && said !== '' ? '' : `: it needs a log-in that may ${writes ? 'write' : 'read'} this`;
      throw new UpstreamError({ kind: 'unauthorized' }, `${told}${said}${why}`, { status });
    }
    if (status === 413) {
      const message = `${told}${said}: it is larger than the registry, or a proxy before it, takes`;
      throw new UpstreamError({ kind: 'invalid' }, message, { status });
    }
    if (status === 404) {
      if (errors !== undefined || request.method === 'HEAD') {
        throw new UpstreamError({ kind: 'not-found' }, `${told}${said}`, { status });
      }
      // A proxy or a wrong address says 404 to everything.
      const message = `${told}, but not as a registry does; is the address right?`;
      throw new UpstreamError({ kind: 'unavailable', retryAt }, message, { status });
    }
    if (status === 429) {
      const message = `${told}${said}: too many requests${until(retryAt)}`;
      throw new UpstreamError({ kind: 'rate-limited', retryAt }, message, { status });
    }
    const kind = status >= 500 || status === 408 ? 'unavailable' : 'invalid';
    throw new UpstreamError({ kind, retryAt }, `${told}${said}`, { status });
  }

  #told(request: UpstreamRequest): string {
    return `${this.address.shown}: ${request.method ?? 'GET'} ${request.path.split('?', 1)[0]}`;
  }
}

/** For HEAD: whether a 404 is the registry's is known only by asking with GET. */
export async function confirmed<T>(head: Promise<T>, get: () => Promise<T>): Promise<T> {
  try {
    return await head;
  } catch (error) {
    if (isNotFound(error)) return get();
    throw error;
  }
}

/** Marks what no second try mends. */
class Permanent extends Error {}

/** What the system's codes of a failed connection say. */
const REASONS: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ConnectionRefused: 'nothing listens there',
  ENOTFOUND: 'its name is not known',
  ECONNRESET: 'the connection was cut',
  ConnectionClosed: 'the connection was cut',
  ETIMEDOUT: 'it does not answer',
};

function unreachable(url: URL, error: unknown, authorityFlag: string): UpstreamError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reason = REASONS[code] ?? (error instanceof Error ? error.message : String(error));
  if (/CERT|SELF_SIGNED|VERIFY|ISSUER|ALTNAME/.test(code)) {
    const cause = new Permanent(reason, { cause: error });
    return unavailable(
      `${url.host}: its certificate is not trusted (${code}); name a private authority's file with ${authorityFlag}`,
      cause,
    );
  }
  if (code === 'EPROTO' || /SSL|TLS|WRONG_VERSION/.test(code)) {
    const cause = new Permanent(reason, { cause: error });
    return unavailable(`${url.host} does not speak HTTPS; write http:// before it when it is to be plain HTTP`, cause);
  }
  return unavailable(`${url.host} cannot be reached: ${reason}`, error);
}

/** The codes and messages of a registry's error body; undefined when the body is none. */
async function registryErrors(
  response: Response,
  idleMs: number,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  let text = '';
  try {
    const decoder = new TextDecoder();
    for await (const piece of reading(response.body, idleMs, signal)) {
      text += decoder.decode(piece, { stream: true });
      if (text.length > ERROR_MOST_BYTES) return undefined;
    }
    const { errors } = JSON.parse(text) as { errors?: unknown };
    if (!Array.isArray(errors)) return undefined;
    const lines = errors.map((entry: { code?: unknown; message?: unknown } | null) =>
      [entry?.code, entry?.message].filter((part) => typeof part === 'string').join(': '),
    );
    return lines.join('; ').slice(0, 300);
  } catch {
    return undefined;
  }
}

/** `Retry-After` (RFC 9110 §10.2.3): seconds or a date. */
function retryTime(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return now + Number(header) * 1_000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : date;
}

function until(retryAt: number | undefined): string {
  return retryAt === undefined ? '' : `; again from ${new Date(retryAt).toISOString()}`;
}
