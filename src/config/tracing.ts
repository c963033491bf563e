import { collectorAddress, NO_COLLECTOR, parseShare, TRACES_PATH } from './collector.ts';
import { ConfigError } from './load.ts';
import type { Settings } from './settings.ts';

/** Where traces go, and which requests are traced. */
export interface TracingOptions {
  /** Takes OTLP over HTTP. */
  url: string;
  sampler: TraceSampler;
  queue: { most: number; batch: number; delayMs: number };
}

export interface TraceSampler {
  /** Of requests whose caller says nothing about it, or of all: 0 for none, 1 for each. */
  ratio: number;
  /** Whether a request is traced when its caller's `traceparent` says so, and only then. */
  followsCaller: boolean;
}

/** What `OTEL_TRACES_EXPORTER=otlp` means alone. */
const USUAL_COLLECTOR = 'http://localhost:4318';

/** `OTEL_TRACES_SAMPLER` (OpenTelemetry "Environment Variable Specification"). `undefined`: the ratio of OTEL_TRACES_SAMPLER_ARG. */
const SAMPLERS: Record<string, { ratio: number | undefined; followsCaller: boolean }> = {
  always_on: { ratio: 1, followsCaller: false },
  always_off: { ratio: 0, followsCaller: false },
  traceidratio: { ratio: undefined, followsCaller: false },
  parentbased_always_on: { ratio: 1, followsCaller: true },
  parentbased_always_off: { ratio: 0, followsCaller: true },
  parentbased_traceidratio: { ratio: undefined, followsCaller: true },
};

type Variables = Record<string, string | undefined>;

/**
 * Tracing as Berth's own settings say, else as OpenTelemetry's variables do; undefined when neither names a collector.
 *
 * @throws ConfigError naming the variable that can't be used; what it holds is not repeated where it may be a secret
 */
export function tracingOptions(
  { tracesTo, tracesSample }: Pick<Settings, 'tracesTo' | 'tracesSample'>,
  variables: Variables,
): TracingOptions | undefined {
  if (/^true$/i.test(said(variables, 'OTEL_SDK_DISABLED') ?? '')) return undefined;
  const url = tracesTo ?? collectorOf(variables);
  if (url !== undefined) return { url, sampler: samplerOf(tracesSample, variables), queue: queueOf(variables) };
  if (tracesSample === undefined) return undefined;
  throw new ConfigError('--traces-sample: traces go nowhere; say with --traces-to where to');
}

function collectorOf(variables: Variables): string | undefined {
  const exporter = said(variables, 'OTEL_TRACES_EXPORTER');
  if (exporter === 'none') return undefined;
  const whole = 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT';
  const base = 'OTEL_EXPORTER_OTLP_ENDPOINT';
  const name = said(variables, whole) === undefined ? base : whole;
  const text = said(variables, name) ?? (exporter === 'otlp' ? USUAL_COLLECTOR : undefined);
  if (text === undefined) return undefined;
  if (exporter !== undefined && exporter !== 'otlp') {
    throw new ConfigError(`OTEL_TRACES_EXPORTER: ${JSON.stringify(exporter)} is not one of otlp, none`);
  }
  refuseOtherProtocols(variables);
  const address = collectorAddress(text);
  if (address === undefined) throw new ConfigError(`${name}: ${NO_COLLECTOR}`);
  return name === whole ? address : address + TRACES_PATH;
}

function refuseOtherProtocols(variables: Variables): void {
  for (const name of ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL']) {
    const protocol = said(variables, name);
    if (protocol === undefined) continue;
    if (protocol === 'http/json' || protocol === 'http/protobuf') return;
    throw new ConfigError(
      `${name}: ${JSON.stringify(protocol)} is not spoken; set http/json and an endpoint for it (collectors have it at port 4318)`,
    );
  }
}

function samplerOf(sample: number | undefined, variables: Variables): TraceSampler {
  if (sample !== undefined) return { ratio: sample, followsCaller: true };
  const name = said(variables, 'OTEL_TRACES_SAMPLER') ?? 'parentbased_always_on';
  const sampler = Object.hasOwn(SAMPLERS, name) ? SAMPLERS[name] : undefined;
  if (sampler === undefined) {
    const known = Object.keys(SAMPLERS).join(', ');
    throw new ConfigError(`OTEL_TRACES_SAMPLER: ${JSON.stringify(name)} is not one of ${known}`);
  }
  return { ratio: sampler.ratio ?? ratioOf(variables), followsCaller: sampler.followsCaller };
}

function ratioOf(variables: Variables): number {
  const text = said(variables, 'OTEL_TRACES_SAMPLER_ARG');
  const ratio = text === undefined ? 1 : parseShare(text);
  if (ratio !== undefined) return ratio;
  throw new ConfigError(`OTEL_TRACES_SAMPLER_ARG: ${JSON.stringify(text)} is not a number from 0 to 1`);
}

function queueOf(variables: Variables): TracingOptions['queue'] {
  return {
    most: wholeNumber(variables, 'OTEL_BSP_MAX_QUEUE_SIZE', 2_048),
    batch: wholeNumber(variables, 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 512),
    delayMs: wholeNumber(variables, 'OTEL_BSP_SCHEDULE_DELAY', 5_000),
  };
}

function wholeNumber(variables: Variables, name: string, usual: number): number {
  const text = said(variables, name);
  if (text === undefined) return usual;
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new ConfigError(`${name}: ${JSON.stringify(text)} is not a whole number from 1 to 9999999`);
}

/** An empty variable is as good as none (OpenTelemetry "Environment Variable Specification"). */
function said(variables: Variables, name: string): string | undefined {
  return variables[name]?.trim() || undefined;
}
