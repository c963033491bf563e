import { hostname } from 'node:os';
import type { Logger } from 'pino';
import pkg from '../../package.json' with { type: 'json' };
import { tracingOptions } from '../config/tracing.ts';
import type { Instruments } from '../http/instruments.ts';
import type { StartedTracing } from '../telemetry/start.ts';
import type { WorkerOrder } from './order.ts';

/** Tracing, when settings or OpenTelemetry's variables ask for it; else nothing of it is loaded. @throws ConfigError */
export async function openTracing(
  order: WorkerOrder,
  log: Logger,
  instruments: () => Instruments | undefined,
): Promise<StartedTracing | undefined> {
  const options = tracingOptions(order.settings, process.env);
  if (options === undefined) return undefined;
  const { startTracing } = await import('../telemetry/start.ts');
  // Every process sends its own; one of them is enough to say how that goes.
  const level = order.number === 1 ? 'warn' : 'debug';
  const to = options.url;
  if (order.number === 1) log.info({ to, sample: options.sampler.ratio }, 'requests are traced');
  return startTracing({
    ...options,
    version: pkg.version,
    host: hostname(),
    process: order.name,
    onSpans: (outcome, count) => instruments()?.traceSpans(outcome, count),
    onTrouble: (reason) => log[level]({ to, reason }, 'the collector does not take traces; they are lost meanwhile'),
    onRecovery: () => log[order.number === 1 ? 'info' : 'debug']({ to }, 'the collector takes traces again'),
  });
}
