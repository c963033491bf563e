import { dueMirrors, finishMirror, keepMirror, leaveMirror, type TakenMirror, takeMirror } from './mirror-queue.ts';
import { type MirrorRun, runMirror } from './mirror-run.ts';
import { findMirrorById, type Mirror } from './mirrors.ts';
import type { MirroringContext } from './mirrors-context.ts';
import { UpstreamClients } from './upstream-clients.ts';

const TICK_MS = 1_000;
/** Mirrors that one process copies at a time; the others wait, or are another process's. */
const MOST_AT_ONCE = 1;
/** How long the end waits for a run that was told to end. */
const STOP_WITHIN_MS = 2_000;

export interface MirroringHooks {
  /** What kept a run from being begun or written down. */
  onError: (error: unknown) => void;
  onRun?: (mirror: Mirror, run: MirrorRun) => void;
}

/**
 * Copies mirrors when their time has come, in each process, one at a time; over all processes and replicas each mirror is in one hand.
 * What a process that is killed had begun is taken up by another, at the latest when its lease has run out.
 */
export class Mirroring {
  readonly #context: MirroringContext;
  readonly #hooks: MirroringHooks;
  readonly #clients: UpstreamClients;
  readonly #working = new Map<number, { taken: TakenMirror; stop: AbortController; done: Promise<void> }>();
  #timer: Timer | undefined;
  #ticking: Promise<void> | undefined;
  #stopping = false;

  constructor(context: MirroringContext, hooks: MirroringHooks) {
    this.#context = context;
    this.#hooks = hooks;
    this.#clients = new UpstreamClients(context.upstreams);
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#ticking ??= this.#tick()
        .catch(this.#hooks.onError)
        .finally(() => {
          this.#ticking = undefined;
        });
    }, TICK_MS);
  }

  /** A run that goes on is ended; another process, or the next start, goes on with it. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#timer);
    await this.#ticking;
    const working = [...this.#working.values()];
    for (const { stop } of working) stop.abort(new Error('this process ends'));
    await Promise.race([Promise.all(working.map(({ done }) => done)), Bun.sleep(STOP_WITHIN_MS)]);
    // Of what does not end in time.
    for (const { taken } of this.#working.values()) await leaveMirror(this.#context, taken).catch(this.#hooks.onError);
  }

  async #tick(): Promise<void> {
    const free = MOST_AT_ONCE - this.#working.size;
    if (free <= 0 || this.#stopping) return;
    for (const id of await dueMirrors(this.#context, free)) {
      if (this.#stopping) return;
      const taken = await takeMirror(this.#context, id);
      if (taken === undefined) continue;
      const stop = new AbortController();
      const done = this.#work(taken, stop)
        .catch(this.#hooks.onError)
        .finally(() => this.#working.delete(id));
      this.#working.set(id, { taken, stop, done });
    }
  }

  async #work(taken: TakenMirror, stop: AbortController): Promise<void> {
    const renewing = this.#renew(taken, stop);
    try {
      const mirror = await findMirrorById(this.#context, taken.repositoryId);
      if (mirror === undefined) return;
      const startedAt = this.#context.registry.now();
      const run = await runMirror(this.#context, this.#clients, mirror, stop.signal);
      if (await finishMirror(this.#context, taken, { startedAt, ...run })) this.#hooks.onRun?.(mirror, run);
    } catch (error) {
      if (!stop.signal.aborted) throw error;
      await leaveMirror(this.#context, taken);
    } finally {
      clearInterval(renewing);
    }
  }

  /** Ends the run when the mirror is no longer this process's, or it can't be found out for as long as the lease lasts. */
  #renew(taken: TakenMirror, stop: AbortController): Timer {
    const { policy } = this.#context;
    let renewed = performance.now();
    return setInterval(() => {
      keepMirror(this.#context, taken).then(
        (kept) => {
          if (kept) renewed = performance.now();
          else stop.abort(new Error('the mirror is gone, or another process copies it'));
        },
        (error: unknown) => {
          if (performance.now() - renewed > policy.leaseMs - policy.renewMs) stop.abort(error);
        },
      );
    }, policy.renewMs);
  }
}
