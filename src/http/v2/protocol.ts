import type { RepositoryAccess } from '../../accounts/roles.ts';
import { ERRORS, type OciError, sentCode } from '../../oci/errors.ts';
import { retryAfter } from '../api/problem.ts';
import type { Environment, Protocol, Wanted } from '../dispatch.ts';
import { tokenRealm } from '../public-address.ts';
import type { BerthRequest } from '../request.ts';
import type { V2Context } from './context.ts';
import type { Outcome } from './outcome.ts';
import { renderOutcome } from './render.ts';
import { V2_ROUTES, type V2Handler } from './routes.ts';

/** /v2/: the route table, the outcomes' renderer and the protocol's error body. */
export function v2Protocol(registry: V2Context, environment: Environment): Protocol<V2Handler> {
  const renderError = (error: OciError, request: BerthRequest): Response => {
    environment.instruments.failure(error.code);
    return renderDistributionError(error, request);
  };
  return {
    routes: V2_ROUTES,
    takes: 'bearer',
    async run(handler, request) {
      const outcome = await handler(registry, request);
      countBytes(environment, outcome);
      return renderOutcome(outcome);
    },
    renderError,
    challenge(error, request, wanted) {
      const response = renderError(error, request);
      const base = environment.address.base(request.raw, environment.connection.address(request.raw));
      const { service } = environment.identifier.bearers;
      response.headers.set('WWW-Authenticate', challengeOf(base, service, wanted, bearerError(request, wanted)));
      return response;
    },
  };
}

/** OCI Distribution 1.1 "Error Codes". The request id is in `detail`, so that a client's output leads to the log. */
export function renderDistributionError(error: OciError, request: BerthRequest): Response {
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
      ...retryAfter(error),
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

const SCOPE_ACTIONS: Record<RepositoryAccess, string> = {
  read: 'pull',
  write: 'pull,push',
  delete: 'delete',
  admin: '*',
};

/** RFC 6750 §3.1. The token of a client without an account is good, and not for this: clients show the word to people. */
function bearerError(request: BerthRequest, wanted: Wanted | undefined): string | undefined {
  if (!request.header('authorization')?.toLowerCase().startsWith('bearer ')) return undefined;
  const anonymous = request.caller.bearer?.subject.kind === 'anonymous';
  return wanted?.insufficient || anonymous ? 'insufficient_scope' : 'invalid_token';
}

/** Distribution "Token Authentication Specification", how to authenticate. */
function challengeOf(base: string, service: string, wanted: Wanted | undefined, error: string | undefined): string {
  const scope = wanted === undefined ? '' : scopeOf(wanted);
  return `Bearer realm="${tokenRealm(base)}",service="${service}"${scope}${error === undefined ? '' : `,error="${error}"`}`;
}

function scopeOf({ access, target }: Wanted): string {
  if (target.kind === 'catalog') return ',scope="registry:catalog:*"';
  if (target.kind !== 'repository' || !Object.hasOwn(SCOPE_ACTIONS, access)) return '';
  return `,scope="repository:${target.name}:${SCOPE_ACTIONS[access as RepositoryAccess]}"`;
}

function countBytes(environment: Environment, outcome: Outcome): void {
  if (outcome.kind !== 'blob' && outcome.kind !== 'blob-stream') return;
  const { range } = outcome;
  const size = outcome.kind === 'blob' ? outcome.blob.size : (outcome.size ?? 0);
  environment.instruments.blobBytes('sent', range === undefined ? size : range.end - range.start + 1);
}
