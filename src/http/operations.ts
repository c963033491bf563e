import { problemProtocol } from './api/problem.ts';
import { type Checks, outcomeOf } from './checks.ts';
import type { Environment, Protocol } from './dispatch.ts';
import type { BerthRequest } from './request.ts';
import type { Route } from './route.ts';

export interface OperationsSources {
  checks: Checks;
  /** False from SIGTERM on, so that a load balancer looks elsewhere while transfers end. */
  accepting: () => boolean;
  /** The exposition of all workers, in Prometheus' text format. */
  metrics: () => Promise<{ contentType: string; text: string }>;
}

type OperationsHandler = (sources: OperationsSources, request: BerthRequest) => Promise<Response>;

const CHECK_WITHIN_MS = 5_000;

/** What an operator's tools ask. */
const ROUTES: readonly Route<OperationsHandler>[] = [
  { method: 'GET', path: '/livez', access: 'none', handler: async () => Response.json({ status: 'ok' }) },
  { method: 'GET', path: '/readyz', access: 'none', handler: ready },
  { method: 'GET', path: '/metrics', access: 'none', handler: metrics },
];

export function operationsProtocol(environment: Environment, sources: OperationsSources): Protocol<OperationsHandler> {
  return problemProtocol(environment, ROUTES, undefined, (handler, request) => handler(sources, request));
}

async function ready({ checks, accepting }: OperationsSources): Promise<Response> {
  if (!accepting()) return Response.json({ status: 'stopping' }, { status: 503 });
  const names = Object.keys(checks);
  const found = await Promise.all(Object.values(checks).map((check) => outcomeOf(check, CHECK_WITHIN_MS)));
  const results = Object.fromEntries(names.map((name, i) => [name, found[i]]));
  const ok = Object.values(results).every((result) => result === 'ok');
  return Response.json({ status: ok ? 'ok' : 'failing', checks: results }, { status: ok ? 200 : 503 });
}

async function metrics({ metrics: read }: OperationsSources): Promise<Response> {
  const { contentType, text } = await read();
  return new Response(text, { headers: { 'Content-Type': contentType } });
}
