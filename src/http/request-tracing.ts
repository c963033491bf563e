import type { OciError } from '../oci/errors.ts';
import type { BerthRequest } from './request.ts';
import { pathOf } from './route.ts';

/** What the server asks of tracing, when it is on. */
export interface RequestTracing {
  /**
   * Runs `work` in a span of its own, below the one that the caller's headers name. It ends when `work` does.
   *
   * @param parent `traceparent` and `tracestate` (W3C "Trace Context") as they came
   */
  request<T>(name: string, parent: TraceParent, work: (span: RequestSpan) => Promise<T>): Promise<T>;
}

export interface TraceParent {
  traceparent: string | null;
  tracestate: string | null;
}

/** One request, as a collector is to see it. */
export interface RequestSpan {
  /** Whether it is sent; else there is no use in saying anything about it. */
  readonly sampled: boolean;
  readonly traceId: string;
  readonly spanId: string;
  set(attributes: Record<string, string | number>): void;
  /** It is the server's fault. */
  fail(message: string): void;
}

const KNOWN_METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** `GET /v2/{name}/manifests/{reference}`: few names, whatever is asked for. @param route in Hono's notation */
export function spanName(method: string, route: string): string {
  return `${KNOWN_METHODS.has(method) ? method : 'HTTP'} ${templateOf(route)}`;
}

function templateOf(route: string): string {
  return route.replace(/:(\w+)(\{\.\+\})?/g, '{$1}');
}

/**
 * Says of a request what OpenTelemetry's "Semantic conventions for HTTP server spans" has names for, and what is Berth's own. Never a header
 * with a log-in, and never a query: either may hold secrets.
 */
export function describeRequest(
  span: RequestSpan,
  route: string,
  request: BerthRequest,
  status: number,
  told: OciError | undefined,
): void {
  const { method, url } = request.raw;
  const { protocol, hostname, port } = new URL(request.base);
  const known = KNOWN_METHODS.has(method);
  const length = request.header('content-length');
  span.set({
    'http.request.method': known ? method : '_OTHER',
    ...(known ? {} : { 'http.request.method_original': method.slice(0, 50) }),
    'http.route': templateOf(route),
    'http.response.status_code': status,
    'url.scheme': protocol.slice(0, -1),
    'url.path': pathOf(url).slice(0, 600),
    'server.address': hostname,
    'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
    'client.address': request.source,
    'network.peer.address': request.arrival.peer,
    'network.protocol.name': 'http',
    'user_agent.original': (request.header('user-agent') ?? '').slice(0, 200),
    ...(length === null ? {} : { 'http.request.body.size': Number(length) }),
    'berth.request_id': request.id,
    'berth.caller': request.identity.kind,
    ...repositoryOf(route, request),
    ...(told === undefined ? {} : { 'berth.error': told.code }),
  });
  if (status < 500) return;
  span.set({ 'error.type': told?.code ?? String(status) });
  span.fail(told?.message ?? '');
}

function repositoryOf(route: string, request: BerthRequest): Record<string, string> {
  if (!/:name\b/.test(route)) return {};
  try {
    return { 'berth.repository': request.param('name').slice(0, 300) };
  } catch {
    // No name, and answered so.
    return {};
  }
}
