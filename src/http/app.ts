import { Hono } from 'hono';
import type { RegistryContext } from '../registry/context.ts';
import type { PullThrough } from '../upstreams/cache/pull-through.ts';
import type { ApiContext } from './api/route.ts';
import { type Environment, laterMatcher, matcher, mount, mountNotFound } from './dispatch.ts';
import { type OperationsSources, operationsProtocol } from './operations.ts';
import { type PageFiles, pageNotFound, pageProtocol } from './page.ts';
import { tokenProtocol } from './token/protocol.ts';
import type { TokenContext } from './token/routes.ts';
import { v2Protocol } from './v2/protocol.ts';

export interface AppContext {
  registry: RegistryContext;
  through: PullThrough;
  api: ApiContext;
  token: TokenContext;
  operations: OperationsSources;
  page: PageFiles;
}

/** Everything that Berth serves on its port. */
export function createApp(
  context: AppContext,
  environment: Environment,
): (request: Request) => Response | Promise<Response> {
  const v2 = matcher(environment, v2Protocol({ ...context.registry, through: context.through }, environment), '/v2');
  // Hono's router takes `…/:name{.+}` before `…/:name{.+}/grants`, in whatever order they come.
  const api = laterMatcher(
    environment,
    async () => (await import('./api/protocol.ts')).apiProtocol(context.api, environment),
    '/api',
  );
  const app = new Hono();
  mount(app, environment, tokenProtocol(environment, context.token));
  mount(app, environment, pageProtocol(environment, context.page));
  const rest = operationsProtocol(environment, context.operations);
  // They come every few seconds, and nobody looks at how.
  mount(app, { ...environment, tracing: undefined }, rest);
  mountNotFound(app, environment, rest, '*', (request) => pageNotFound(context.page, request));
  return (request) => v2(request) ?? api(request) ?? app.fetch(request);
}
