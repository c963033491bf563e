import type { ReleasesContext } from './context.ts';
import { advance } from './progress.ts';
import { expireReleases } from './roots.ts';
import { followPushes } from './triggers.ts';
import { wantedVersion } from './wanted.ts';

const TICK_MS = 100;
/** Where the database does not say cheaply whether something was written. */
const ASK_EVERY_MS = 500;
const SETTLE_EVERY_MS = 1_000;
const EXPIRE_EVERY_MS = 3_600_000;

interface Subscriber {
  targetId: number;
  version: string | undefined;
  changed: () => void;
  gone: () => void;
}

/**
 * What happens without a request, in each process: pushes are followed, leases end, releases expire, and agents that listen are told that
 * there is something new for them. Everything here may run in several processes at once, and be late: it is all written down.
 */
export class Conductor {
  readonly #context: ReleasesContext;
  readonly #onError: (error: unknown) => void;
  readonly #subscribers = new Set<Subscriber>();
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #version: number | undefined;
  #asked = 0;
  #settled = 0;
  #expired = 0;

  constructor(context: ReleasesContext, onError: (error: unknown) => void) {
    this.#context = context;
    this.#onError = onError;
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

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    for (const subscriber of this.#subscribers) subscriber.gone();
    this.#subscribers.clear();
    await this.#running;
  }

  /**
   * @param listener.changed the target's wanted state is another one
   * @param listener.gone the target was revoked, or this process stops
   * @returns ends it
   */
  subscribe(
    targetId: number,
    version: string | undefined,
    listener: { changed: () => void; gone: () => void },
  ): () => void {
    const subscriber = { targetId, version, ...listener };
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }

  async #tick(): Promise<void> {
    const now = performance.now();
    if (this.#hasChanged(now)) {
      await followPushes(this.#context);
      await this.#tell();
    }
    if (now - this.#settled > SETTLE_EVERY_MS) {
      this.#settled = now;
      await endLeases(this.#context);
    }
    if (now - this.#expired > EXPIRE_EVERY_MS) {
      this.#expired = now;
      await expireReleases(this.#context);
    }
  }

  #hasChanged(now: number): boolean {
    const version = this.#context.database.version();
    if (version === undefined) {
      if (now - this.#asked < ASK_EVERY_MS) return false;
      this.#asked = now;
      return true;
    }
    const changed = version !== this.#version;
    this.#version = version;
    return changed;
  }

  async #tell(): Promise<void> {
    for (const subscriber of [...this.#subscribers]) {
      const version = await wantedVersion(this.#context, subscriber.targetId);
      if (version === subscriber.version) continue;
      subscriber.version = version;
      if (version !== undefined) {
        subscriber.changed();
        continue;
      }
      this.#subscribers.delete(subscriber);
      subscriber.gone();
    }
  }
}

/** Judges deployments whose targets have fallen silent. */
export async function endLeases(context: ReleasesContext): Promise<void> {
  const over = await context.database.read
    .selectFrom('environments')
    .select('id')
    .where('lease_deployment_id', 'is not', null)
    .where('lease_until', '<', context.now())
    .limit(100)
    .execute();
  for (const { id } of over) await context.database.transaction((tx) => advance(context, tx, id));
}
