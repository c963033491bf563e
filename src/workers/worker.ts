import { AggregatorRegistry } from 'prom-client';
import { instanceKeys } from '../accounts/instance-keys.ts';
import { backupFigures, loseBackup } from '../backup/runs.ts';
import { periodOf } from '../backup/schedule.ts';
import { readSecretKey, secretKeyPath } from '../config/secret-key.ts';
import { prepareData } from '../data-directory.ts';
import { Courier } from '../events/courier.ts';
import { outboxFigures } from '../events/deliveries.ts';
import { leaveWebhooksOf } from '../events/queue.ts';
import { Instruments } from '../http/instruments.ts';
import { createLog, flushLog } from '../log.ts';
import type { RegistryContext } from '../registry/context.ts';
import { finishRemovals } from '../registry/garbage/blobs.ts';
import { cleanUpAfterCollector } from '../registry/garbage/runs.ts';
import { forgetHashes, releaseHoldsOf } from '../registry/upload-holder.ts';
import { Conductor } from '../releases/conductor.ts';
import {
  checksOf,
  createServer,
  openEvents,
  openRegistry,
  openReleases,
  openSetupOf,
  openUpstreams,
  readDatabase,
} from '../server.ts';
import { releaseFetchesOf } from '../upstreams/cache/fetch-rows.ts';
import { PullThrough } from '../upstreams/cache/pull-through.ts';
import { mirrorFigures } from '../upstreams/mirror-queue.ts';
import { acmeTls, openAcme } from './acme.ts';
import { backupPlan } from './backup-plan.ts';
import { watchBackups } from './backup-watch.ts';
import { certificatesOf } from './certificates.ts';
import { failpoint } from './failpoint.ts';
import { openFileTls } from './https.ts';
import { Listening } from './listening.ts';
import type { FromSupervisor, FromWorker, WorkerMetrics } from './messages.ts';
import { openMirroring } from './mirroring.ts';
import type { WorkerOrder } from './order.ts';
import { openRateLimits } from './rate-limits.ts';
import { storageReason } from './reason.ts';
import { soon } from './soon.ts';
import { openTracing } from './tracing.ts';

const METRICS_WITHIN_MS = 3_000;
const PULL_TIMES_EVERY_MS = 60_000;
const PULL_TIMES_WITHIN_MS = 3_000;
const TRACES_WITHIN_MS = 3_000;

/** Serves until the supervisor says stop, or is gone. When it can't, it tells the supervisor why and ends. */
export async function runWorker(order: WorkerOrder): Promise<void> {
  try {
    await serve(order);
  } catch (error) {
    tell({
      kind: 'failed',
      reason: storageReason(error) ?? `unexpected: ${error instanceof Error ? error.message : String(error)}`,
    });
    process.exit(1);
  }
}

async function serve(order: WorkerOrder): Promise<void> {
  const { settings } = order;
  if (order.first) await prepareData(settings, failpoint(process.env.BERTH_FAILPOINT));
  const log = createLog(settings.logLevel, { worker: order.number });
  let requests = 0;
  let accepting = true;
  const waiting = new Map<number, (metrics: WorkerMetrics[]) => void>();
  let instruments: Instruments | undefined;
  const tracing = await openTracing(order, log, () => instruments);
  const opened = await openRegistry(settings, order.name, {
    tracing,
    onStep: failpoint(process.env.BERTH_FAILPOINT),
    onReceived: (bytes) => instruments?.blobBytes('received', bytes),
  });
  const { registry, close } = opened;
  if (order.first) {
    await forgetHashes(registry);
    await finishRemovals(registry);
  }
  if (order.ended !== undefined) await releaseHoldsOf(registry, order.ended);
  let garbage = order.garbage;
  const backups = backupPlan(settings, process.env);
  const measured = new Instruments({
    garbage: () => garbage,
    backups: () => soon(backupFigures(registry, backups?.target)),
    backupPeriodMs: backups === undefined ? 0 : periodOf(backups.schedule),
    checks: { ...checksOf(registry), room: async () => registry.database.requireRoom() },
    outbox: () => soon(outboxFigures(registry)),
    pending: () => listening.pendingRequests,
    certificateExpiry: () => listening.certificateEnd,
    mirrors: () => soon(mirrorFigures({ registry })),
    uploads: () => soon(countUploads(registry)).catch(() => Number.NaN),
    databaseSeconds: () => soon(readingSeconds(registry)).catch(() => Number.NaN),
  });
  instruments = measured;

  const secretKey = readSecretKey(secretKeyPath(settings));
  for (const warning of secretKey.warnings) log.warn({ warning }, 'the secret key file is not safe');
  const releases = openReleases(registry, secretKey.key, settings);
  const conductor = new Conductor(releases, (error) => log.warn({ err: error }, 'releases could not be looked after'));
  const events = openEvents(opened, secretKey.key, settings, tracing);
  if (order.ended !== undefined) await leaveWebhooksOf(events, order.ended);
  const courier = new Courier(events, {
    onError: (error) => log.warn({ err: error }, 'events could not be given out'),
    onAttempt: (outcome) => measured.webhookDelivery(outcome),
  });
  const upstreams = openUpstreams(registry, secretKey.key, tracing);
  if (order.ended !== undefined) await releaseFetchesOf(registry, order.ended);
  const through = new PullThrough(registry, upstreams, {
    onRequest: (part, result) => measured.cacheRequest(part, result),
    onFetched: (bytes) => measured.cacheFetched(bytes),
    warn: (fields, message) => log.warn(fields, message),
  });
  const mirroring = await openMirroring({
    registry,
    upstreams,
    log,
    ended: order.ended,
    ran: (outcome) => measured.mirrorRun(outcome),
  });
  const acme = openAcme(settings, {
    registry,
    seal: releases.secrets,
    log,
    ordered: (outcome) => measured.certificateOrder(outcome),
  });
  const answer = createServer({
    settings,
    registry,
    releases,
    conductor,
    courier,
    upstreams,
    through,
    keys: await instanceKeys(registry.database),
    tracing,
    instruments: measured,
    log,
    newRequestId: () => `${order.name}-${(requests++).toString(36)}`,
    accepting: () => accepting,
    rateLimits: openRateLimits(settings, (limit) => measured.rateLimited(limit), log),
    connection: { address: (request) => listening.address(request) },
    metrics: async () => {
      const metrics = await collect();
      const contentType = measured.registry.contentType;
      return { contentType, text: await AggregatorRegistry.aggregate(metrics).metrics() };
    },
    garbage: { start: (run) => tell({ kind: 'garbage-wanted', run }) },
    certificates: certificatesOf(() => listening.certificate, acme),
  });
  const notTaken = (error: Error) => {
    const level = order.number === 1 ? 'warn' : 'debug';
    log[level]({ reason: error.message }, 'the certificate has changed, and is not taken');
  };
  const tls = acme === undefined ? openFileTls(settings, notTaken) : acmeTls(acme, settings, notTaken);
  const listening = new Listening({
    settings,
    tls,
    answer,
    challenge: acme === undefined ? undefined : (token) => acme.answer(token),
    // An authority's certificate is renewed without anybody, and why it is not is said by who orders it.
    warns: order.number === 1 && acme === undefined,
    log,
  });
  await listening.open();

  async function collect(): Promise<WorkerMetrics[]> {
    const request = requests++;
    const all = new Promise<WorkerMetrics[]>((resolve) => waiting.set(request, resolve));
    tell({ kind: 'metrics-wanted', request });
    const own = async () => [await measured.registry.getMetricsAsJSON()];
    const metrics = await Promise.race([all, Bun.sleep(METRICS_WITHIN_MS).then(own)]);
    waiting.delete(request);
    return metrics;
  }

  const writePullTimes = () =>
    registry.pullTimes
      .flush(registry.database)
      .catch((error: unknown) => log.warn({ err: error }, 'the times of pulls could not be written'));
  const pullTimes = setInterval(writePullTimes, PULL_TIMES_EVERY_MS);

  async function stop(): Promise<void> {
    if (!accepting) return;
    accepting = false;
    endBackups?.();
    // Agents ask another process, or again.
    await conductor.stop();
    await courier.stop();
    await mirroring.stop();
    const late = setTimeout(() => {
      log.warn({ requests: listening.pendingRequests }, 'transfers were cut off at the shutdown timeout');
      void listening.cut();
    }, settings.shutdownTimeout);
    await listening.finish();
    clearTimeout(late);
    await listening.cut();
    await through.stop();
    clearInterval(pullTimes);
    // Not worth a long wait for a database that is gone.
    await Promise.all([
      Promise.race([writePullTimes(), Bun.sleep(PULL_TIMES_WITHIN_MS)]),
      tracing?.stop(TRACES_WITHIN_MS),
    ]);
    await close();
    await flushLog(log);
    process.exit(0);
  }

  process.on('message', (message: FromSupervisor) => {
    if (message.kind === 'stop') void stop();
    else if (message.kind === 'garbage') garbage = message.totals;
    else if (message.kind === 'garbage-ended') {
      void cleanUpAfterCollector(registry, message.run).catch((error: unknown) =>
        log.warn({ err: error, run: message.run }, 'what a garbage collection left could not be cleaned up'),
      );
    } else if (message.kind === 'backup-ended') {
      void loseBackup(registry, message.run, message.reason).catch((error: unknown) =>
        log.warn({ err: error, run: message.run }, 'the end of a backup could not be written down'),
      );
    } else if (message.kind === 'all-metrics') waiting.get(message.request)?.(message.metrics);
    else if (message.kind === 'report-metrics') {
      void measured.registry
        .getMetricsAsJSON()
        .then((metrics) => tell({ kind: 'metrics', request: message.request, metrics }))
        .catch((error: unknown) => log.warn({ err: error }, 'metrics could not be read'));
    }
  });
  // A terminal sends these to the whole group; the supervisor passes on what is meant for workers.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  conductor.start();
  courier.start();
  mirroring.start();
  // One of the workers is enough; over replicas the database decides.
  const endBackups =
    backups === undefined || order.number !== 1
      ? undefined
      : watchBackups(registry, backups, (run) => tell({ kind: 'backup-wanted', run }), log);
  const setup = order.first ? await openSetupOf(registry) : undefined;
  tell({ kind: 'ready', ...(setup === undefined ? {} : { setup }) });
}

async function countUploads({ database }: RegistryContext): Promise<number> {
  const count = database.read.selectFrom('uploads').select((select) => select.fn.countAll<number | string>().as('n'));
  return Number((await count.executeTakeFirst())?.n ?? 0);
}

async function readingSeconds({ database }: RegistryContext): Promise<number> {
  const started = performance.now();
  await readDatabase(database);
  return (performance.now() - started) / 1000;
}

function tell(message: FromWorker): void {
  process.send?.(message);
}
