import type { EventsContext } from './context.ts';
import { prune } from './pruning.ts';
import { finishAttempt, leaveWebhook, nextDelivery, type Outcome, takeWebhook, waitingWebhooks } from './queue.ts';
import { giveOut } from './routing.ts';
import { send } from './sending.ts';

const TICK_MS = 100;
/** Whoever's time has come is found without anything being written. */
const LOOK_EVERY_MS = 500;
const PRUNE_EVERY_MS = 600_000;
/** Webhooks that one process works at; of those that failed last time half as many, so that they keep nobody waiting. */
const MOST_AT_ONCE = 64;
const MOST_FAILING = MOST_AT_ONCE / 2;
/** How long the end waits for receivers that are answering. */
const STOP_WITHIN_MS = 2_000;

/**
 * Brings events to whom they are for, in each process: new ones get their place, webhooks get theirs, streams are told. Everything here may
 * run in several processes at once, and be late: it is all written down.
 */
export class Courier {
  readonly #context: EventsContext;
  readonly #onError: (error: unknown) => void;
  readonly #onAttempt: (outcome: Outcome) => void;
  readonly #listeners = new Set<() => void>();
  /** By webhook; `failing`: it failed last time. */
  readonly #working = new Map<string, { failing: boolean; holder: string; done: Promise<void> }>();
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #stopping = false;
  #version: number | undefined;
  #looked = 0;
  #pruned = performance.now();
  #last = 0;

  constructor(
    context: EventsContext,
    hooks: { onError: (error: unknown) => void; onAttempt?: (outcome: Outcome) => void },
  ) {
    this.#context = context;
    this.#onError = hooks.onError;
    this.#onAttempt = hooks.onAttempt ?? (() => {});
  }

  get context(): EventsContext {
    return this.#context;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#running ??= this.#tick()
        .catch(this.#onError)
        .finally(() => {
          this.#running = undefined;
        });
    }, TICK_MS);
  }

  /** What is being sent is waited for a little, and else sent again; what waits is another process's, or the next start's. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#timer);
    this.#tell();
    await this.#running;
    const done = Promise.all([...this.#working.values()].map((one) => one.done));
    await Promise.race([done, Bun.sleep(STOP_WITHIN_MS)]);
    for (const [webhook, { holder }] of this.#working)
      await leaveWebhook(this.#context, webhook, holder).catch(this.#onError);
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  /** Calls back when there may be more events, and when this process stops. @returns ends it */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  async #tick(): Promise<void> {
    const now = performance.now();
    if (this.#hasChanged()) {
      const given = await giveOut(this.#context);
      if (given > 0) this.#looked = 0;
      if (this.#listeners.size > 0 && (await this.#hasMore())) this.#tell();
    }
    if (now - this.#looked > LOOK_EVERY_MS) {
      this.#looked = now;
      await this.#context.pulls.flush(this.#context);
      await this.#work();
    }
    if (now - this.#pruned > PRUNE_EVERY_MS) {
      this.#pruned = now;
      await prune(this.#context);
    }
  }

  /** Where the database does not say cheaply whether something was written, an index that is nearly always empty does. */
  #hasChanged(): boolean {
    const version = this.#context.database.version();
    if (version === undefined) return true;
    const changed = version !== this.#version;
    this.#version = version;
    return changed;
  }

  async #hasMore(): Promise<boolean> {
    const { last } = await this.#context.database.read
      .selectFrom('events')
      .select((max) => max.fn.max<number | null>('seq').as('last'))
      .executeTakeFirstOrThrow();
    const more = Number(last ?? 0) > this.#last;
    this.#last = Number(last ?? 0);
    return more;
  }

  async #work(): Promise<void> {
    const free = MOST_AT_ONCE - this.#working.size;
    if (free <= 0 || this.#stopping) return;
    let failing = [...this.#working.values()].filter((one) => one.failing).length;
    for (const waiting of await waitingWebhooks(this.#context, free)) {
      if (this.#stopping || this.#working.has(waiting.webhook)) continue;
      if (waiting.failing && ++failing > MOST_FAILING) return;
      const holder = await takeWebhook(this.#context, waiting.webhook);
      if (holder === undefined) continue;
      const done = this.#workOff(waiting.webhook, holder)
        .catch(this.#onError)
        .finally(() => this.#working.delete(waiting.webhook));
      this.#working.set(waiting.webhook, { failing: waiting.failing, holder, done });
    }
  }

  async #workOff(webhook: string, holder: string): Promise<void> {
    try {
      while (!this.#stopping) {
        const next = await nextDelivery(this.#context, webhook, holder);
        if (next === undefined) return;
        const attempt = await send(this.#context, next.message);
        const outcome = await finishAttempt(this.#context, next, holder, attempt);
        if (outcome === undefined) return;
        this.#onAttempt(outcome);
      }
    } finally {
      await leaveWebhook(this.#context, webhook, holder);
    }
  }
}
