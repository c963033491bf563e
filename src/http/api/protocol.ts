import type { Environment, Protocol } from '../dispatch.ts';
import { requireSameOrigin } from '../same-origin.ts';
import { problemProtocol } from './problem.ts';
import type { ApiContext, ApiHandler } from './route.ts';
import { API_ROUTES } from './routes.ts';

/** /api/: answers JSON, errors are problem details, and nothing is done for another site's page. */
export function apiProtocol(context: ApiContext, environment: Environment): Protocol<ApiHandler> {
  return problemProtocol(environment, API_ROUTES, 'cookie', async (handler, request) => {
    requireSameOrigin(request, new URL(request.base).host);
    return handler(context, request);
  });
}
