import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What the collections of this `serve` did (by its schedule, or asked for through the API; no dry runs), summed; the last two are of the last one. */
export interface GarbageTotals {
  runs: number;
  failures: number;
  manifests: number;
  blobs: number;
  bytes: number;
  lastSeconds: number;
  /** ms since 1970; 0 when there was none */
  lastEnd: number;
}

export interface InstrumentSources {
  pending: () => number;
  uploads: () => Promise<number>;
  databaseSeconds: () => Promise<number>;
  garbage: () => GarbageTotals;
  /** Deliveries to webhooks that wait, and since when the oldest does (ms since 1970); null for none. */
  outbox: () => Promise<{ pending: number; oldest: number | null }>;
  /** ms since 1970; undefined without a certificate */
  certificateExpiry: () => number | undefined;
}

/** What a worker measures. Names follow Prometheus' conventions; `docs/reference/metrics.md` lists them. */
export class Instruments {
  readonly registry = new Registry();
  readonly #requests: Counter<'route' | 'method' | 'status'>;
  readonly #seconds: Histogram<'route' | 'method'>;
  readonly #bytes: Counter<'direction'>;
  readonly #failures: Counter<'code'>;
  readonly #hashes: Counter;
  readonly #deliveries: Counter<'outcome'>;
  readonly #orders: Counter<'outcome'>;

  constructor(sources: InstrumentSources) {
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
    this.#hashes = new Counter({
      name: 'berth_password_hashes_total',
      help: 'Passwords hashed: log-ins and new passwords. A pull costs none.',
      registers,
    });
    this.#orders = new Counter({
      name: 'berth_acme_orders_total',
      help: 'Certificates ordered from an ACME authority, by how it ended: issued or failed.',
      labelNames: ['outcome'],
      registers,
    });
    this.#deliveries = new Counter({
      name: 'berth_webhook_deliveries_total',
      help: 'Requests to webhooks, by how they went: delivered, retried (tried again later), failed (given up).',
      labelNames: ['outcome'],
      registers,
    });
    new Gauge({
      name: 'berth_webhook_outbox_pending',
      help: 'Deliveries that wait for their webhook, over all processes.',
      aggregator: 'max',
      registers,
      async collect() {
        this.set(
          await sources.outbox().then(
            ({ pending }) => pending,
            () => Number.NaN,
          ),
        );
      },
    });
    new Gauge({
      name: 'berth_webhook_outbox_oldest_seconds',
      help: 'How long the oldest of them has waited; 0 for none.',
      aggregator: 'max',
      registers,
      async collect() {
        const age = ({ oldest }: { oldest: number | null }) => (oldest === null ? 0 : (Date.now() - oldest) / 1000);
        this.set(await sources.outbox().then(age, () => Number.NaN));
      },
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
    new Gauge({
      name: 'berth_certificate_expiry_seconds',
      help: 'When the certificate served expires, in seconds since 1970; 0 without https.',
      aggregator: 'min',
      registers,
      collect() {
        this.set((sources.certificateExpiry() ?? 0) / 1000);
      },
    });
    this.#garbage(sources.garbage, registers);
  }

  observe(route: string, method: string, status: number, seconds: number): void {
    this.#requests.inc({ route, method, status: String(status) });
    this.#seconds.observe({ route, method }, seconds);
  }

  blobBytes(direction: 'received' | 'sent', bytes: number): void {
    this.#bytes.inc({ direction }, bytes);
  }

  certificateOrder(outcome: 'issued' | 'failed'): void {
    this.#orders.inc({ outcome });
  }

  webhookDelivery(outcome: 'delivered' | 'retried' | 'failed'): void {
    this.#deliveries.inc({ outcome });
  }

  passwordHash(): void {
    this.#hashes.inc();
  }

  failure(code: string): void {
    this.#failures.inc({ code });
  }

  #garbage(figures: () => GarbageTotals, registers: Registry[]): void {
    const shown: [name: string, help: string, value: (found: GarbageTotals) => number][] = [
      ['berth_gc_runs', 'Garbage collections of serve that ended well, since it started.', ({ runs }) => runs],
      ['berth_gc_failures', 'Garbage collections of serve that failed, since it started.', ({ failures }) => failures],
      ['berth_gc_removed_manifests', 'Manifests removed by them.', ({ manifests }) => manifests],
      ['berth_gc_removed_blobs', 'Blobs removed by them.', ({ blobs }) => blobs],
      ['berth_gc_removed_bytes', 'Bytes of the blobs removed by them.', ({ bytes }) => bytes],
      ['berth_gc_last_duration_seconds', 'How long the last one took.', ({ lastSeconds }) => lastSeconds],
      [
        'berth_gc_last_end_timestamp_seconds',
        'When the last one ended; 0 for none yet.',
        ({ lastEnd }) => lastEnd / 1000,
      ],
    ];
    for (const [name, help, value] of shown) {
      // Every worker has the same figures: the sum would count them several times.
      new Gauge({
        name,
        help,
        aggregator: 'max',
        registers,
        collect() {
          this.set(value(figures()));
        },
      });
    }
  }
}
