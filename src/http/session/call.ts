import type { z } from 'zod';
import { OciError } from '../../oci/errors.ts';

/** How the client's address comes to better-auth: in a header that no client's request hands on. */
export const ADDRESS_HEADER = 'x-berth-client-address';

/** A request to one of the routes, as the route table hands it on. */
export interface SessionCall {
  request: Request;
  /** The client's address. */
  source: string;
  /** How clients see this registry: `https://registry.example.com`. */
  base: string;
  /** A parameter of the path. */
  param(name: string): string;
  /** The body, as JSON. */
  body: unknown;
}

export function isSecure(call: SessionCall): boolean {
  return call.base.startsWith('https:');
}

/** What better-auth gets to see of a request. `cookie`: '' for a step that must not look at who is logged in. */
export function authHeaders(call: SessionCall, cookie: string): Headers {
  const headers = new Headers({ host: new URL(call.base).host, [ADDRESS_HEADER]: call.source });
  const agent = call.request.headers.get('user-agent');
  if (agent !== null) headers.set('user-agent', agent.slice(0, 300));
  if (cookie !== '') headers.set('cookie', cookie);
  return headers;
}

/** @throws OciError BODY_INVALID with the field that is wrong */
export function bodyOf<T>(call: SessionCall, schema: z.ZodType<T>): T {
  const result = schema.safeParse(call.body ?? {});
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new OciError('BODY_INVALID', `${issue?.path.join('.') || 'body'}: ${issue?.message}`);
}

/** JSON, or 204 for undefined, with the cookies that better-auth or `SessionCookies` made. */
export function answerOf(value: unknown, cookies: readonly string[] = []): Response {
  const response = value === undefined ? new Response(null, { status: 204 }) : Response.json(value);
  return withCookies(response, cookies);
}

export function redirectTo(location: string, cookies: readonly string[] = []): Response {
  return withCookies(new Response(null, { status: 302, headers: { Location: location } }), cookies);
}

function withCookies(response: Response, cookies: readonly string[]): Response {
  response.headers.set('Cache-Control', 'no-store');
  for (const cookie of cookies) response.headers.append('Set-Cookie', cookie);
  return response;
}
