import { mkdirSync } from 'node:fs';
import type { Subprocess } from 'bun';
import type { Logger } from 'pino';
import { type Settings, usualWorkers } from '../config/settings.ts';
import type { GarbageTotals } from '../http/instruments.ts';
import { createLog, flushLog } from '../log.ts';
import { backupPlan } from './backup-plan.ts';
import { BackupProcess } from './backup-process.ts';
import { lockData } from './data-lock.ts';
import type { GarbageOrder, WorkerMetrics } from './messages.ts';
import type { WorkerOrder } from './order.ts';
import { choosePort } from './port.ts';
import { selfCommand } from './self.ts';
import { StartError } from './start-error.ts';
import { WorkerProcess } from './worker-process.ts';

const COLLECT_WITHIN_MS = 1_500;
/** A worker that ends sooner than this after its start is started again only after a pause. */
const QUICK_END_MS = 1_000;
const PAUSE_MS = 500;
const MOST_PAUSE_MS = 30_000;

type CollectionResult = Partial<GarbageTotals & { seconds: number }>;

interface Worker {
  number: number;
  name: string;
  startedAt: number;
  process: WorkerProcess;
}

/**
 * `berth serve`: takes the data directory, brings it up to date, starts workers that share the port, replaces one
 * that dies, and runs garbage collections and backups, scheduled or asked for, as processes of their own. It serves no request itself.
 */
export class Supervisor {
  readonly settings: Settings;
  readonly #log: Logger;
  readonly #workers = new Map<number, Worker>();
  readonly #collections = new Map<string, { metrics: WorkerMetrics[]; left: number; done: () => void }>();
  readonly #unlock: () => void;
  readonly #ended = Promise.withResolvers<number>();
  readonly #serving = new Set<string>();
  readonly #totals: GarbageTotals = {
    runs: 0,
    failures: 0,
    manifests: 0,
    blobs: 0,
    bytes: 0,
    lastSeconds: 0,
    lastEnd: 0,
  };
  /** The secret of the set-up link, while there is no account. */
  setup: string | undefined;
  #starts = 0;
  #stopping = false;
  readonly #collecting = new Set<Subprocess>();
  readonly #backups: BackupProcess | undefined;
  #collectionTimer: Timer | undefined;

  private constructor(settings: Settings, unlock: () => void) {
    this.settings = settings;
    this.#unlock = unlock;
    this.#log = createLog(settings.logLevel, { worker: 0 });
    const plan = backupPlan(settings, process.env);
    this.#backups = plan && new BackupProcess(settings, plan, this.#log);
  }

  /**
   * Resolves when every worker serves. Settings come back with what was chosen: the port, the number of workers.
   *
   * @throws DataInUseError, PortInUseError, StartError
   */
  static async start(settings: Settings, firstWorker = new WorkerProcess()): Promise<Supervisor> {
    makeDirectory(settings.data);
    const unlock = lockData(settings.data, `pid ${process.pid}, port ${settings.port}`);
    let supervisor: Supervisor | undefined;
    try {
      const { host, port } = await choosePort(settings.host, settings.port);
      const httpPort =
        settings.httpPort === undefined ? undefined : (await choosePort(host, settings.httpPort, '--http-port')).port;
      const workers = settings.workers ?? usualWorkers();
      supervisor = new Supervisor({ ...settings, host, port, httpPort, workers }, unlock);
      await supervisor.#startWorkers(workers, firstWorker);
      supervisor.#scheduleGarbageCollection();
      return supervisor;
    } catch (error) {
      supervisor?.kill();
      unlock();
      throw error;
    }
  }

  /** The exit code, when everything has ended. */
  get ended(): Promise<number> {
    return this.#ended.promise;
  }

  /** Lets running transfers finish within the shutdown timeout, then ends. Idempotent. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    clearTimeout(this.#collectionTimer);
    for (const child of this.#collecting) child.kill('SIGTERM');
    const backups = this.#backups?.stop();
    this.#log.info('stopping');
    for (const worker of this.#workers.values()) worker.process.send({ kind: 'stop' });
    const late = setTimeout(() => this.kill(), this.settings.shutdownTimeout + 5_000);
    await Promise.all([...this.#workers.values()].map((worker) => worker.process.exited));
    await Promise.all([backups, ...[...this.#collecting].map((child) => child.exited)]);
    clearTimeout(late);
    this.#unlock();
    await flushLog(this.#log);
    this.#ended.resolve(0);
  }

  /** Ends every worker at once. */
  kill(): void {
    this.#stopping = true;
    for (const child of this.#collecting) child.kill('SIGKILL');
    this.#backups?.kill();
    for (const worker of this.#workers.values()) worker.process.kill();
  }

  /** The first one migrates; the others find it done. This directory has one supervisor, so no upload is held now. */
  async #startWorkers(count: number, first: WorkerProcess): Promise<void> {
    const ended = this.settings.database === undefined ? '' : undefined;
    await this.#startWorker(1, { first: true, ended }, first);
    const others = Array.from({ length: count - 1 }, (_, i) => i + 2);
    await Promise.all(others.map((number) => this.#persist(number, undefined)));
  }

  async #startWorker(
    number: number,
    start: Pick<WorkerOrder, 'first' | 'ended'>,
    child = new WorkerProcess(),
  ): Promise<void> {
    const name = `${process.pid.toString(36)}${(Date.now() % 36 ** 4).toString(36)}${(this.#starts++).toString(36)}`;
    const ready = Promise.withResolvers<void>();
    const worker: Worker = { number, name, startedAt: Date.now(), process: child };
    this.#workers.set(number, worker);
    worker.process.listen({
      onMessage: (message) => {
        if (message.kind === 'ready') {
          this.setup = message.setup ?? this.setup;
          ready.resolve();
        } else if (message.kind === 'failed') ready.reject(new StartError(message.reason));
        else if (message.kind === 'garbage-wanted') void this.#collectOnRequest(message.run);
        else if (message.kind === 'backup-wanted') void this.#makeBackup(message.run);
        else if (message.kind === 'metrics-wanted') void this.#collectMetrics(worker, message.request);
        else this.#gatherMetrics(message.request, message.metrics);
      },
      onExit: (code, signal) => {
        ready.reject(new StartError(`worker ${number} ended before it served (${signal ?? code})`));
        void this.#workerEnded(worker, code, signal);
      },
    });
    worker.process.send({
      kind: 'serve',
      order: { number, name, settings: this.settings, garbage: this.#totals, ...start },
    });
    await ready.promise;
    this.#serving.add(name);
    // A worker listens for it only from here on.
    if (this.#stopping) worker.process.send({ kind: 'stop' });
  }

  async #workerEnded(worker: Worker, code: number | null, signal: unknown): Promise<void> {
    if (this.#workers.get(worker.number) === worker) this.#workers.delete(worker.number);
    // One that never served has been reported by `start`, or by the attempt that started it again.
    if (this.#stopping || !this.#serving.delete(worker.name)) return;
    this.#log.error({ number: worker.number, code, signal }, 'a worker ended; starting another');
    if (Date.now() - worker.startedAt < QUICK_END_MS) await Bun.sleep(PAUSE_MS);
    await this.#persist(worker.number, worker.name);
  }

  /** Starts a worker, again and again until it serves. `ended` is the process that it replaces. */
  async #persist(number: number, ended: string | undefined): Promise<void> {
    for (let pause = PAUSE_MS; !this.#stopping; pause = Math.min(pause * 2, MOST_PAUSE_MS)) {
      try {
        return await this.#startWorker(number, { first: false, ended });
      } catch (error) {
        this.#log.error({ err: error }, 'a worker did not start; trying again');
        await Bun.sleep(pause);
      }
    }
  }

  #scheduleGarbageCollection(): void {
    if (this.settings.gcInterval === 0 || this.#stopping) return;
    this.#collectionTimer = setTimeout(() => {
      this.#collectOnSchedule()
        .catch((error: unknown) => this.#log.error({ err: error }, 'garbage collection could not be started'))
        .finally(() => this.#scheduleGarbageCollection());
    }, this.settings.gcInterval);
  }

  async #collectOnSchedule(): Promise<void> {
    const { code, result } = await this.#collectGarbage(['--started-by', 'schedule']);
    if (this.#stopping) return;
    this.#count(code, result);
    this.#tellOfCollection(undefined);
  }

  async #collectOnRequest({ id, dryRun }: GarbageOrder): Promise<void> {
    if (this.#stopping) return;
    try {
      const { code, result } = await this.#collectGarbage(['--run', id, ...(dryRun ? ['--dry-run'] : [])]);
      if (!dryRun && !this.#stopping) this.#count(code, result);
    } catch (error) {
      this.#log.error({ err: error, run: id }, 'garbage collection could not be started');
    }
    this.#tellOfCollection(id);
  }

  /** A worker cleans up what a process that was killed could not: it has not even written down its end. */
  #tellOfCollection(run: string | undefined): void {
    const [worker] = this.#workers.values();
    worker?.process.send({ kind: 'garbage-ended', run });
  }

  /** As with a collection, a worker is told of the end. */
  async #makeBackup(run: string): Promise<void> {
    if (this.#stopping || this.#backups === undefined) return;
    let reason: string | undefined;
    try {
      reason = await this.#backups.make(run);
    } catch (error) {
      this.#log.error({ err: error }, 'a backup could not be started');
      reason = error instanceof Error ? error.message : 'unknown error';
    }
    const [worker] = this.#workers.values();
    if (!this.#stopping) worker?.process.send({ kind: 'backup-ended', run, reason });
  }

  /** In a process of its own: a large collection takes no time from requests, and its memory goes with it. */
  async #collectGarbage(flags: readonly string[]): Promise<{ code: number; result: CollectionResult | undefined }> {
    const { data, database, gcGrace, tagHistoryWindow, uploadExpiry } = this.settings;
    const child = Bun.spawn([...selfCommand(), 'gc', '--output', 'json', ...flags], {
      env: {
        ...process.env,
        BERTH_DATA: data,
        ...(database === undefined ? {} : { BERTH_DATABASE: database }),
        BERTH_GC_GRACE: `${gcGrace}ms`,
        BERTH_TAG_HISTORY_WINDOW: `${tagHistoryWindow}ms`,
        BERTH_UPLOAD_EXPIRY: `${uploadExpiry}ms`,
      },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'inherit',
    });
    this.#collecting.add(child);
    try {
      const text = await new Response(child.stdout).text();
      return { code: await child.exited, result: parsed(text) };
    } finally {
      this.#collecting.delete(child);
    }
  }

  #count(code: number, result: CollectionResult | undefined): void {
    const totals = this.#totals;
    if (code === 0 && result !== undefined) {
      this.#log.info({ result }, 'garbage collected');
      totals.runs++;
      totals.manifests += result.manifests ?? 0;
      totals.blobs += result.blobs ?? 0;
      totals.bytes += result.bytes ?? 0;
      totals.lastSeconds = result.seconds ?? 0;
      totals.lastEnd = Date.now();
    } else {
      this.#log.error({ code }, 'garbage collection failed');
      totals.failures++;
    }
    for (const worker of this.#workers.values()) worker.process.send({ kind: 'garbage', totals });
  }

  async #collectMetrics(asker: Worker, request: number): Promise<void> {
    const key = `${asker.name}-${request}`;
    const done = Promise.withResolvers<void>();
    const collection = { metrics: [] as WorkerMetrics[], left: this.#workers.size, done: done.resolve };
    this.#collections.set(key, collection);
    for (const worker of this.#workers.values()) worker.process.send({ kind: 'report-metrics', request: key });
    await Promise.race([done.promise, Bun.sleep(COLLECT_WITHIN_MS)]);
    this.#collections.delete(key);
    asker.process.send({ kind: 'all-metrics', request, metrics: collection.metrics });
  }

  #gatherMetrics(request: string, metrics: WorkerMetrics): void {
    const collection = this.#collections.get(request);
    if (collection === undefined) return;
    collection.metrics.push(metrics);
    if (--collection.left === 0) collection.done();
  }
}

/** @throws StartError */
function makeDirectory(data: string): void {
  try {
    mkdirSync(data, { recursive: true });
  } catch (error) {
    throw new StartError(`--data: cannot make ${data}: ${error instanceof Error ? error.message : 'unknown error'}`);
  }
}

function parsed(text: string): CollectionResult | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
