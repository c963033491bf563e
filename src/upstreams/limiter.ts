/** Lets so many works run at once; the others wait in their order. */
export class Limiter {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#free = most;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

/** Works through what comes, so many at once. The first error ends it, when the works that run are over. */
export async function eachOf<T>(
  items: AsyncIterable<T>,
  most: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.asyncIterator]();
  let ended = false;
  // An async generator answers one `next` after the other.
  const worker = async () => {
    while (!ended) {
      const { done, value } = await iterator.next();
      if (done) return;
      await work(value);
    }
  };
  const guarded = () =>
    worker().catch((error: unknown) => {
      ended = true;
      throw error;
    });
  try {
    const results = await Promise.allSettled(Array.from({ length: most }, guarded));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  } finally {
    await iterator.return?.();
  }
}
