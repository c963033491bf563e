import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What a worker measures. Names follow Prometheus' conventions; `docs/reference/metrics.md` lists them. */
export class Instruments {
  readonly registry = new Registry();
  readonly #requests: Counter<'route' | 'method' | 'status'>;
  readonly #seconds: Histogram<'route' | 'method'>;
  readonly #bytes: Counter<'direction'>;
  readonly #failures: Counter<'code'>;

  constructor(sources: {
    pending: () => number;
    uploads: () => Promise<number>;
    databaseSeconds: () => Promise<number>;
  }) {
    const registers = [this.registry];
    this.#requests = new Counter({
      name: 'berth_http_requests_total',
      help: 'HTTP requests answered.',
      labelNames: ['route', 'method', 'status'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'berth_http_request_duration_seconds',
      help: 'Time to the response head; for uploads, to the end of the request.',
      labelNames: ['route', 'method'],
      buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 60],
      registers,
    });
    this.#bytes = new Counter({
      name: 'berth_blob_bytes_total',
      help: 'Bytes of blobs: received, or sent (counted when sending begins).',
      labelNames: ['direction'],
      registers,
    });
    this.#failures = new Counter({
      name: 'berth_errors_total',
      help: 'Error bodies sent, by code of the error table.',
      labelNames: ['code'],
      registers,
    });
    new Gauge({
      name: 'berth_http_requests_in_flight',
      help: 'HTTP requests being answered.',
      registers,
      collect() {
        this.set(sources.pending());
      },
    });
    new Gauge({
      name: 'berth_uploads_open',
      help: 'Blob uploads begun and not completed, over all processes.',
      aggregator: 'max',
      registers,
      async collect() {
        this.set(await sources.uploads());
      },
    });
    new Gauge({
      name: 'berth_database_read_seconds',
      help: 'Time of one small read of the database, measured at the scrape.',
      aggregator: 'max',
      registers,
      async collect() {
        this.set(await sources.databaseSeconds());
      },
    });
    new Gauge({
      name: 'berth_process_resident_memory_bytes',
      help: 'Resident memory, summed over workers.',
      registers,
      collect() {
        this.set(process.memoryUsage.rss());
      },
    });
  }

  observe(route: string, method: string, status: number, seconds: number): void {
    this.#requests.inc({ route, method, status: String(status) });
    this.#seconds.observe({ route, method }, seconds);
  }

  blobBytes(direction: 'received' | 'sent', bytes: number): void {
    this.#bytes.inc({ direction }, bytes);
  }

  failure(code: string): void {
    this.#failures.inc({ code });
  }
}
