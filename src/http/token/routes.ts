import { createToken, LOGIN_TOKEN_MS } from '../../accounts/access-tokens.ts';
import { auditAlone } from '../../accounts/audit.ts';
import type { Authorizer } from '../../accounts/authorize.ts';
import { BEARER_SECONDS, type BearerTokens } from '../../accounts/bearer.ts';
import type { AccountsContext } from '../../accounts/context.ts';
import { type Credentials, type Proven, subjectOf } from '../../accounts/credentials.ts';
import { ANONYMOUS, type Identity, type ProvenIdentity } from '../../accounts/identity.ts';
import { parseScopes, type Scope, scopeText } from '../../accounts/scopes.ts';
import { isLoginToken } from '../../accounts/secrets.ts';
import { OciError } from '../../oci/errors.ts';
import { readText } from '../body.ts';
import { parseBasic } from '../identify.ts';
import type { RateLimits } from '../rate-limits.ts';
import type { BerthRequest } from '../request.ts';
import type { Route } from '../route.ts';

export interface TokenContext {
  accounts: AccountsContext;
  authorizer: Authorizer;
  credentials: Credentials;
  bearers: BearerTokens;
  /** undefined: everyone may ask as often as they like. */
  rateLimits: RateLimits | undefined;
}

export type TokenHandler = (context: TokenContext, request: BerthRequest) => Promise<Response>;

/** Distribution "Token Authentication Specification" (GET) and "OAuth2 Token Authentication" (POST). */
export const TOKEN_ROUTES: readonly Route<TokenHandler>[] = [
  { method: 'GET', path: '/auth/token', access: 'none', handler: getToken },
  { method: 'POST', path: '/auth/token', access: 'none', handler: postToken },
];

const FORM_MAX_BYTES = 64 * 1024;

async function getToken(context: TokenContext, request: BerthRequest): Promise<Response> {
  checkService(context, request.query('service'));
  const scopes = parseScopes(request.queryAll('scope'));
  const header = request.header('authorization');
  const proven = await counted(
    context,
    request,
    header === null ? undefined : proveHeader(context, header, request.source, scopes.length > 0),
  );
  if (proven === undefined) return answer(context, request, ANONYMOUS, undefined, scopes, undefined);
  const offline = request.query('offline_token') === 'true';
  const refresh = await rememberLogin(context, request, proven, offline, scopes, request.query('client_id'));
  return answer(context, request, proven.identity, proven.passwordAt, scopes, refresh);
}

async function postToken(context: TokenContext, request: BerthRequest): Promise<Response> {
  const form = new URLSearchParams(await readText(request, FORM_MAX_BYTES));
  const field = (name: string) => {
    const value = form.get(name) ?? undefined;
    if (value?.includes('\0')) throw new OciError('BODY_INVALID', `${name}: holds a NUL character`);
    return value;
  };
  checkService(context, field('service'));
  const scopes = parseScopes(form.getAll('scope'));
  const grant = field('grant_type');
  if (grant === 'refresh_token') {
    const secret = field('refresh_token') ?? '';
    const identity = await counted(context, request, context.credentials.proveToken(secret, request.source));
    return answer(context, request, identity, undefined, scopes, secret);
  }
  if (grant !== 'password') {
    throw new OciError(
      'BODY_INVALID',
      `grant_type: ${JSON.stringify(grant ?? '')} is not one of password, refresh_token`,
    );
  }
  const { credentials } = context;
  const secret = field('password') ?? '';
  const proven = await counted(context, request, credentials.prove(field('username') ?? '', secret, request.source));
  const offline = field('access_type') === 'offline';
  const refresh = await rememberLogin(context, request, { ...proven, secret }, offline, scopes, field('client_id'));
  return answer(context, request, proven.identity, proven.passwordAt, scopes, refresh);
}

/** Whom a credential stands for, and the password or token that it is. */
type Shown = Proven & { secret: string };

/** As `dispatch.ts` counts elsewhere: a credential that is not good counts for the address. @throws OciError TOOMANYREQUESTS */
async function counted<T extends Proven | ProvenIdentity | undefined>(
  { rateLimits }: TokenContext,
  { source }: BerthRequest,
  proving: Promise<T> | T,
): Promise<T> {
  let identity: Identity = ANONYMOUS;
  try {
    const found = await proving;
    if (found !== undefined) identity = 'identity' in found ? found.identity : found;
    return found;
  } finally {
    rateLimits?.count(identity, () => source);
  }
}

/** @throws OciError UNAUTHORIZED */
async function proveHeader(context: TokenContext, header: string, source: string, again: boolean): Promise<Shown> {
  if (!header.toLowerCase().startsWith('basic ')) {
    throw new OciError('UNAUTHORIZED', 'authorization: this route takes Basic');
  }
  const { name, secret } = parseBasic(header.slice(6).trim());
  return { ...(await context.credentials.prove(name, secret, source, again)), secret };
}

/**
 * `docker login` asks for a token without a scope; so do podman, skopeo and buildah. It is what the audit log calls a log-in. With
 * `offline_token` it gets a secret to keep in place of the password. Who comes with such a secret gets the same one: a new one would
 * live on when it is revoked.
 */
async function rememberLogin(
  context: TokenContext,
  request: BerthRequest,
  { identity, secret: shown }: Shown,
  offline: boolean,
  scopes: readonly Scope[],
  client: string | undefined,
): Promise<string | undefined> {
  const { accounts } = context;
  const origin = { name: identity.name, source: request.source };
  if (scopes.length === 0) {
    await auditAlone(accounts, origin, {
      action: 'login.success',
      subject: identity.name,
      detail: { with: identity.limit.credential, client: client?.slice(0, 100) },
    });
  }
  // An agent's own token is what it is to keep: there is nothing to narrow in it.
  if (!offline || identity.kind === 'agent') return undefined;
  if (isLoginToken(shown)) return shown;
  const { limit } = identity;
  const { secret } = await createToken(
    accounts,
    {
      kind: 'login',
      owner: identity.kind === 'user' ? { userId: identity.id } : { robotId: identity.id },
      name: `${client?.slice(0, 100) ?? 'client'} from ${request.source}`,
      // Enough to push, pull and delete; not to manage the account.
      level: limit.level === 'admin' ? 'delete' : limit.level,
      repository: limit.repository,
      expiresAt: accounts.now() + LOGIN_TOKEN_MS,
      parentId: limit.tokenId,
    },
    origin,
  );
  return secret;
}

async function answer(
  { authorizer, bearers, accounts }: TokenContext,
  _request: BerthRequest,
  identity: Identity,
  passwordAt: number | undefined,
  scopes: readonly Scope[],
  refreshToken: string | undefined,
): Promise<Response> {
  if (identity.kind === 'anonymous' && scopes.length === 0 && accounts.policy.anonymous === 'none') {
    throw new OciError('UNAUTHORIZED', 'log in: this registry wants a username and a password or an access token');
  }
  const granted = await authorizer.grant(identity, scopes);
  const { token, issuedAt } = await bearers.issue(subjectOf(identity, passwordAt), granted);
  return Response.json(
    {
      token,
      access_token: token,
      token_type: 'Bearer',
      expires_in: BEARER_SECONDS,
      issued_at: new Date(issuedAt * 1000).toISOString(),
      scope: granted
        .filter((scope) => scope.actions.length > 0)
        .map(scopeText)
        .join(' '),
      ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
    },
    { headers: { 'Cache-Control': 'no-store' } },
  );
}

/** @throws OciError QUERY_INVALID for a token that another registry would be shown */
function checkService({ bearers }: TokenContext, service: string | undefined): void {
  if (service === undefined || service === bearers.service) return;
  throw new OciError('QUERY_INVALID', `service: ${JSON.stringify(service.slice(0, 100))} is not ${bearers.service}`);
}
