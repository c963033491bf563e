import { ERRORS, OciError } from '../../oci/errors.ts';
import type { Environment, Protocol } from '../dispatch.ts';
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
  run: (handler: Handler, request: BerthRequest) => Promise<Response>,
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
      headers: { 'Content-Type': 'application/problem+json' },
    });
  };
  return {
    routes,
    run,
    renderError,
    challenge: (request, access, repository) =>
      renderError(new OciError('UNAUTHORIZED', `log in to ${access} ${repository ?? 'this registry'}`), request),
  };
}
