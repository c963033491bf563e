import type { Hono } from 'hono';
import type { Logger } from 'pino';
import type { Access, Authorize, Verdict } from '../accounts/authorize.ts';
import { OciError } from '../oci/errors.ts';
import { parseRepositoryName, type RepositoryName } from '../oci/names.ts';
import { failureOf } from './failure.ts';
import type { Instruments } from './instruments.ts';
import type { PublicAddress } from './public-address.ts';
import { type BerthRequest, type Connection, HttpRequest } from './request.ts';
import { byPath, compilePath, decoded, pathOf, type Route } from './route.ts';

export interface Environment {
  authorize: Authorize;
  address: PublicAddress;
  connection: Connection;
  instruments: Instruments;
  log: Logger;
  newRequestId: () => string;
}

/** How one protocol of ours answers: /v2/ with the distribution protocol's bodies, /api/ with problem details. */
export interface Protocol<Handler> {
  routes: readonly Route<Handler>[];
  run(handler: Handler, request: BerthRequest): Promise<Response>;
  renderError(error: OciError, request: BerthRequest): Response;
  /** The answer to a caller that must log in. */
  challenge(request: BerthRequest, access: Access, repository: RepositoryName | undefined): Response;
}

/** Puts a route table on Hono's router. */
export function mount<Handler>(app: Hono, environment: Environment, protocol: Protocol<Handler>): void {
  for (const [path, methods] of byPath(protocol.routes)) {
    app.all(path, ({ req }) => handle(environment, protocol, path, methods, req.raw, (name) => req.param(name)));
  }
}

/** For paths that no route of the table has. */
export function mountNotFound<Handler>(
  app: Hono,
  environment: Environment,
  protocol: Protocol<Handler>,
  path: string,
): void {
  app.all(path, ({ req }) => handleUnknown(environment, protocol, path, req.raw));
}

/**
 * Matches a table's paths itself, in order. The pull path goes through here: it takes a third of the time of Hono's
 * router on paths whose name may hold slashes (`bench/`, `docs/decisions/0002-routing-v2.md`).
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

/** One request to a known path: the access check, then the handler of its method. */
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
      const repository = path.includes(':name') ? parseRepositoryName(request.param('name')) : undefined;
      const verdict = environment.authorize(request.identity, route.access, repository);
      if (verdict !== 'allowed') return refuse(protocol, verdict, request, route.access, repository);
      return protocol.run(route.handler, request);
    },
  );
}

function handleUnknown<Handler>(
  environment: Environment,
  protocol: Protocol<Handler>,
  route: string,
  raw: Request,
): Promise<Response> {
  const request = new HttpRequest(environment.newRequestId(), raw, environment, () => undefined);
  return answer(environment, protocol, route, request, async () => {
    throw new OciError('NOT_FOUND', `path: nothing is served at ${pathOf(raw.url).slice(0, 300)}`);
  });
}

/** Runs `work` and never throws: an error becomes the protocol's error body. Then the log line and the metrics. */
async function answer<Handler>(
  environment: Environment,
  protocol: Protocol<Handler>,
  route: string,
  request: BerthRequest,
  work: (request: BerthRequest) => Promise<Response>,
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
  logRequest(environment.log, request, response.status, seconds, problem);
  return response;
}

function refuse<Handler>(
  protocol: Protocol<Handler>,
  verdict: Exclude<Verdict, 'allowed'>,
  request: BerthRequest,
  access: Access,
  repository: RepositoryName | undefined,
): Response {
  if (verdict === 'unauthenticated') return protocol.challenge(request, access, repository);
  throw new OciError('DENIED', `you may not ${access} ${repository ?? 'here'}`);
}

function methodNotAllowed<Handler>(protocol: Protocol<Handler>, request: BerthRequest, methods: string[]): Response {
  const error = new OciError('UNSUPPORTED', `method: ${request.raw.method} is not one of ${methods.join(', ')} here`);
  const response = protocol.renderError(error, request);
  response.headers.set('Allow', methods.join(', '));
  return response;
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
    },
    'request',
  );
}
