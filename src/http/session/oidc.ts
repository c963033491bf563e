import { auditAlone } from '../../accounts/audit.ts';
import { loginsOf, PASSWORD_LOGIN, unlinkOidcUser } from '../../accounts/oidc-users.ts';
import type { SessionUser } from '../../accounts/web-sessions.ts';
import { destination } from '../../api/sessions.ts';
import { OciError } from '../../oci/errors.ts';
import { answerOf, authHeaders, bodyOf, redirectTo, type SessionCall } from './call.ts';
import type { SessionContext } from './context.ts';
import { withoutSession } from './cookies.ts';
import { destinationPath, FAILED_PATH } from './destination.ts';
import type { OidcProvider } from './discovery.ts';
import { refusal, refusalCode } from './refusal.ts';

/** The page that a browser comes to after a log-in at a provider has failed; `?error=` says why. */
const LOGIN_PAGE = '/login';

/** `?error=` of the log-in page, by what better-auth calls it; `failed` for everything else. */
const REASONS: Record<string, string> = {
  access_denied: 'cancelled',
  state_mismatch: 'expired',
  state_not_found: 'expired',
  account_not_linked: 'not-linked',
  signup_disabled: 'sign-up-closed',
  USER_DISABLED: 'disabled',
  account_already_linked_to_different_user: 'linked-elsewhere',
};

export async function listProviders(
  context: SessionContext,
  _call: SessionCall,
  user: SessionUser | undefined,
): Promise<Response> {
  const logins = new Set(user === undefined ? [] : await loginsOf(context.parts.accounts, user.id));
  return answerOf({
    providers: context.parts.oidc.map(({ id, name }) => ({ id, name, linked: logins.has(id) })),
    password: logins.has(PASSWORD_LOGIN),
  });
}

/** @throws OciError NOT_FOUND, BODY_INVALID for a destination elsewhere, UNAVAILABLE when the provider does not answer */
export async function startOidc(context: SessionContext, call: SessionCall): Promise<Response> {
  const provider = providerOf(context, call);
  const wish = new URL(call.request.url).searchParams.get('callbackURL') ?? undefined;
  const callbackURL = destinationPath(wish, call.base);
  const auth = await context.auth(call, provider);
  const answer = await auth.api.signInSocial({
    body: { provider: provider.id, callbackURL, errorCallbackURL: FAILED_PATH, disableRedirect: true },
    headers: authHeaders(call, ''),
    asResponse: true,
  });
  return redirectTo(await providerAddress(answer), answer.headers.getSetCookie());
}

/** The same for who is logged in, to link the two accounts. A POST: another site's page must not begin it. */
export async function linkOidc(context: SessionContext, call: SessionCall): Promise<Response> {
  const provider = providerOf(context, call);
  const callbackURL = destinationPath(bodyOf(call, destination).callbackURL, call.base);
  const auth = await context.auth(call, provider);
  const answer = await auth.api.linkSocialAccount({
    body: { provider: provider.id, callbackURL, errorCallbackURL: FAILED_PATH, disableRedirect: true },
    headers: authHeaders(call, call.request.headers.get('cookie') ?? ''),
    asResponse: true,
  });
  return answerOf({ url: await providerAddress(answer) }, answer.headers.getSetCookie());
}

/** @throws OciError NOT_FOUND, CONFLICT when it is the only way to log in */
export async function unlinkOidc(context: SessionContext, call: SessionCall, user: SessionUser): Promise<Response> {
  const providerId = call.param('provider');
  await unlinkOidcUser(context.parts.accounts, user.id, providerId);
  await context.audit(call, user, { action: 'user.update', subject: user.name, detail: { unlinked: providerId } });
  return answerOf(undefined);
}

/** The provider has sent the browser back. It goes on to where it wanted to, or to the log-in page with the reason. */
export async function finishOidc(context: SessionContext, call: SessionCall): Promise<Response> {
  const provider = providerOf(context, call);
  const query = new URL(call.request.url).searchParams;
  const auth = await context.auth(call, provider);
  const answer = await auth.api.callbackOAuth({
    method: 'GET',
    params: { id: provider.id },
    query: Object.fromEntries(
      ['code', 'state', 'error', 'iss'].flatMap((name) => {
        const value = query.get(name);
        return value === null ? [] : [[name, value]];
      }),
    ),
    headers: authHeaders(call, withoutSession(call.request.headers.get('cookie'))),
    asResponse: true,
  });
  const location = answer.headers.get('location');
  const cookies = answer.headers.getSetCookie();
  if (location === null) throw new Error(`better-auth answers a callback with ${answer.status}`);
  const [path, parameters] = location.split('?', 2);
  if (path?.endsWith(FAILED_PATH)) {
    const error = new URLSearchParams(parameters).get('error') ?? '';
    return failed(context, call, provider, error);
  }
  if (context.cookies.issuedToken(answer.headers) !== undefined) {
    await context.loggedIn(call, answer, 'oidc', { provider: provider.id });
  }
  return redirectTo(destinationPath(location, call.base), cookies);
}

async function failed(
  context: SessionContext,
  call: SessionCall,
  provider: OidcProvider,
  error: string,
): Promise<Response> {
  const { accounts, log } = context.parts;
  const reason = REASONS[error] ?? 'failed';
  log.info({ provider: provider.id, reason, error: error.slice(0, 100) }, 'log-in at a provider failed');
  await auditAlone(
    accounts,
    { name: 'anonymous', source: call.source },
    { action: 'login.failure', subject: provider.id, outcome: 'refused', detail: { how: 'oidc', reason } },
  );
  return redirectTo(`${LOGIN_PAGE}?error=${reason}`);
}

async function providerAddress(answer: Response): Promise<string> {
  const code = await refusalCode(answer.clone());
  if (code !== undefined) throw refusal(code);
  const { url }: { url: string } = await answer.json();
  return url;
}

/** @throws OciError NOT_FOUND */
function providerOf(context: SessionContext, call: SessionCall): OidcProvider {
  const id = call.param('provider');
  const provider = context.parts.oidc.find((entry) => entry.id === id);
  if (provider === undefined) throw new OciError('NOT_FOUND', `provider: no log-in provider ${id.slice(0, 100)}`);
  return provider;
}
