import type { Environment, Protocol } from '../dispatch.ts';
import { problemProtocol } from './problem.ts';
import type { ApiContext, ApiHandler } from './route.ts';
import { API_ROUTES } from './routes.ts';

/** /api/: answers JSON, errors are problem details. */
export function apiProtocol(context: ApiContext, environment: Environment): Protocol<ApiHandler> {
  return problemProtocol(environment, API_ROUTES, 'cookie', (handler, request) => handler(context, request));
}
