import { Counter, Gauge, Registry } from 'prom-client';
import { type Checks, outcomeOf } from './checks.ts';
import { RequestFigures } from './request-figures.ts';

/** Well within what a supervisor waits for the figures of a worker. */
const CHECK_WITHIN_MS = 1_000;

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

/** How backups go; zeros when there was none. */
export interface BackupFigures {
  /** When the last one that ended well began, ms since 1970. */
  lastSuccess: number;
  lastSeconds: number;
  lastBytes: number;
  lastCopiedBytes: number;
  lastFaults: number;
  failures: number;
}

export interface InstrumentSources {
  pending: () => number;
  uploads: () => Promise<number>;
  databaseSeconds: () => Promise<number>;
  garbage: () => GarbageTotals;
  backups: () => Promise<BackupFigures>;
  /** From one backup of `serve` to the next; 0 when it makes none. */
  backupPeriodMs: number;
  checks: Checks;
  /** Deliveries to webhooks that wait, and since when the oldest does (ms since 1970); null for none. */
  outbox: () => Promise<{ pending: number; oldest: number | null }>;
  /** ms since 1970; undefined without a certificate */
  certificateExpiry: () => number | undefined;
  /** `oldest`: the last success of the mirror that has gone longest without one (ms since 1970); null for none. */
  mirrors: () => Promise<{ mirrors: number; failing: number; oldest: number | null }>;
}

/** What a worker measures. Names follow Prometheus' conventions; `docs/reference/metrics.md` lists them. */
export class Instruments {
  readonly registry = new Registry();
  readonly #requests = new RequestFigures();
  readonly #bytes: Counter<'direction'>;
  readonly #failures: Counter<'code'>;
  readonly #hashes: Counter;
  readonly #limited: Counter<'limit'>;
  readonly #deliveries: Counter<'outcome'>;
  readonly #spans: Counter<'outcome'>;
  readonly #orders: Counter<'outcome'>;
  readonly #cached: Counter<'part' | 'result'>;
  readonly #fetched: Counter;
  readonly #mirrorRuns: Counter<'outcome'>;

  constructor(sources: InstrumentSources) {
    const registers = [this.registry];
    for (const metric of this.#requests.metrics) this.registry.registerMetric(metric);
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
    this.#limited = new Counter({
      name: 'berth_rate_limited_requests_total',
      help: 'Requests refused with 429 since a limit on requests was reached, by which: address, account or token.',
      labelNames: ['limit'],
      registers,
    });
    this.#hashes = new Counter({
      name: 'berth_password_hashes_total',
      help: 'Passwords hashed: log-ins and new passwords. A pull costs none.',
      registers,
    });
    this.#spans = new Counter({
      name: 'berth_trace_spans_total',
      help: 'Spans of traced requests, by what became of them: sent, failed (the collector did not take them), dropped (too many were waiting).',
      labelNames: ['outcome'],
      registers,
    });
    this.#orders = new Counter({
      name: 'berth_acme_orders_total',
      help: 'Certificates ordered from an ACME authority, by how it ended: issued or failed.',
      labelNames: ['outcome'],
      registers,
    });
    this.#cached = new Counter({
      name: 'berth_cache_requests_total',
      help: 'Pulls below caches, by part (manifest or blob) and result: hit, revalidated, miss, stale, passed (not kept) or failed.',
      labelNames: ['part', 'result'],
      registers,
    });
    this.#fetched = new Counter({
      name: 'berth_cache_fetched_bytes_total',
      help: 'Bytes of blobs that caches got from their upstreams and kept.',
      registers,
    });
    this.#deliveries = new Counter({
      name: 'berth_webhook_deliveries_total',
      help: 'Requests to webhooks, by how they went: delivered, retried (tried again later), failed (given up).',
      labelNames: ['outcome'],
      registers,
    });
    this.#mirrorRuns = new Counter({
      name: 'berth_mirror_runs_total',
      help: 'Runs of mirrors, by how they ended: done or failed.',
      labelNames: ['outcome'],
      registers,
    });
    this.#mirrors(sources.mirrors, registers);
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
      name: 'berth_check_ok',
      help: '1 while a check holds, else 0: database and storage as /readyz has them, room for there being room for pushes.',
      labelNames: ['check'],
      aggregator: 'min',
      registers,
      async collect() {
        const holds = async ([check, run]: [string, () => Promise<void>]) =>
          this.set({ check }, (await outcomeOf(run, CHECK_WITHIN_MS)) === 'ok' ? 1 : 0);
        await Promise.all(Object.entries(sources.checks).map(holds));
      },
    });
    new Gauge({
      name: 'process_start_time_seconds',
      help: 'When the worker that has served the longest started, in seconds since 1970.',
      aggregator: 'min',
      registers,
      collect() {
        this.set(performance.timeOrigin / 1000);
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
    this.#backups(sources, registers);
  }

  observe(route: string, method: string, status: number, seconds: number): void {
    this.#requests.observe(route, method, status, seconds);
  }

  blobBytes(direction: 'received' | 'sent', bytes: number): void {
    this.#bytes.inc({ direction }, bytes);
  }

  certificateOrder(outcome: 'issued' | 'failed'): void {
    this.#orders.inc({ outcome });
  }

  cacheRequest(part: 'manifest' | 'blob', result: string): void {
    this.#cached.inc({ part, result });
  }

  cacheFetched(bytes: number): void {
    this.#fetched.inc(bytes);
  }

  webhookDelivery(outcome: 'delivered' | 'retried' | 'failed'): void {
    this.#deliveries.inc({ outcome });
  }

  rateLimited(limit: 'address' | 'account' | 'token'): void {
    this.#limited.inc({ limit });
  }

  mirrorRun(outcome: 'done' | 'failed'): void {
    this.#mirrorRuns.inc({ outcome });
  }

  traceSpans(outcome: 'sent' | 'failed' | 'dropped', count: number): void {
    this.#spans.inc({ outcome }, count);
  }

  passwordHash(): void {
    this.#hashes.inc();
  }

  failure(code: string): void {
    this.#failures.inc({ code });
  }

  #mirrors(figures: InstrumentSources['mirrors'], registers: Registry[]): void {
    type Figures = Awaited<ReturnType<InstrumentSources['mirrors']>>;
    const shown: Shown<Figures>[] = [
      ['berth_mirrors', 'Repositories that follow one of another registry.', ({ mirrors }) => mirrors],
      ['berth_mirrors_failing', 'Those of them whose last run failed.', ({ failing }) => failing],
      [
        'berth_mirrors_oldest_success_timestamp_seconds',
        'When the mirror that has gone longest without it was last copied; 0 without mirrors.',
        ({ oldest }) => (oldest ?? 0) / 1000,
      ],
    ];
    showAll(shown, figures, registers);
  }

  #garbage(figures: () => GarbageTotals, registers: Registry[]): void {
    const shown: Shown<GarbageTotals>[] = [
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
    showAll(shown, async () => figures(), registers);
  }

  #backups({ backups, backupPeriodMs }: InstrumentSources, registers: Registry[]): void {
    const shown: Shown<BackupFigures>[] = [
      [
        'berth_backup_last_success_timestamp_seconds',
        'When the last backup that ended well began, by serve or by hand; 0 for none yet.',
        ({ lastSuccess }) => lastSuccess / 1000,
      ],
      ['berth_backup_last_duration_seconds', 'How long it took.', ({ lastSeconds }) => lastSeconds],
      ['berth_backup_last_bytes', 'Bytes of the blobs in it.', ({ lastBytes }) => lastBytes],
      ['berth_backup_last_copied_bytes', 'Of these, what was copied for it.', ({ lastCopiedBytes }) => lastCopiedBytes],
      [
        'berth_backup_last_faults',
        'Blobs that it is without, since the registry has lost them.',
        ({ lastFaults }) => lastFaults,
      ],
      ['berth_backup_failures', 'Backups that failed since.', ({ failures }) => failures],
    ];
    showAll(shown, backups, registers);
    new Gauge({
      name: 'berth_backup_period_seconds',
      help: 'Time from one backup of serve to the next; 0 when it makes none.',
      aggregator: 'max',
      registers,
      collect() {
        this.set(backupPeriodMs / 1000);
      },
    });
  }
}

type Shown<Figures> = [name: string, help: string, value: (found: Figures) => number];

/** Gauges of figures that every worker has the same: their sum would count them several times. NaN when they can't be had. */
function showAll<Figures>(
  shown: readonly Shown<Figures>[],
  figures: () => Promise<Figures>,
  registers: Registry[],
): void {
  // A scrape asks all of them at one moment: one read is for all.
  let reading: Promise<Figures> | undefined;
  const read = () => {
    reading ??= figures().finally(() => {
      reading = undefined;
    });
    return reading;
  };
  for (const [name, help, value] of shown) {
    new Gauge({
      name,
      help,
      aggregator: 'max',
      registers,
      async collect() {
        this.set(await read().then(value, () => Number.NaN));
      },
    });
  }
}
