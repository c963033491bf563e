import { availableParallelism } from 'node:os';
import type { Subprocess } from 'bun';
import type { Logger } from 'pino';
import type { Settings } from '../config/settings.ts';
import { releaseHoldsOf } from '../registry/upload-holder.ts';
import { createLog, openRegistry, prepareData } from '../server.ts';
import { lockData } from './data-lock.ts';
import type { FromSupervisor, FromWorker, WorkerMetrics } from './messages.ts';
import { choosePort } from './port.ts';
import { selfCommand } from './self.ts';
import type { WorkerOrder } from './worker.ts';

const MOST_WORKERS = 4;
const COLLECT_WITHIN_MS = 1_500;
/** A worker that ends sooner than this after its start is started again only after a pause. */
const QUICK_END_MS = 1_000;
const PAUSE_MS = 1_000;

interface Worker {
  number: number;
  name: string;
  startedAt: number;
  child: Subprocess;
}

/**
 * `berth serve`: takes the data directory, brings it up to date, starts workers that share the port, replaces one
 * that dies, and runs the scheduled garbage collection as a process of its own. It serves no request itself.
 */
export class Supervisor {
  readonly settings: Settings;
  readonly #log: Logger;
  readonly #workers = new Map<number, Worker>();
  readonly #collections = new Map<string, { metrics: WorkerMetrics[]; left: number; done: () => void }>();
  readonly #unlock: () => void;
  readonly #ended = Promise.withResolvers<number>();
  #starts = 0;
  #stopping = false;
  #gc: { timer?: Timer; child?: Subprocess } = {};

  private constructor(settings: Settings, unlock: () => void) {
    this.settings = settings;
    this.#unlock = unlock;
    this.#log = createLog(settings.logLevel, { worker: 0 });
  }

  /**
   * Resolves when every worker serves. Settings come back with what was chosen: the port, the number of workers.
   *
   * @throws DataInUseError, PortInUseError, NewerSchemaError, DatabaseUnavailableError, StoreUnavailableError
   */
  static async start(settings: Settings): Promise<Supervisor> {
    await prepareData(settings);
    const unlock = lockData(settings.data, `pid ${process.pid}, port ${settings.port}`);
    try {
      const { host, port } = await choosePort(settings.host, settings.port);
      const workers = settings.workers ?? Math.min(availableParallelism(), MOST_WORKERS);
      const supervisor = new Supervisor({ ...settings, host, port, workers }, unlock);
      await supervisor.#releaseHolds('');
      const numbers = Array.from({ length: workers }, (_, i) => i + 1);
      await Promise.all(numbers.map((number) => supervisor.#startWorker(number)));
      supervisor.#scheduleGarbageCollection();
      return supervisor;
    } catch (error) {
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
    clearTimeout(this.#gc.timer);
    this.#gc.child?.kill('SIGTERM');
    this.#log.info('stopping');
    for (const worker of this.#workers.values()) send(worker, { kind: 'stop' });
    const late = setTimeout(() => {
      for (const worker of this.#workers.values()) worker.child.kill('SIGKILL');
    }, this.settings.shutdownTimeout + 5_000);
    await Promise.all([...this.#workers.values()].map((worker) => worker.child.exited));
    await this.#gc.child?.exited;
    clearTimeout(late);
    this.#unlock();
    this.#ended.resolve(0);
  }

  async #startWorker(number: number): Promise<void> {
    const name = `${process.pid.toString(36)}${(Date.now() % 36 ** 4).toString(36)}${(this.#starts++).toString(36)}`;
    const order: WorkerOrder = { number, name, settings: this.settings };
    const ready = Promise.withResolvers<void>();
    const child = Bun.spawn([...selfCommand(), 'worker'], {
      env: { ...process.env, BERTH_WORKER: JSON.stringify(order) },
      stdin: 'ignore',
      stdout: 'inherit',
      stderr: 'inherit',
      ipc: (message: FromWorker) => {
        if (message.kind === 'ready') ready.resolve();
        else if (message.kind === 'failed') ready.reject(new Error(message.reason));
        else if (message.kind === 'metrics-wanted') void this.#collectMetrics(worker, message.request);
        else this.#gatherMetrics(message.request, message.metrics);
      },
      onExit: (_child, code, signal) => {
        ready.reject(new Error(`worker ${number} ended before it served (${signal ?? code})`));
        void this.#workerEnded(worker, code, signal);
      },
    });
    const worker: Worker = { number, name, startedAt: Date.now(), child };
    this.#workers.set(number, worker);
    await ready.promise;
  }

  async #workerEnded(worker: Worker, code: number | null, signal: unknown): Promise<void> {
    this.#workers.delete(worker.number);
    if (this.#stopping) return;
    this.#log.error({ number: worker.number, code, signal }, 'a worker ended; starting another');
    await this.#releaseHolds(worker.name).catch((error) =>
      this.#log.warn({ err: error }, 'uploads stay held for a while'),
    );
    if (Date.now() - worker.startedAt < QUICK_END_MS) await Bun.sleep(PAUSE_MS);
    if (this.#stopping) return;
    await this.#startWorker(worker.number).catch((error) => this.#log.error({ err: error }, 'a worker did not start'));
  }

  /** `worker` is a process that has ended; '' for all, at the start: this directory has one supervisor. */
  async #releaseHolds(worker: string): Promise<void> {
    if (worker === '' && this.settings.database !== undefined) return;
    const { registry, close } = openRegistry(this.settings, `s${process.pid}`);
    try {
      await releaseHoldsOf(registry, worker);
    } finally {
      await close();
    }
  }

  #scheduleGarbageCollection(): void {
    if (this.settings.gcInterval === 0 || this.#stopping) return;
    this.#gc.timer = setTimeout(() => void this.#collectGarbage(), this.settings.gcInterval);
  }

  /** In a process of its own: a large collection takes no time from requests, and its memory goes with it. */
  async #collectGarbage(): Promise<void> {
    const { data, database, gcGrace, tagHistoryWindow, uploadExpiry } = this.settings;
    const child = Bun.spawn([...selfCommand(), 'gc', '--output', 'json'], {
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
    this.#gc.child = child;
    const text = await new Response(child.stdout).text();
    const code = await child.exited;
    if (code === 0) this.#log.info({ result: parsed(text) }, 'garbage collected');
    else if (!this.#stopping) this.#log.error({ code }, 'garbage collection failed');
    this.#scheduleGarbageCollection();
  }

  async #collectMetrics(asker: Worker, request: number): Promise<void> {
    const key = `${asker.name}-${request}`;
    const done = Promise.withResolvers<void>();
    const collection = { metrics: [] as WorkerMetrics[], left: this.#workers.size, done: done.resolve };
    this.#collections.set(key, collection);
    for (const worker of this.#workers.values()) send(worker, { kind: 'report-metrics', request: key });
    await Promise.race([done.promise, Bun.sleep(COLLECT_WITHIN_MS)]);
    this.#collections.delete(key);
    send(asker, { kind: 'all-metrics', request, metrics: collection.metrics });
  }

  #gatherMetrics(request: string, metrics: WorkerMetrics): void {
    const collection = this.#collections.get(request);
    if (collection === undefined) return;
    collection.metrics.push(metrics);
    if (--collection.left === 0) collection.done();
  }
}

function send(worker: Worker, message: FromSupervisor): void {
  try {
    worker.child.send(message);
  } catch {
    // It has just ended; `onExit` deals with that.
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text.slice(0, 1_000);
  }
}
