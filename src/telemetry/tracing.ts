import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Attributes,
  createTraceState,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { ERRORS, OciError } from '../oci/errors.ts';

/** What a part of the work says of itself while it runs. */
export interface PartSpan {
  set(attributes: Attributes): void;
  happened(event: string): void;
  /** @param type a word, or the status of an answer */
  fail(type: string): void;
}

/**
 * Spans of the requests, and below them of their parts. Which request a part belongs to is known by the call, not by an argument: whoever
 * works for a request does not know of this.
 */
export class Tracing {
  readonly #tracer: Tracer;
  readonly #active = new AsyncLocalStorage<Span>();

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** Runs `work` in the span of a request; ends it when `work` has. @param parent the caller's headers */
  async request<T>(name: string, parent: TraceParent, work: (span: RequestSpan) => Promise<T>): Promise<T> {
    const caller = spanContextOf(parent);
    const context = caller === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, caller);
    const span = this.#tracer.startSpan(name, { kind: SpanKind.SERVER }, context);
    try {
      return await this.#active.run(span, () => work(new RequestSpan(span)));
    } finally {
      span.end();
    }
  }

  /** Whether what runs now belongs to a request that is traced. */
  get recording(): boolean {
    return this.#active.getStore()?.isRecording() === true;
  }

  /**
   * Runs `work` in a span below the one that is running. Without one there is no span: what nobody asked for is done all the time, and
   * would be most of what is sent.
   */
  part<T>(name: string, attributes: Attributes, work: (span: PartSpan | undefined) => Promise<T>): Promise<T> {
    const span = this.begin(name, attributes);
    return span === undefined ? work(undefined) : this.#within(span, () => work(new ActivePart(span)));
  }

  /** The same for requests that go out; with `roots` also without a request that they belong to, as a trace of their own. */
  async outgoing<T>(
    method: string,
    attributes: Attributes,
    roots: boolean,
    work: (span: PartSpan | undefined, headers: Record<string, string>) => Promise<T>,
  ): Promise<T> {
    const parent = this.#active.getStore();
    if (parent === undefined && !roots) return work(undefined, {});
    if (parent !== undefined && !parent.isRecording()) return work(undefined, headersOf(parent.spanContext()));
    const context = parent === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, parent);
    const span = this.#tracer.startSpan(method, { kind: SpanKind.CLIENT, attributes }, context);
    return this.#within(span, () => work(new ActivePart(span), headersOf(span.spanContext())));
  }

  /** A span that the caller ends, or that is never sent; undefined when nothing is recorded. */
  begin(name: string, attributes: Attributes): Span | undefined {
    const parent = this.#active.getStore();
    if (parent?.isRecording() !== true) return undefined;
    return this.#tracer.startSpan(name, { kind: kindOf(attributes), attributes }, trace.setSpan(ROOT_CONTEXT, parent));
  }

  async #within<T>(span: Span, work: () => Promise<T>): Promise<T> {
    try {
      return await this.#active.run(span, work);
    } catch (error) {
      failed(span, error);
      throw error;
    } finally {
      span.end();
    }
  }
}

/** Databases and outgoing requests are others' programs; the rest is work of this one. */
function kindOf(attributes: Attributes): SpanKind {
  return 'db.system.name' in attributes ? SpanKind.CLIENT : SpanKind.INTERNAL;
}

/** Marks a span whose work threw. What only a caller did wrong is no failure of the part that found it out. */
export function failed(span: Span, error: unknown): void {
  if (error instanceof OciError && ERRORS[error.code].status < 500) return;
  const name = error instanceof Error ? error.name : 'unknown';
  span.setAttribute('error.type', name);
  span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message.slice(0, 300) : name });
}

/** A request's span; `RequestTracing` in `src/http` says what it is for. */
class RequestSpan {
  constructor(private readonly span: Span) {}

  get sampled(): boolean {
    return this.span.isRecording();
  }

  get traceId(): string {
    return this.span.spanContext().traceId;
  }

  get spanId(): string {
    return this.span.spanContext().spanId;
  }

  set(attributes: Attributes): void {
    this.span.setAttributes(attributes);
  }

  fail(message: string): void {
    this.span.setStatus({ code: SpanStatusCode.ERROR, message: message.slice(0, 300) });
  }
}

class ActivePart implements PartSpan {
  constructor(private readonly span: Span) {}

  set(attributes: Attributes): void {
    this.span.setAttributes(attributes);
  }

  happened(event: string): void {
    this.span.addEvent(event);
  }

  fail(type: string): void {
    this.span.setAttribute('error.type', type);
    this.span.setStatus({ code: SpanStatusCode.ERROR });
  }
}

interface TraceParent {
  traceparent: string | null;
  tracestate: string | null;
}

/** W3C "Trace Context" §3.2. A header that is no such one starts a new trace, as §4.3 wants it. */
function spanContextOf({ traceparent, tracestate }: TraceParent): SpanContext | undefined {
  if (traceparent === null) return undefined;
  const [, version, traceId = '', spanId = '', flags = '', more] =
    /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/.exec(traceparent.trim()) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  const context: SpanContext = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & 1,
    isRemote: true,
    ...(tracestate === null ? {} : { traceState: createTraceState(tracestate.slice(0, 1_000)) }),
  };
  return isSpanContextValid(context) ? context : undefined;
}

function headersOf({ traceId, spanId, traceFlags, traceState }: SpanContext): Record<string, string> {
  const state = traceState?.serialize();
  return {
    traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
    ...(state === undefined || state === '' ? {} : { tracestate: state }),
  };
}
