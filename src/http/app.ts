import { Hono } from 'hono';
import type { RegistryContext } from '../registry/context.ts';
import { apiProtocol } from './api/protocol.ts';
import { type Environment, matcher, mount, mountNotFound } from './dispatch.ts';
import { type OperationsSources, operationsProtocol } from './operations.ts';
import { v2Protocol } from './v2/protocol.ts';

/** Everything that Berth serves on its port. */
export function createApp(
  registry: RegistryContext,
  environment: Environment,
  operations: OperationsSources,
): (request: Request) => Response | Promise<Response> {
  const v2 = matcher(environment, v2Protocol(registry, environment), '/v2');
  const app = new Hono();
  const api = apiProtocol(registry, environment);
  mount(app, environment, api);
  mountNotFound(app, environment, api, '/api/*');
  const rest = operationsProtocol(environment, operations);
  mount(app, environment, rest);
  mountNotFound(app, environment, rest, '*');
  return (request) => v2(request) ?? app.fetch(request);
}
