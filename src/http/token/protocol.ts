import type { OciError } from '../../oci/errors.ts';
import type { Environment, Protocol } from '../dispatch.ts';
import { renderDistributionError } from '../v2/protocol.ts';
import { TOKEN_ROUTES, type TokenContext, type TokenHandler } from './routes.ts';

/** The token endpoint that the challenge of /v2/ names. It identifies its callers itself; its errors are those of /v2/. */
export function tokenProtocol(environment: Environment, context: TokenContext): Protocol<TokenHandler> {
  const renderError = (error: OciError, request: Parameters<Protocol<TokenHandler>['renderError']>[1]): Response => {
    environment.instruments.failure(error.code);
    const response = renderDistributionError(error, request);
    // RFC 9110 §15.5.2: a 401 says how to log in.
    if (error.code === 'UNAUTHORIZED') response.headers.set('WWW-Authenticate', 'Basic realm="berth"');
    return response;
  };
  return {
    routes: TOKEN_ROUTES,
    takes: undefined,
    run: (handler, request) => handler(context, request),
    renderError,
    challenge: renderError,
  };
}
