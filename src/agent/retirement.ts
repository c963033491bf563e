import type { Logger } from 'pino';
import type { Container } from './containers.ts';
import type { Engine } from './engine.ts';
import { sleep } from './pull.ts';

/**
 * Old containers on their way out, beside whatever else goes on: each may finish its requests for a while, is stopped with its grace period,
 * and removed. What is lost with the agent is found again by its hash.
 */
export class Retirement {
  readonly #going = new Map<string, Promise<void>>();
  #draining = new AbortController();

  constructor(
    readonly engine: Engine,
    readonly log: Logger,
    readonly onStep: (step: string) => void,
  ) {}

  begin(containers: readonly Container[], drainMs: number): void {
    for (const container of containers) {
      if (!this.#going.has(container.id)) this.#going.set(container.id, this.#retire(container, drainMs));
    }
  }

  /** Resolves when all are gone. */
  async finish(): Promise<void> {
    while (this.#going.size > 0) await Promise.all(this.#going.values());
  }

  /** Those that have not been stopped yet stay and go on serving; resolves when the others are gone. */
  async halt(): Promise<void> {
    this.#draining.abort();
    this.#draining = new AbortController();
    await this.finish();
  }

  async #retire({ id, name, service }: Container, drainMs: number): Promise<void> {
    try {
      await sleep(drainMs, this.#draining.signal);
      this.onStep(`retiring:${service}`);
      await this.engine.stop(id);
      await this.engine.remove(id);
      this.log.info({ container: name }, 'old container removed');
    } catch (error) {
      // It stays, and is found by its hash when the engine is back or the next deployment begins.
      if (!isAbort(error)) this.log.warn({ container: name, error: String(error) }, 'old container not removed');
    } finally {
      this.#going.delete(id);
    }
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}
