import { ERRORS, type OciError } from '../../oci/errors.ts';
import type { Environment, Protocol } from '../dispatch.ts';
import type { Credential } from '../identify.ts';
import type { BerthRequest } from '../request.ts';
import type { Route } from '../route.ts';

/** Problem details (RFC 9457). `code` is the error table's, `requestId` the log's. */
export interface Problem {
  type: 'about:blank';
  title: string;
  status: number;
  detail: string;
  code: string;
  requestId: string;
}

/** A protocol of plain responses whose errors are problem details. */
export function problemProtocol<Handler>(
  environment: Environment,
  routes: readonly Route<Handler>[],
  takes: Credential | undefined,
  run: Protocol<Handler>['run'],
): Protocol<Handler> {
  const renderError = (error: OciError, request: BerthRequest): Response => {
    environment.instruments.failure(error.code);
    const { status, message } = ERRORS[error.code];
    const problem: Problem = {
      type: 'about:blank',
      title: message,
      status,
      detail: error.message,
      code: error.code,
      requestId: request.id,
    };
    return Response.json(problem, {
      status,
      headers: { 'Content-Type': 'application/problem+json', ...challengeHeader(status), ...retryAfter(error) },
    });
  };
  return { routes, takes, run, renderError, challenge: renderError };
}

/** RFC 9110 §10.2.3, in seconds. */
export function retryAfter(error: OciError): Record<string, string> {
  const { retryAfter: seconds = error.code === 'UNAVAILABLE' ? 1 : undefined } = error.detail;
  return typeof seconds === 'number' ? { 'Retry-After': String(seconds) } : {};
}

/** RFC 9110 §15.5.2. Not Basic: a browser would ask in a window of its own. */
function challengeHeader(status: number): Record<string, string> {
  return status === 401 ? { 'WWW-Authenticate': 'Bearer realm="berth"' } : {};
}
