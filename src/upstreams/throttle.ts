/** The longest step, so that a limit of a few bytes is not one pause of minutes, in ms. */
const MOST_PAUSE_MS = 1_000;

/** Lets so many bytes a second through, over all streams that share it. What comes at once is waited for afterwards. */
export class Throttle {
  readonly #bytesPerMs: number;
  readonly #now: () => number;
  readonly #sleep: (ms: number) => Promise<void>;
  /** When all that went through would have, at the limit. */
  #until = 0;

  constructor(bytesPerSecond: number, now: () => number = Date.now, sleep: (ms: number) => Promise<void> = Bun.sleep) {
    this.#bytesPerMs = bytesPerSecond / 1_000;
    this.#now = now;
    this.#sleep = sleep;
  }

  /** The same bytes, no faster. */
  slowed(stream: ReadableStream<Uint8Array>, signal: AbortSignal): ReadableStream<Uint8Array> {
    return stream.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform: async (piece, controller) => {
          await this.#pass(piece.byteLength, signal);
          controller.enqueue(piece);
        },
      }),
    );
  }

  async #pass(bytes: number, signal: AbortSignal): Promise<void> {
    const end = Math.max(this.#until, this.#now()) + bytes / this.#bytesPerMs;
    this.#until = end;
    for (let left = end - this.#now(); left > 0; left = end - this.#now()) {
      signal.throwIfAborted();
      await this.#sleep(Math.min(left, MOST_PAUSE_MS));
    }
  }
}
