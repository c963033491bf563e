import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { reading } from './body-reading.ts';
import type { Challenge } from './challenge.ts';
import { invalid, UpstreamError, unavailable } from './upstream-error.ts';

export interface UpstreamCredentials {
  username: string;
  password: string;
}

/** Docker Registry v2 token specification: without `expires_in` a token lives 60 s. */
const DEFAULT_LIFE_S = 60;
/** A token is asked for again so long before it expires. */
const EARLY_MS = 5_000;
const MOST_TOKENS = 1_000;
/** Characters of a token server's answer. */
const ANSWER_MOST = 1024 * 1024;

const answer = z.object({
  token: z.string().optional(),
  access_token: z.string().optional(),
  expires_in: z.number().optional(),
});

interface Kept {
  authorization: string;
  until: number;
}

/** Sends one request without an answer of 401 being handled; follows the transport's time-outs and retries. */
export type Send = (url: URL, headers: Record<string, string>) => Promise<Response>;

/**
 * The `Authorization` headers for one registry, a scope each: a token of the registry's token server (Bearer), or the credentials
 * themselves (Basic). Tokens are kept until shortly before they expire, and asked for once however many wait.
 */
export class RegistryTokens {
  readonly #origin: string;
  readonly #credentials: UpstreamCredentials | undefined;
  readonly #send: Send;
  readonly #now: () => number;
  readonly #idleMs: number;
  readonly #kept = new LRUCache<string, Kept>({ max: MOST_TOKENS });
  readonly #asked = new Map<string, Promise<string>>();
  #basic = false;

  constructor(options: {
    origin: string;
    credentials: UpstreamCredentials | undefined;
    send: Send;
    now: () => number;
    /** How long an answer's body may be silent, in ms. */
    idleMs: number;
  }) {
    this.#origin = options.origin;
    this.#credentials = options.credentials;
    this.#send = options.send;
    this.#now = options.now;
    this.#idleMs = options.idleMs;
  }

  get hasCredentials(): boolean {
    return this.#credentials !== undefined;
  }

  /** What is known already for a scope. */
  known(scope: string): string | undefined {
    if (this.#basic) return this.#basicHeader();
    const kept = this.#kept.get(scope);
    return kept !== undefined && kept.until > this.#now() ? kept.authorization : undefined;
  }

  /** The answer to a 401's challenges. @throws UpstreamError unauthorized when there is none to give */
  async answer(challenges: readonly Challenge[], scope: string): Promise<string> {
    const bearer = challenges.find((challenge) => challenge.scheme === 'bearer' && challenge.parameters.realm);
    if (bearer !== undefined) {
      const asked = this.#asked.get(scope) ?? this.#fetch(bearer, scope).finally(() => this.#asked.delete(scope));
      this.#asked.set(scope, asked);
      return asked;
    }
    const basic = challenges.some((challenge) => challenge.scheme === 'basic');
    if (!basic || this.#credentials === undefined)
      throw new UpstreamError({ kind: 'unauthorized' }, 'it asks for a log-in');
    this.#basic = true;
    return this.#basicHeader();
  }

  /** A header that was refused is not tried again. */
  forget(scope: string): void {
    this.#basic = false;
    this.#kept.delete(scope);
  }

  async #fetch(bearer: Challenge, wanted: string): Promise<string> {
    const realm = this.#realm(bearer.parameters.realm ?? '');
    const { service } = bearer.parameters;
    if (service !== undefined) realm.searchParams.set('service', service);
    // The scope that the registry names, when it names one: it knows what it needs for this request. It may not name what a mount reads.
    const [own = '', ...besides] = wanted.split(' ');
    for (const part of [...(bearer.parameters.scope || own).split(' '), ...besides]) {
      if (part !== '') realm.searchParams.append('scope', part);
    }
    const credentials = this.#credentials;
    if (credentials !== undefined) realm.searchParams.set('account', credentials.username);
    const response = await this.#send(realm, credentials === undefined ? {} : { authorization: this.#basicHeader() });
    if (response.status === 401 || response.status === 403) {
      await response.body?.cancel();
      const why =
        credentials === undefined
          ? 'it gives no token without a log-in'
          : `it refuses the log-in of ${credentials.username}`;
      throw new UpstreamError({ kind: 'unauthorized' }, why);
    }
    if (!response.ok) {
      await response.body?.cancel();
      throw unavailable(`its token server ${realm.host} answers ${response.status}`);
    }
    const read = answer.safeParse(await this.#document(response).catch(() => undefined));
    const token = read.data?.token ?? read.data?.access_token;
    if (token === undefined || token === '') throw unavailable(`its token server ${realm.host} gives no token`);
    const authorization = `Bearer ${token}`;
    const lifeMs = Math.max(read.data?.expires_in ?? DEFAULT_LIFE_S, 0) * 1_000;
    this.#kept.set(wanted, { authorization, until: this.#now() + lifeMs - EARLY_MS });
    return authorization;
  }

  /** Whoever wants a token waits for this, so a server that stands still is left. */
  async #document({ body }: Response): Promise<unknown> {
    const decoder = new TextDecoder();
    let text = '';
    for await (const piece of reading(body, this.#idleMs, undefined)) {
      text += decoder.decode(piece, { stream: true });
      if (text.length > ANSWER_MOST) return undefined;
    }
    return JSON.parse(text);
  }

  /** A password never goes out in plain text because a registry says so. */
  #realm(text: string): URL {
    if (!URL.canParse(text, this.#origin)) throw invalid(`its token server has no address: ${JSON.stringify(text)}`);
    const realm = new URL(text, this.#origin);
    if (realm.protocol !== 'https:' && !(realm.protocol === 'http:' && this.#origin.startsWith('http:'))) {
      throw invalid(`its token server ${realm.origin} is not reached by HTTPS`);
    }
    return realm;
  }

  #basicHeader(): string {
    const { username, password } = this.#credentials ?? { username: '', password: '' };
    return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  }
}
