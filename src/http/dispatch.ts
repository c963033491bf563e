import type { Hono } from 'hono';
import type { Logger } from 'pino';
import type { Access, Authorizer, Target, Verdict } from '../accounts/authorize.ts';
import { OciError } from '../oci/errors.ts';
import { parseRepositoryName } from '../oci/names.ts';
import { failureOf } from './failure.ts';
import type { Credential, Identifier } from './identify.ts';
import type { Instruments } from './instruments.ts';
import type { PublicAddress } from './public-address.ts';
import type { RateLimits } from './rate-limits.ts';
import { type BerthRequest, type Connection, contentLength, HttpRequest, refusalOf } from './request.ts';
import { describeRequest, type RequestSpan, type RequestTracing, spanName } from './request-tracing.ts';
import { byPath, compilePath, decoded, pathOf, type Route } from './route.ts';
import { requireSameOrigin } from './same-origin.ts';

export interface Environment {
  authorizer: Authorizer;
  identifier: Identifier;
  address: PublicAddress;
  connection: Connection;
  instruments: Instruments;
  log: Logger;
  newRequestId: () => string;
  /** undefined: everyone may send as many as they like. */
  rateLimits: RateLimits | undefined;
  /** A request that takes longer is logged as slow, in ms; 0 for none. */
  slowMs: number;
  /** undefined: no request is traced. */
  tracing: RequestTracing | undefined;
}

/** How one protocol of ours answers: /v2/ with the distribution protocol's bodies, /api/ with problem details. */
export interface Protocol<Handler> {
  routes: readonly Route<Handler>[];
  /** How its callers may identify themselves; undefined when nothing depends on who they are. */
  takes: Credential | undefined;
  run(handler: Handler, request: BerthRequest, route: Route<Handler>): Promise<Response>;
  renderError(error: OciError, request: BerthRequest): Response;
  /** The answer to a caller that must log in, log in anew, or get another bearer token. */
  challenge(error: OciError, request: BerthRequest, wanted: Wanted | undefined): Response;
}

/** What a caller without the right to it asked for. */
export interface Wanted {
  access: Access;
  target: Target;
  /** The bearer token was got for something else. */
  insufficient: boolean;
}

/** Puts a route table on Hono's router. */
export function mount<Handler>(app: Hono, environment: Environment, protocol: Protocol<Handler>): void {
  for (const [path, methods] of byPath(protocol.routes)) {
    app.all(path, ({ req }) => handle(environment, protocol, path, methods, req.raw, (name) => req.param(name)));
  }
}

/** For paths that no route of the table has. @param shown what a person sees there, for a request that comes from one */
export function mountNotFound<Handler>(
  app: Hono,
  environment: Environment,
  protocol: Protocol<Handler>,
  path: string,
  shown: (request: Request) => Promise<Response | undefined>,
): void {
  app.all(path, ({ req }) => handleUnknown(environment, protocol, path, req.raw, shown));
}

/**
 * Matches a table's paths itself, in order: the tables whose paths hold repository names, which may hold slashes, go through here. On
 * the pull path it takes a third of the time of Hono's router (`bench/`, `docs/decisions/0002-routing-v2.md`).
 *
 * @param root what every path begins with, e.g. `/v2`
 */
export function matcher<Handler>(
  environment: Environment,
  protocol: Protocol<Handler>,
  root: string,
): (request: Request) => Promise<Response> | undefined {
  const table = [...byPath(protocol.routes)].map(([path, methods]) => ({ path, methods, ...compilePath(path) }));
  return (request) => {
    const path = pathOf(request.url);
    if (!path.startsWith(root)) return undefined;
    for (const entry of table) {
      const match = entry.pattern.exec(path);
      if (match === null) continue;
      const param = (name: string) => decoded(match[entry.names.indexOf(name) + 1]);
      return handle(environment, protocol, entry.path, entry.methods, request, param);
    }
    return handleUnknown(environment, protocol, `${root}/*`, request);
  };
}

/**
 * As `matcher`, for a table that is loaded with the first request to it: a registry that is pushed to and pulled from alone needs
 * neither its memory nor its time at the start.
 */
export function laterMatcher<Handler>(
  environment: Environment,
  load: () => Promise<Protocol<Handler>>,
  root: string,
): (request: Request) => Promise<Response> | undefined {
  type Match = ReturnType<typeof matcher<Handler>>;
  let match: Match | undefined;
  let loading: Promise<Match> | undefined;
  return (request) => {
    if (match !== undefined) return match(request);
    if (!pathOf(request.url).startsWith(root)) return undefined;
    loading ??= load()
      .then((protocol) => {
        match = matcher(environment, protocol, root);
        return match;
      })
      .finally(() => {
        loading = undefined;
      });
    return loading.then((loaded) => loaded(request) as Promise<Response>);
  };
}

/** One request to a known path: not for another site's page, the access check, then the handler of its method. */
function handle<Handler>(
  environment: Environment,
  protocol: Protocol<Handler>,
  path: string,
  methods: ReadonlyMap<string, Route<Handler>>,
  raw: Request,
  param: (name: string) => string | undefined,
): Promise<Response> {
  return answer(
    environment,
    protocol,
    path,
    new HttpRequest(environment.newRequestId(), raw, environment, param),
    async (request) => {
      const route = methods.get(raw.method);
      if (route === undefined) return methodNotAllowed(protocol, request, [...methods.keys()]);
      requireSameOrigin(request);
      const target = targetOf(route, request);
      if (protocol.takes !== undefined) {
        // A refused credential is answered with what would be asked of a caller without one.
        const found = identified(environment, protocol, request, { access: route.access, target, insufficient: false });
        const refused = found instanceof Promise ? await found : found;
        environment.rateLimits?.count(request.identity, () => request.source);
        if (refused !== undefined) return refused;
        if (protocol.takes === 'cookie') keepAgentsOut(request, route.access);
        const decision = environment.authorizer.authorize(request.caller, route.access, target);
        const verdict = decision instanceof Promise ? await decision : decision;
        if (verdict.kind !== 'allowed') return refuse(protocol, verdict, request, route.access, target);
      }
      return protocol.run(route.handler, request, route);
    },
  );
}

/** Sets `request.caller`. Returns the answer to a credential that is not good. A pull with a known bearer token waits for nothing. */
function identified<Handler>(
  environment: Environment,
  protocol: Protocol<Handler>,
  request: BerthRequest,
  wanted: Wanted,
): Response | undefined | Promise<Response | undefined> {
  const refused = (error: unknown) => {
    if (error instanceof OciError && error.code === 'UNAUTHORIZED') return protocol.challenge(error, request, wanted);
    throw error;
  };
  try {
    const caller = environment.identifier.identify(request, protocol.takes ?? 'cookie');
    if (caller instanceof Promise) {
      return caller.then((known) => {
        request.caller = known;
        return undefined;
      }, refused);
    }
    request.caller = caller;
    return undefined;
  } catch (error) {
    return refused(error);
  }
}

/** An agent has its own routes of the API, whatever its rights in the registry. @throws OciError DENIED */
function keepAgentsOut(request: BerthRequest, access: Access): void {
  if (request.identity.kind !== 'agent' || access === 'agent' || access === 'none') return;
  throw new OciError('DENIED', "an agent's token is for pulling its images and for its own routes alone");
}

function targetOf<Handler>(route: Route<Handler>, request: BerthRequest): Target {
  if (/:name\b/.test(route.path)) return { kind: 'repository', name: parseRepositoryName(request.param('name')) };
  if (/:namespace\/stacks\b/.test(route.path)) {
    return { kind: 'stack', namespace: request.param('namespace'), stack: request.param('stack') };
  }
  if (/:namespace\b/.test(route.path)) return { kind: 'namespace', name: request.param('namespace') };
  return { kind: route.target ?? 'instance' };
}

function handleUnknown<Handler>(
  environment: Environment,
  protocol: Protocol<Handler>,
  route: string,
  raw: Request,
  shown?: (request: Request) => Promise<Response | undefined>,
): Promise<Response> {
  const request = new HttpRequest(environment.newRequestId(), raw, environment, () => undefined);
  return answer(environment, protocol, route, request, async () => {
    const page = await shown?.(raw);
    if (page !== undefined) return page;
    throw new OciError('NOT_FOUND', `path: nothing is served at ${pathOf(raw.url).slice(0, 300)}`);
  });
}

function answer<Handler>(
  environment: Environment,
  protocol: Protocol<Handler>,
  route: string,
  request: BerthRequest,
  work: (request: BerthRequest) => Promise<Response>,
): Promise<Response> {
  const { tracing } = environment;
  if (tracing === undefined) return respond(environment, protocol, route, request, work, undefined);
  const parent = { traceparent: request.header('traceparent'), tracestate: request.header('tracestate') };
  const name = spanName(request.raw.method, route);
  return tracing.request(name, parent, (span) =>
    respond(environment, protocol, route, request, work, span.sampled ? span : undefined),
  );
}

/** Runs `work` and never throws: an error becomes the protocol's error body. Then the metrics, the trace and the log line. */
async function respond<Handler>(
  environment: Environment,
  protocol: Protocol<Handler>,
  route: string,
  request: BerthRequest,
  work: (request: BerthRequest) => Promise<Response>,
  span: RequestSpan | undefined,
): Promise<Response> {
  const started = performance.now();
  const { raw } = request;
  let response: Response;
  let problem: { told: OciError; cause: unknown } | undefined;
  try {
    if (!environment.address.accepts(request.header('host'))) throw new OciError('HOST_INVALID', 'host: not a host');
    response = await work(request);
  } catch (error) {
    problem = failureOf(error, raw.signal.aborted);
    response = protocol.renderError(problem.told, request);
  }
  response.headers.set('X-Request-Id', request.id);
  const seconds = (performance.now() - started) / 1000;
  environment.instruments.observe(route, raw.method, response.status, seconds);
  if (span !== undefined) describeRequest(span, route, request, response.status, problem?.told);
  logRequest(environment.log, request, response.status, seconds, problem, span);
  if (environment.slowMs > 0 && seconds * 1_000 > environment.slowMs) {
    logSlow(environment.log, route, request, seconds, span);
  }
  return response;
}

function refuse<Handler>(
  protocol: Protocol<Handler>,
  verdict: Verdict,
  request: BerthRequest,
  access: Access,
  target: Target,
): Response {
  const error = refusalOf(verdict, access, target);
  if (verdict.kind !== 'unauthenticated' && verdict.kind !== 'insufficient') throw error;
  return protocol.challenge(error, request, { access, target, insufficient: verdict.kind === 'insufficient' });
}

function methodNotAllowed<Handler>(protocol: Protocol<Handler>, request: BerthRequest, methods: string[]): Response {
  const error = new OciError('UNSUPPORTED', `method: ${request.raw.method} is not one of ${methods.join(', ')} here`);
  const response = protocol.renderError(error, request);
  response.headers.set('Allow', methods.join(', '));
  return response;
}

/** Below it a body takes no time of its own. */
const SMALL_BODY = 1024 * 1024;

/** How long a large body takes is the client's affair. */
function logSlow(
  log: Logger,
  route: string,
  request: BerthRequest,
  seconds: number,
  span: RequestSpan | undefined,
): void {
  const chunked = request.header('transfer-encoding') !== null;
  if (chunked || (contentLength(request) ?? 0) > SMALL_BODY) return;
  log.warn(
    {
      requestId: request.id,
      method: request.raw.method,
      route,
      path: pathOf(request.raw.url).slice(0, 600),
      ms: Math.round(seconds * 1_000),
      client: request.source,
      who: request.identity.name,
      ...traceOf(span),
    },
    'slow request',
  );
}

function levelOf(method: string, status: number): 'debug' | 'info' | 'warn' | 'error' {
  if (status >= 500) return status === 500 ? 'error' : 'warn';
  if (status === 401 || status === 404) return 'debug';
  const read = method === 'GET' || method === 'HEAD';
  return read && status < 400 ? 'debug' : 'info';
}

/** Pulls and expected misses are debug; bad input is info; what changes something is info; what is our fault is a warning or an error. */
function logRequest(
  log: Logger,
  request: BerthRequest,
  status: number,
  seconds: number,
  problem: { told: OciError; cause: unknown } | undefined,
  span: RequestSpan | undefined,
): void {
  const { method } = request.raw;
  const level = levelOf(method, status);
  if (!log.isLevelEnabled(level)) return;
  log[level](
    {
      requestId: request.id,
      method,
      path: pathOf(request.raw.url).slice(0, 600),
      status,
      ms: Math.round(seconds * 10_000) / 10,
      client: request.source,
      agent: request.header('user-agent')?.slice(0, 200),
      ...(problem === undefined ? {} : { code: problem.told.code, reason: problem.told.message }),
      ...(problem?.cause === undefined ? {} : { err: problem.cause }),
      ...traceOf(span),
    },
    'request',
  );
}

/** OpenTelemetry "Trace Context in non-OTLP Log Formats". */
function traceOf(span: RequestSpan | undefined): { trace_id?: string; span_id?: string } {
  return span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId };
}
