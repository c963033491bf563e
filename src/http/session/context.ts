import { auditAlone } from '../../accounts/audit.ts';
import { beginLogin, countGoodLogin, recordFailedLogin } from '../../accounts/login-limits.ts';
import { endSession, findSession, removeExpired, type SessionUser } from '../../accounts/web-sessions.ts';
import type { Auth, AuthParts } from './auth.ts';
import { isSecure, type SessionCall } from './call.ts';
import { SessionCookies } from './cookies.ts';
import { discover, type OidcProvider } from './discovery.ts';
import { refusal, USER_DISABLED } from './refusal.ts';

export interface SessionParts extends AuthParts {
  oidc: readonly OidcProvider[];
}

type Auths = typeof import('./auth.ts');

/** How somebody logged in; goes into the audit log. */
export type LoginHow = 'password' | 'code' | 'backup-code' | 'oidc';

/** What the handlers of a log-in have in common. */
export class SessionContext {
  readonly cookies: SessionCookies;
  readonly #auths = new Map<string, Promise<Auth>>();

  constructor(readonly parts: SessionParts) {
    // better-auth keeps passwords under this name: the provider's word would be taken for a user's id.
    if (parts.oidc.some(({ id }) => id === 'credential'))
      throw new Error('no log-in provider can be called credential');
    this.cookies = new SessionCookies(parts.secret);
  }

  /** better-auth; loaded on the first call. @throws OciError UNAVAILABLE when the provider does not answer */
  auth(call: SessionCall, provider?: OidcProvider): Promise<Auth> {
    const secure = isSecure(call);
    const key = `${secure} ${provider?.id ?? ''}`;
    let auth = this.#auths.get(key);
    if (auth === undefined) {
      auth = this.#makeAuth(secure, provider);
      this.#auths.set(key, auth);
      auth.catch(() => this.#auths.delete(key));
    }
    return auth;
  }

  async #makeAuth(secure: boolean, provider: OidcProvider | undefined): Promise<Auth> {
    const discovery = provider === undefined ? undefined : await discover(provider);
    const { makeAuth }: Auths = await import('./auth.ts');
    return makeAuth(
      this.parts,
      secure,
      provider === undefined || discovery === undefined ? undefined : { provider, discovery },
    );
  }

  async user(request: Request): Promise<SessionUser | undefined> {
    if (!request.headers.has('cookie')) return undefined;
    const token = this.cookies.sessionToken(request.headers);
    return token === undefined ? undefined : findSession(this.parts.accounts, token);
  }

  /** @throws OciError TOOMANYREQUESTS */
  checkAllowed(call: SessionCall, username: string, userId: string | undefined): Promise<void> {
    return beginLogin(this.parts.accounts, username, call.source, userId);
  }

  /** A right one that is not the end of a log-in. */
  countGood(call: SessionCall, user: { id: string; username: string }): Promise<void> {
    return countGoodLogin(this.parts.accounts, user, call.source);
  }

  countFailure(call: SessionCall, username: string): Promise<void> {
    return recordFailedLogin(this.parts.accounts, username, { name: username, source: call.source });
  }

  /**
   * The end of a log-in: better-auth has made a session, with a new token, and set its cookie in `answer`. The session that the
   * browser had before ends.
   */
  async loggedIn(call: SessionCall, answer: Response, how: LoginHow, detail: { provider?: string } = {}) {
    const { accounts } = this.parts;
    const token = this.cookies.issuedToken(answer.headers);
    if (token === undefined) throw new Error('better-auth made no session');
    const user = await findSession(accounts, token);
    if (user === undefined) throw refusal(USER_DISABLED);
    const former = await this.user(call.request);
    if (former !== undefined) await endSession(accounts, former.id, former.sessionId);
    await removeExpired(accounts);
    await countGoodLogin(accounts, { id: user.id, username: user.name }, call.source);
    await auditAlone(
      accounts,
      { name: user.name, source: call.source },
      { action: 'login.success', subject: user.name, detail: { how, ...detail } },
    );
    return user;
  }

  audit(call: SessionCall, user: SessionUser, entry: Parameters<typeof auditAlone>[2]): Promise<void> {
    return auditAlone(this.parts.accounts, { name: user.name, source: call.source }, entry);
  }
}

export function userAnswer(user: SessionUser) {
  return {
    id: user.id,
    username: user.name,
    name: user.displayName,
    administrator: user.administrator,
    twoFactor: user.twoFactor,
  };
}
