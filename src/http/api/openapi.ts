import { z } from 'zod';
import pkg from '../../../package.json' with { type: 'json' };
import { ERRORS } from '../../oci/errors.ts';
import type { ApiRoute } from './route.ts';

/** `/api/openapi.json`: the route table as OpenAPI 3.1, whose schemas are JSON Schema 2020-12 as zod writes it. */
export interface OpenApi {
  openapi: '3.1.0';
  info: { title: string; version: string; description: string; license: { name: string; identifier: string } };
  servers: { url: string }[];
  tags: { name: string }[];
  security: Record<string, string[]>[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown>; securitySchemes: Record<string, unknown> };
}

export interface Operation {
  operationId: string;
  summary: string;
  tags: string[];
  'x-access': string;
  security?: Record<string, string[]>[];
  parameters?: Parameter[];
  requestBody?: { required: boolean; content: Record<string, { schema: unknown }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: unknown }> }>;
}

export interface Parameter {
  name: string;
  in: 'path' | 'query';
  required: boolean;
  description?: string;
  schema: unknown;
}

export function openApi(routes: readonly ApiRoute[]): OpenApi {
  const paths: OpenApi['paths'] = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)(\{[^}]*\})?/g, '{$1}');
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operationOf(route, path);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Berth',
      version: pkg.version,
      description:
        'The management API. Images go through the distribution protocol at /v2/. Lists are pages: pass `next` as `last`. Errors are problem details (RFC 9457).',
      license: { name: 'Apache 2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: [...new Set(routes.map((route) => route.chapter))].map((name) => ({ name })),
    security: [{ token: [] }, { basic: [] }, { session: [] }],
    paths,
    components: {
      schemas: { Problem: PROBLEM },
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'an access token (`berth_pat_…`, `berth_robot_…`)' },
        basic: { type: 'http', scheme: 'basic', description: 'a username with its password or an access token' },
        session: { type: 'apiKey', in: 'cookie', name: 'berth.session_token' },
      },
    },
  };
}

function operationOf(route: ApiRoute, path: string): Operation {
  const { summary, chapter, access, body, answer, status } = route;
  const success = status ?? (answer === undefined ? 204 : 200);
  const parameters = [...pathParameters(path), ...queryParameters(route)];
  return {
    operationId: operationId(route, path),
    summary,
    tags: [chapter],
    'x-access': access,
    ...(access === 'none' ? { security: [] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: !body.safeParse({}).success,
            content: { 'application/json': { schema: schemaOf(body, 'input') } },
          },
        }),
    responses: {
      [success]: {
        description: success === 302 ? 'Sent on to another address' : answer === undefined ? 'Done' : 'The answer',
        ...(answer === undefined ? {} : { content: { 'application/json': { schema: schemaOf(answer, 'output') } } }),
      },
      default: {
        description: 'What went wrong',
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
  };
}

/** `GET /api/v1/users/{username}` is `getUsersByUsername`. */
function operationId({ method }: ApiRoute, path: string): string {
  const words = path
    .replace('/api/v1/', '')
    .replace(/\{(\w+)\}/g, (_, name: string) => `by-${name}`)
    .split(/[/.-]/)
    .filter(Boolean);
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

function pathParameters(path: string): Parameter[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    ...(name === 'name' ? { description: 'the repository; it may hold slashes' } : {}),
    schema: { type: 'string' },
  }));
}

function queryParameters({ query }: ApiRoute): Parameter[] {
  if (query === undefined) return [];
  return Object.entries(query.shape).map(([name, field]) => {
    const { description } = z.globalRegistry.get(field as z.ZodType) ?? {};
    return {
      name,
      in: 'query',
      required: !(field as z.ZodType).safeParse(undefined).success,
      ...(description === undefined ? {} : { description }),
      schema: schemaOf(field as z.ZodType, 'input'),
    };
  });
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): unknown {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}

const PROBLEM = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code', 'requestId'],
  properties: {
    type: { const: 'about:blank' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'which field or value, and what to do' },
    code: { enum: Object.keys(ERRORS) },
    requestId: { type: 'string', description: "also in the server's log" },
  },
};
