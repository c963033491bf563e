export interface PollingOptions {
  everyMs?: number;
  /** Told once of each thing that is in the way of a change; the next reading tries again. */
  onProblem: (error: Error) => void;
}

const EVERY_MS = 2_000;

/**
 * Something that is read again and again to see it change. Contents are compared, not times: certbot turns a symbolic link,
 * Kubernetes a whole directory, and a file system may keep the time of a file that was copied.
 */
export class Polled<T extends { fingerprint: string }> {
  #last: string | undefined;

  constructor(
    private readonly read: () => Promise<T | undefined>,
    private readonly options: PollingOptions,
  ) {}

  /** @throws what `read` throws */
  async current(): Promise<T | undefined> {
    const value = await this.read();
    this.#last = value?.fingerprint;
    return value;
  }

  /** Tells of each value whose fingerprint differs from that of the one before. @returns ends it; idempotent */
  watch(onChange: (value: T) => void): () => void {
    let problem: string | undefined;
    let timer: Timer | undefined;
    let ended = false;
    const look = async () => {
      try {
        const value = await this.read();
        problem = undefined;
        if (ended || value === undefined || value.fingerprint === this.#last) return;
        this.#last = value.fingerprint;
        onChange(value);
      } catch (cause) {
        const error = cause instanceof Error ? cause : new Error(String(cause));
        if (!ended && error.message !== problem) this.options.onProblem(error);
        problem = error.message;
      }
    };
    const next = () => {
      if (ended) return;
      timer = setTimeout(() => void look().finally(next), this.options.everyMs ?? EVERY_MS);
    };
    next();
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }
}
