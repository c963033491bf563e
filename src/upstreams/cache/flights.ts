import { OciError } from '../../oci/errors.ts';
import type { FetchRows } from './fetch-rows.ts';

const LOOK_EVERY_MS = 40;
const MOST_WAIT_MS = 60_000;

/** One question for many who want the answer: in this process, and over all that share the database. */
export class Flights {
  readonly #rows: FetchRows;
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(rows: FetchRows) {
    this.#rows = rows;
  }

  /**
   * @param look what another process has brought meanwhile
   * @param work asks; runs in one process at a time for a key
   */
  once<T>(key: string, look: () => Promise<T | undefined>, work: () => Promise<T>): Promise<T> {
    const running = this.#running.get(key) as Promise<T> | undefined;
    if (running !== undefined) return running;
    const flight = this.#fly(key, look, work).finally(() => this.#running.delete(key));
    this.#running.set(key, flight);
    return flight;
  }

  async #fly<T>(key: string, look: () => Promise<T | undefined>, work: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + MOST_WAIT_MS;
    for (;;) {
      const claim = await this.#rows.claim(key);
      if ('held' in claim) {
        try {
          // What others committed is seen from the next turn of the event loop on.
          await new Promise((resolve) => setImmediate(resolve));
          return (await look()) ?? (await work());
        } finally {
          await claim.held.release(false);
        }
      }
      do {
        await Bun.sleep(LOOK_EVERY_MS);
        if (performance.now() > deadline) {
          throw new OciError('UNAVAILABLE', 'cache: another process still waits for the upstream; try again');
        }
      } while ((await this.#rows.look(key))?.held);
      const found = await look();
      if (found !== undefined) return found;
    }
  }
}
