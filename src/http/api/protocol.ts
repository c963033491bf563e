import type { Environment, Protocol } from '../dispatch.ts';
import { problemProtocol } from './problem.ts';
import type { ApiContext, ApiHandler, ApiRoute } from './route.ts';
import { API_ROUTES } from './routes.ts';

/** /api/: answers JSON, errors are problem details. */
export function apiProtocol(context: ApiContext, environment: Environment): Protocol<ApiHandler> {
  return problemProtocol(environment, shortNamesFirst(API_ROUTES), 'cookie', (handler, request) =>
    handler(context, request),
  );
}

/**
 * The table in the order in which paths are matched. A repository's name may hold slashes, and takes as little of a path as it can: in
 * `…/alice/app/images/grants` a tag is called `grants`. So the paths with more behind the name come first.
 */
function shortNamesFirst(routes: readonly ApiRoute[]): ApiRoute[] {
  return routes.toSorted((a, b) => behindName(b) - behindName(a));
}

function behindName({ path }: ApiRoute): number {
  const [, rest] = path.split('/:name{.+}');
  return rest === undefined ? 0 : rest.split('/').length;
}
