import { BatchSpanProcessor, type ReadableSpan, type SpanExporter, type SpanProcessor } from '@opentelemetry/sdk-trace';

/** `dropped`: there was no room for it. */
export type SpanOutcome = 'sent' | 'failed' | 'dropped';

export interface SpanQueue {
  /** How many spans may wait or be under way; one more is dropped. */
  most: number;
  /** How many are sent together. */
  batch: number;
  /** How long the first of a batch waits for others, in ms. */
  delayMs: number;
}

export interface SpanObserver {
  /** How many spans came to what end. */
  onSpans: (outcome: SpanOutcome, count: number) => void;
  /** The collector does not take what it is sent: told once, until it has for a while. */
  onTrouble: (reason: string) => void;
  onRecovery: () => void;
}

/** How long everything must be well before it is said to be. */
const CALM_MS = 60_000;

type Result = Parameters<SpanExporter['export']>[1];

/**
 * OpenTelemetry's batches, with a bound on all spans that are held and not only on those that wait, and with an account of each. A collector
 * that is away or slow costs memory up to the bound, and nobody's time.
 */
export class BoundedSpans implements SpanProcessor {
  readonly #inner: BatchSpanProcessor;
  readonly #queue: SpanQueue;
  readonly #observer: SpanObserver;
  readonly #calmMs: number;
  #held = 0;
  /** When something last went wrong; undefined when all is well. */
  #trouble: number | undefined;

  constructor(exporter: SpanExporter, queue: SpanQueue, observer: SpanObserver, calmMs = CALM_MS) {
    this.#queue = queue;
    this.#observer = observer;
    this.#calmMs = calmMs;
    this.#inner = new BatchSpanProcessor({
      exporter: {
        export: (spans, done) => exporter.export(spans, (result) => this.#exported(spans.length, result, done)),
        forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
        shutdown: () => exporter.shutdown(),
      },
      maxQueueSize: queue.most,
      maxExportBatchSize: Math.min(queue.batch, queue.most),
      scheduledDelayMillis: queue.delayMs,
    });
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if (this.#held >= this.#queue.most) {
      this.#observer.onSpans('dropped', 1);
      this.#troubled(`more than ${this.#queue.most} spans wait for it`);
      return;
    }
    this.#held++;
    this.#inner.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.#inner.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#inner.shutdown();
  }

  #exported(count: number, result: Parameters<Result>[0], done: Result): void {
    this.#held -= count;
    // 0 is success: `ExportResultCode` is in a package of its own.
    if (result.code === 0) {
      this.#observer.onSpans('sent', count);
      this.#well();
    } else {
      this.#observer.onSpans('failed', count);
      this.#troubled(reasonOf(result.error));
    }
    done(result);
  }

  #troubled(reason: string): void {
    const first = this.#trouble === undefined;
    this.#trouble = performance.now();
    if (first) this.#observer.onTrouble(reason);
  }

  #well(): void {
    if (this.#trouble === undefined || performance.now() - this.#trouble < this.#calmMs) return;
    this.#trouble = undefined;
    this.#observer.onRecovery();
  }
}

/** An answer's status is in `code`, as a system's error name is. */
function reasonOf(error: Error | undefined): string {
  if (error === undefined) return 'no reason given';
  const code = 'code' in error && error.code !== undefined ? ` (${String(error.code)})` : '';
  return `${error.message.slice(0, 200)}${error.message.includes(code.trim().slice(1, -1)) ? '' : code}`;
}
