import type { Access } from '../../accounts/authorize.ts';
import { ERRORS, OciError, sentCode } from '../../oci/errors.ts';
import type { RepositoryName } from '../../oci/names.ts';
import type { RegistryContext } from '../../registry/context.ts';
import type { Environment, Protocol } from '../dispatch.ts';
import type { BerthRequest } from '../request.ts';
import type { Outcome } from './outcome.ts';
import { renderOutcome } from './render.ts';
import { V2_ROUTES, type V2Handler } from './routes.ts';

/** /v2/: the route table, the outcomes' renderer and the protocol's error body. */
export function v2Protocol(registry: RegistryContext, environment: Environment): Protocol<V2Handler> {
  const renderError = (error: OciError, request: BerthRequest): Response => {
    environment.instruments.failure(error.code);
    return errorBody(error, request);
  };
  return {
    routes: V2_ROUTES,
    async run(handler, request) {
      const outcome = await handler(registry, request);
      countBytes(environment, outcome);
      return renderOutcome(outcome);
    },
    renderError,
    challenge(request, access, repository) {
      const error = new OciError('UNAUTHORIZED', `log in to ${access} ${repository ?? 'this registry'}`, { access });
      const response = renderError(error, request);
      const base = environment.address.base(request.raw, environment.connection.address(request.raw));
      response.headers.set('WWW-Authenticate', challengeOf(base, access, repository));
      return response;
    },
  };
}

/** OCI Distribution 1.1 "Error Codes". The request id is in `detail`, so that a client's output leads to the log. */
function errorBody(error: OciError, request: BerthRequest): Response {
  const body = {
    errors: [
      { code: sentCode(error.code), message: error.message, detail: { ...error.detail, requestId: request.id } },
    ],
  };
  return new Response(request.raw.method === 'HEAD' ? null : JSON.stringify(body), {
    status: ERRORS[error.code].status,
    headers: {
      'Docker-Distribution-API-Version': 'registry/2.0',
      'Content-Type': 'application/json',
      ...(error.code === 'UNAVAILABLE' ? { 'Retry-After': '1' } : {}),
      ...rangeHeaders(error),
    },
  });
}

/** RFC 9110 §15.5.17 for a download; for an upload, where the next chunk must begin. */
function rangeHeaders(error: OciError): Record<string, string> {
  const { size, expected } = error.detail;
  if (error.code === 'RANGE_NOT_SATISFIABLE') return { 'Content-Range': `bytes */${size}` };
  return error.code === 'CHUNK_OUT_OF_ORDER' ? { Range: `0-${Math.max(0, Number(expected) - 1)}` } : {};
}

/** Distribution "Token Authentication Specification", how to authenticate. */
function challengeOf(base: string, access: Access, repository: RepositoryName | undefined): string {
  const actions = { none: '', read: 'pull', write: 'pull,push', delete: 'delete', admin: '*' }[access];
  const service = new URL(base).host;
  const scope = repository === undefined ? '' : `,scope="repository:${repository}:${actions}"`;
  return `Bearer realm="${base}/auth/token",service="${service}"${scope}`;
}

function countBytes(environment: Environment, outcome: Outcome): void {
  if (outcome.kind !== 'blob') return;
  const { range, blob } = outcome;
  environment.instruments.blobBytes('sent', range === undefined ? blob.size : range.end - range.start + 1);
}
