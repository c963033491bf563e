import { type AgentReport, type WantedState, wantedState } from '../api/agent.ts';
import type { ClientTls } from './client-tls.ts';

/** The server didn't take or give what was asked. `status` is undefined when nothing answered. */
export class AgentCallError extends Error {
  override readonly name = 'AgentCallError';

  constructor(
    message: string,
    readonly status?: number,
    /** How long the server asks to be left alone, in ms. */
    readonly retryAfterMs?: number,
  ) {
    super(message);
  }

  /** Whether the token is not, or no longer, good. */
  get refused(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

/** `etag` is for the next time. */
export interface FetchedState {
  state: WantedState;
  etag: string | undefined;
}

const ANSWER_WITHIN_MS = 30_000;
/** A server sends a sign of life more often than that. */
const SILENT_FOR_MS = 60_000;
const MOST_WAIT_MS = 10 * 60_000;

/** What an agent says to its server. Every method throws AgentCallError, or what its signal was aborted with. */
export class AgentClient {
  readonly server: string;

  /** @param server `https://berth.example.com` */
  constructor(
    server: string,
    private readonly token: string,
    private readonly userAgent = 'berth-agent',
    private readonly tls?: ClientTls,
  ) {
    this.server = server.replace(/\/+$/, '');
    if (!/^[\x21-\x7e]+$/.test(token)) throw new TypeError('the token has characters that none has');
  }

  /** The wanted state; undefined when it is the one of this ETag. */
  async state(etag: string | undefined, signal: AbortSignal): Promise<FetchedState | undefined> {
    const headers = etag === undefined ? {} : { 'If-None-Match': etag };
    const response = await this.#send('GET', '/api/v1/agent/state', { headers, signal, also: 304 });
    if (response.status === 304) {
      await response.body?.cancel();
      return undefined;
    }
    const result = wantedState.safeParse(await this.#json(response));
    if (!result.success) throw new AgentCallError(`what answers at ${this.server} is no Berth of this version`);
    return { state: result.data, etag: response.headers.get('etag') ?? undefined };
  }

  async report(report: AgentReport, signal: AbortSignal): Promise<void> {
    const body = JSON.stringify(report);
    const headers = { 'Content-Type': 'application/json' };
    const response = await this.#send('POST', '/api/v1/agent/report', { headers, body, signal });
    await response.body?.cancel();
  }

  /** The names of the server's events as they come, until it ends the stream. The first, `open`, is the connection itself. */
  async *events(signal: AbortSignal): AsyncIterable<string> {
    const silent = new AbortController();
    const either = AbortSignal.any([signal, silent.signal]);
    const headers = { Accept: 'text/event-stream' };
    let timer = setTimeout(() => silent.abort(), ANSWER_WITHIN_MS);
    try {
      const response = await this.#send('GET', '/api/v1/agent/events', { headers, signal: either, endless: true });
      yield 'open';
      const decoder = new TextDecoder();
      let rest = '';
      for await (const chunk of response.body ?? []) {
        clearTimeout(timer);
        timer = setTimeout(() => silent.abort(), SILENT_FOR_MS);
        const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n/);
        rest = (lines.pop() ?? '').slice(-10_000);
        for (const line of lines) {
          const name = /^event: ?(.*)$/.exec(line)?.[1];
          if (name !== undefined) yield name;
        }
      }
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof AgentCallError ? error : this.#unreachable(error);
    } finally {
      clearTimeout(timer);
      silent.abort();
    }
  }

  async #send(
    method: string,
    path: string,
    options: { headers: Record<string, string>; body?: string; signal: AbortSignal; also?: number; endless?: boolean },
  ): Promise<Response> {
    const { headers, body, signal, also, endless } = options;
    let response: Response;
    let text: string;
    try {
      response = await fetch(this.server + path, {
        method,
        // A redirect could lead the token elsewhere.
        redirect: 'manual',
        signal: endless ? signal : AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
        headers: { Authorization: `Bearer ${this.token}`, 'User-Agent': this.userAgent, ...headers },
        ...(body === undefined ? {} : { body }),
        ...(this.tls === undefined ? {} : { tls: this.tls }),
      });
      if (response.ok || response.status === also) return response;
      text = (await response.text()).slice(0, 2_000);
    } catch (error) {
      signal.throwIfAborted();
      throw this.#unreachable(error);
    }
    const detail = /"detail":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? `status ${response.status}`;
    throw new AgentCallError(`${this.server}: ${detail}`, response.status, retryAfter(response));
  }

  async #json(response: Response): Promise<unknown> {
    try {
      return await response.json();
    } catch (error) {
      throw this.#unreachable(error);
    }
  }

  #unreachable(error: unknown): AgentCallError {
    return new AgentCallError(
      `no Berth answers at ${this.server} (${error instanceof Error ? error.message : 'unknown error'})`,
    );
  }
}

/** RFC 9110 "Retry-After": seconds, or a date. */
function retryAfter(response: Response): number | undefined {
  const value = response.headers.get('retry-after');
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), MOST_WAIT_MS) : undefined;
}
