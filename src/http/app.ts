import { Hono } from 'hono';
import type { RegistryContext } from '../registry/context.ts';
import { apiProtocol } from './api/protocol.ts';
import { type Environment, mount, mountNotFound } from './dispatch.ts';
import { type OperationsSources, operationsProtocol } from './operations.ts';
import { v2Protocol } from './v2/protocol.ts';

/** Everything that Berth serves on its port. */
export function createApp(registry: RegistryContext, environment: Environment, operations: OperationsSources): Hono {
  const app = new Hono();
  const v2 = v2Protocol(registry, environment);
  const api = apiProtocol(registry, environment);
  mount(app, environment, v2);
  mountNotFound(app, environment, v2, '/v2/*');
  mount(app, environment, api);
  mountNotFound(app, environment, api, '/api/*');
  const rest = operationsProtocol(environment, operations);
  mount(app, environment, rest);
  mountNotFound(app, environment, rest, '*');
  return app;
}
