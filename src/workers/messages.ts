import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import type { GarbageTotals } from '../http/instruments.ts';
import type { WorkerOrder } from './order.ts';

/** What supervisor and workers tell each other, over the channel that Bun makes between a process and its child. */
export type FromWorker =
  | { kind: 'ready'; setup?: string }
  | { kind: 'failed'; reason: string }
  | { kind: 'metrics-wanted'; request: number }
  | { kind: 'garbage-wanted'; run: GarbageOrder }
  | { kind: 'backup-wanted'; run: string }
  | { kind: 'metrics'; request: string; metrics: WorkerMetrics };

export type FromSupervisor =
  | { kind: 'serve'; order: WorkerOrder }
  | { kind: 'stop' }
  | { kind: 'garbage'; totals: GarbageTotals }
  /** `run`: when somebody asked for it */
  | { kind: 'garbage-ended'; run: string | undefined }
  | { kind: 'backup-ended'; run: string; reason: string | undefined }
  | { kind: 'report-metrics'; request: string }
  | { kind: 'all-metrics'; request: number; metrics: WorkerMetrics[] };

/** A collection that somebody asked for, by the id under which it is written down. */
export interface GarbageOrder {
  id: string;
  dryRun: boolean;
}

/** prom-client's metrics as JSON, as its `AggregatorRegistry` takes them. */
export type WorkerMetrics = MetricObjectWithValues<MetricValue<string>>[];
