/** A sleeper that others can wake. A call of `up` while nobody sleeps is kept for the next who does. */
export class Wake {
  #isUp = false;
  #resolve: (() => void) | undefined;

  up(): void {
    this.#isUp = true;
    this.#resolve?.();
  }

  /** Resolves after `ms`, when woken or when the signal is aborted. */
  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#isUp && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          resolve();
        };
        const timer = setTimeout(done, ms);
        this.#resolve = done;
        signal.addEventListener('abort', done, { once: true });
      });
    }
    this.#isUp = false;
    this.#resolve = undefined;
  }
}

/** `min(most, 1 s · 2^failures)`, a little more or less, so that many agents don't come at once. In ms. */
export function backOff(mostMs: number, failures: number): number {
  return jitter(Math.min(mostMs, 1000 * 2 ** Math.min(failures, 20)));
}

export function jitter(ms: number): number {
  return ms * (0.8 + Math.random() * 0.4);
}
