import type { z } from 'zod';
import type { Access, Authorizer } from '../../accounts/authorize.ts';
import type { AccountsContext, Origin } from '../../accounts/context.ts';
import type { Credentials } from '../../accounts/credentials.ts';
import type { UserIdentity } from '../../accounts/identity.ts';
import type { Passwords } from '../../accounts/passwords.ts';
import type { PermissionReader } from '../../accounts/permission-reader.ts';
import type { SettingInfo } from '../../api/administration.ts';
import type { Courier } from '../../events/courier.ts';
import { OciError } from '../../oci/errors.ts';
import type { RegistryContext } from '../../registry/context.ts';
import type { StorageReader } from '../../registry/storage-figures.ts';
import type { Conductor } from '../../releases/conductor.ts';
import type { ReleasesContext } from '../../releases/context.ts';
import type { Certificates } from '../../tls/certificate-state.ts';
import type { UpstreamsContext } from '../../upstreams/context.ts';
import { readJson } from '../body.ts';
import { type BerthRequest, pageSize } from '../request.ts';
import type { Method, Route } from '../route.ts';
import type { Sessions } from '../session/sessions.ts';

/** What the handlers of the management API work with. */
export interface ApiContext {
  registry: RegistryContext;
  accounts: AccountsContext;
  credentials: Credentials;
  passwords: Passwords;
  reader: PermissionReader;
  authorizer: Authorizer;
  sessions: Sessions;
  releases: ReleasesContext;
  conductor: Conductor;
  courier: Courier;
  upstreams: UpstreamsContext;
  storage: StorageReader;
  garbage: GarbageCollector;
  certificates: Certificates;
  /** Every setting as it holds; no secret. */
  settings: readonly SettingInfo[];
  /** This instance's name, the audience of bearer tokens. */
  service: string;
}

/** Where garbage is collected: in a process of its own. */
export interface GarbageCollector {
  /** Returns at once. How it ends is written down (`findRun`), also when there is no process to be had. */
  start(run: { id: string; dryRun: boolean }): void;
}

/** An entry of the API's route table: what `/api/openapi.json` says of it is made from these. */
export interface ApiRoute extends Route<ApiHandler> {
  /** A line: what it does. */
  summary: string;
  /** The chapter of the documentation. */
  chapter: Chapter;
  query?: z.ZodObject | undefined;
  body?: z.ZodType | undefined;
  /** undefined: 204, nothing. */
  answer?: z.ZodType | undefined;
  /** Default 200, or 204 without an answer. */
  status?: 201 | 202 | 302 | undefined;
}

export type Chapter =
  | 'session'
  | 'users'
  | 'organizations'
  | 'teams'
  | 'grants'
  | 'tokens'
  | 'robots'
  | 'invitations'
  | 'repositories'
  | 'tags'
  | 'images'
  | 'stacks'
  | 'environments'
  | 'releases'
  | 'deployments'
  | 'targets'
  | 'agent'
  | 'retention'
  | 'quotas'
  | 'webhooks'
  | 'upstreams'
  | 'audit'
  | 'instance';

export type ApiHandler = (context: ApiContext, request: BerthRequest) => Promise<Response>;

const BODY_MAX_BYTES = 1024 * 1024;

/** Types a route: its handler gets the checked query and body, and returns what `answer` describes. */
export function apiRoute<Query = undefined, Body = undefined, Answer = undefined>(definition: {
  method: Method;
  path: string;
  access: Access;
  target?: 'catalog';
  summary: string;
  chapter: Chapter;
  query?: z.ZodObject & z.ZodType<Query>;
  body?: z.ZodType<Body>;
  answer?: z.ZodType<Answer>;
  status?: 201 | 202;
  handler: (context: ApiContext, request: BerthRequest, input: { query: Query; body: Body }) => Promise<Answer>;
}): ApiRoute {
  const { query, body, answer, handler, status } = definition;
  return {
    ...definition,
    async handler(context, request) {
      const input = {
        query: (query === undefined ? undefined : readQuery(request, query)) as Query,
        body: (body === undefined ? undefined : await readJson(request, body, BODY_MAX_BYTES)) as Body,
      };
      const result = await handler(context, request, input);
      if (result instanceof Response) return result;
      if (answer === undefined) return new Response(null, { status: 204 });
      return Response.json(result, { status: status ?? 200, headers: { 'Cache-Control': 'no-store' } });
    },
  };
}

/** @throws OciError QUERY_INVALID with the parameter that is wrong */
function readQuery<T>(request: BerthRequest, schema: z.ZodObject & z.ZodType<T>): T {
  const given = Object.keys(schema.shape).flatMap((name) => {
    const value = request.query(name);
    return value === undefined ? [] : [[name, value]];
  });
  const result = schema.safeParse(Object.fromEntries(given));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new OciError('QUERY_INVALID', `${issue?.path.join('.') || 'query'}: ${issue?.message}`);
}

const MOST = 1_000;
const DEFAULT = 100;

/** `?n=`: how many entries of a list at most. @throws OciError PAGINATION_NUMBER_INVALID */
export function limitOf(request: BerthRequest): number {
  return Math.max(1, pageSize(request, MOST) ?? DEFAULT);
}

/** `?last=` of a list whose cursor is a number. @throws OciError PAGINATION_NUMBER_INVALID */
export function numberCursor(request: BerthRequest): number | undefined {
  const last = request.query('last');
  if (last === undefined || last === '') return undefined;
  if (!/^\d{1,15}$/.test(last)) {
    throw new OciError('PAGINATION_NUMBER_INVALID', 'last: not a cursor that this API gave');
  }
  return Number(last);
}

/** The user of a route with access `account` or `administrator`. */
export function userOf(request: BerthRequest): UserIdentity {
  const { identity } = request;
  if (identity.kind !== 'user') throw new OciError('DENIED', 'only a user has an account');
  return identity;
}

/** For the audit log. */
export function originOf(request: BerthRequest): Origin {
  return { name: request.identity.name, source: request.source };
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

export function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : iso(ms);
}
