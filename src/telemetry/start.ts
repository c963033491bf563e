import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  detectResources,
  type Resource,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Database } from '../database/database.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { BoundedSpans, type SpanObserver, type SpanQueue } from './bounded-spans.ts';
import { TracedBlobStore } from './traced-blob-store.ts';
import { TracedDatabase } from './traced-database.ts';
import { type Fetch, tracedFetch } from './traced-fetch.ts';
import { Tracing } from './tracing.ts';

export interface TracingSetUp extends SpanObserver {
  /** Takes OTLP over HTTP. */
  url: string;
  sampler: { ratio: number; followsCaller: boolean };
  queue: SpanQueue;
  version: string;
  /** The machine's name; begins the instance's id. */
  host: string;
  /** Unique among the processes that were ever started there. */
  process: string;
}

export interface StartedTracing {
  requests: Tracing;
  database(inner: Database): Database;
  store(inner: BlobStore): BlobStore;
  /** For requests to others; with `roots` also for those that no request here asked for. */
  fetch(options: { roots: boolean }): Fetch;
  /** Sends what is there, for as long as `ms`. */
  stop(ms: number): Promise<void>;
}

/**
 * Starts tracing. Spans wait in memory, at most some thousands, and are sent together every few seconds; whoever made them waits for
 * nothing. Headers, time-out, compression and certificates are what OpenTelemetry's variables say, and its exporter reads them itself.
 */
export function startTracing(options: TracingSetUp): StartedTracing {
  const spans = new BoundedSpans(new OTLPTraceExporter({ url: options.url }), options.queue, options);
  const provider = new TracerProvider({
    resource: resourceOf(options),
    sampler: samplerOf(options.sampler),
    spanProcessors: [spans],
    spanLimits: { attributeValueLengthLimit: 1_000 },
  });
  const requests = new Tracing(provider.getTracer('berth', options.version));
  return {
    requests,
    database: (inner) => new TracedDatabase(inner, requests),
    store: (inner) => new TracedBlobStore(inner, requests),
    fetch: ({ roots }) => tracedFetch(requests, roots),
    stop: (ms) => Promise.race([provider.shutdown().catch(() => {}), Bun.sleep(ms)]),
  };
}

/** What the variables say wins, but for the instance: there are several processes, and each is one. */
function resourceOf({ version, host, process }: TracingSetUp): Resource {
  const named = detectResources({ detectors: [resourceAttributesEnvDetector, serviceNameEnvDetector] });
  const instance = named.attributes['service.instance.id'] ?? host;
  return resourceFromAttributes({ 'service.name': 'berth', 'service.version': version, 'host.name': host })
    .merge(named)
    .merge(resourceFromAttributes({ 'service.instance.id': `${instance}/${process}` }));
}

function samplerOf({ ratio, followsCaller }: TracingSetUp['sampler']): Sampler {
  const root =
    ratio === 1 ? new AlwaysOnSampler() : ratio === 0 ? new AlwaysOffSampler() : new TraceIdRatioBasedSampler(ratio);
  return followsCaller ? new ParentBasedSampler({ root }) : root;
}
