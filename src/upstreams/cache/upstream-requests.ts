import { OciError } from '../../oci/errors.ts';
import type { CachePrefix } from '../../registry/cache-prefixes.ts';
import type { UpstreamsContext } from '../context.ts';
import type { RegistryClient } from '../registry-client.ts';
import type { Patience } from '../registry-transport.ts';
import { UpstreamClients } from '../upstream-clients.ts';
import { UpstreamError } from '../upstream-error.ts';

/** Registries limit the two apart: Docker Hub counts manifests, and blobs come from elsewhere. */
export type UpstreamPart = 'manifests' | 'blobs';

/** Clients wait for the answer, and containerd gives up after 30 s. */
export const CACHE_PATIENCE: Partial<Patience> = {
  tries: 3,
  pauseMs: 200,
  longestPauseMs: 1_000,
  answerMs: 8_000,
  idleMs: 30_000,
};
/** All tries of one question together. */
const ASK_MS = 20_000;
/** An upstream that answers 429 and does not say until when is left alone for so long. */
const LIMITED_MS = 60_000;
/** And one that does not answer. */
const AWAY_MS = 5_000;
const MOST_PAUSE_MS = 24 * 60 * 60_000;

interface Pause {
  until: number;
  kind: 'rate-limited' | 'unavailable';
  why: string;
}

/**
 * Questions to the upstreams of caches. One that answered 429, or not at all, is left alone until the time that it said, by every process
 * that shares the database: the time is read before each question.
 */
export class UpstreamRequests {
  readonly #context: UpstreamsContext;
  readonly #clients: UpstreamClients;

  constructor(context: UpstreamsContext, patience: Partial<Patience> = {}) {
    this.#context = context;
    this.#clients = new UpstreamClients(context, { ...CACHE_PATIENCE, ...patience });
  }

  /** Asks, unless the upstream is to be left alone. @throws UpstreamError */
  async ask<T>(
    cache: CachePrefix,
    part: UpstreamPart,
    question: (client: RegistryClient, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const client = await this.client(cache, part);
    const late = AbortSignal.timeout(ASK_MS);
    try {
      return await question(client, late);
    } catch (error) {
      const failure = late.aborted ? slow(cache) : error;
      if (failure instanceof UpstreamError) await this.note(cache, part, failure);
      throw failure;
    }
  }

  /** For what takes longer than a question: whoever uses it tells `note` how it failed. @throws UpstreamError */
  async client(cache: CachePrefix, part: UpstreamPart): Promise<RegistryClient> {
    const pause = await this.#pause(cache.upstream, part);
    if (pause !== undefined) throw new UpstreamError({ kind: pause.kind, retryAt: pause.until }, pause.why);
    try {
      return await this.#clients.open(cache.upstream);
    } catch (error) {
      // A password that can't be read says nothing about what is there.
      if (!(error instanceof OciError)) throw error;
      throw new UpstreamError({ kind: 'unauthorized' }, error.message, { cause: error });
    }
  }

  /** Writes down from when on an upstream may be asked again. */
  async note(cache: CachePrefix, part: UpstreamPart, error: UpstreamError): Promise<void> {
    const { failure, message } = error;
    if (failure.kind !== 'rate-limited' && failure.kind !== 'unavailable') return;
    const now = this.#context.now();
    const unsaid = failure.kind === 'rate-limited' ? LIMITED_MS : part === 'manifests' ? AWAY_MS : 0;
    const until = Math.min(failure.retryAt ?? now + unsaid, now + MOST_PAUSE_MS);
    if (until <= now) return;
    const row = { until, kind: failure.kind, why: message.slice(0, 500) };
    await this.#context.database.relaxedTransaction((tx) =>
      tx
        .insertInto('cache_pauses')
        .values({ upstream: cache.upstream, part, ...row })
        .onConflict((conflict) =>
          conflict.columns(['upstream', 'part']).doUpdateSet(row).where('cache_pauses.until', '<', until),
        )
        .execute(),
    );
  }

  async #pause(upstream: string, part: UpstreamPart): Promise<Pause | undefined> {
    return this.#context.database.read
      .selectFrom('cache_pauses')
      .select(['until', 'kind', 'why'])
      .where('upstream', '=', upstream)
      .where('part', '=', part)
      .where('until', '>', this.#context.now())
      .executeTakeFirst();
  }
}

/** What a client is told of a failure when nothing is here to serve instead. What is not known to be absent is never said to be. */
export function toldOf(error: UpstreamError, cache: CachePrefix, now: number, absent: () => OciError): OciError {
  const { failure } = error;
  const reason = `${cache.prefix} is a cache of ${cache.address}, and what is asked for is not in it yet: ${error.message}`;
  const detail = { cache: cache.prefix, upstream: cache.address };
  switch (failure.kind) {
    case 'not-found':
      return absent();
    case 'unauthorized':
      return new OciError('DENIED', `${reason}; or it has no such repository`, detail, { cause: error });
    case 'rate-limited':
      return new OciError('TOOMANYREQUESTS', reason, { ...detail, ...retryAfter(failure.retryAt, now) });
    case 'unavailable':
      return new OciError('UNAVAILABLE', reason, { ...detail, ...retryAfter(failure.retryAt, now) });
    case 'invalid':
      return new OciError('UNAVAILABLE', reason, detail);
  }
}

function retryAfter(retryAt: number | undefined, now: number): { retryAfter?: number } {
  return retryAt === undefined ? {} : { retryAfter: Math.max(1, Math.ceil((retryAt - now) / 1_000)) };
}

function slow(cache: CachePrefix): UpstreamError {
  const message = `${cache.address} did not answer within ${ASK_MS / 1_000} s`;
  return new UpstreamError({ kind: 'unavailable', retryAt: undefined }, message);
}
