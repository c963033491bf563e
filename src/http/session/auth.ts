import { createHash } from 'node:crypto';
import { APIError } from 'better-auth/api';
import { betterAuth } from 'better-auth/minimal';
import { genericOAuth } from 'better-auth/plugins/generic-oauth';
import { twoFactor } from 'better-auth/plugins/two-factor';
import { username } from 'better-auth/plugins/username';
import type { Logger } from 'pino';
import { auditAlone } from '../../accounts/audit.ts';
import { authAdapter } from '../../accounts/auth-adapter.ts';
import type { AccountsContext } from '../../accounts/context.ts';
import { insertOidcUser, subjectOf } from '../../accounts/oidc-users.ts';
import { PASSWORD_MAX, PASSWORD_MIN, type Passwords } from '../../accounts/passwords.ts';
import type { PermissionReader } from '../../accounts/permission-reader.ts';
import { SESSION_RENEWAL_SECONDS, SESSION_SECONDS } from '../../accounts/web-sessions.ts';
import { ADDRESS_HEADER } from './call.ts';
import { COOKIE_PREFIX } from './cookies.ts';
import { FAILED_PATH } from './destination.ts';
import type { Discovery, OidcProvider } from './discovery.ts';
import { USER_DISABLED } from './refusal.ts';

/** Addresses that no mail reaches (RFC 2606); `users.ts` gives them to who has none. */
const NO_EMAIL = '@users.invalid';

export interface AuthParts {
  accounts: AccountsContext;
  reader: PermissionReader;
  passwords: Passwords;
  secret: string;
  log: Logger;
}

export type Auth = ReturnType<typeof makeAuth>;

/**
 * better-auth, set up for Berth. Importing this file costs 170 ms and 32 MB, so it is imported for the first log-in.
 *
 * Only its functions are called, never its router: so its rate limiter, its check of the origin and its other routes are not in use;
 * `dispatch.ts` and the route table stand there.
 *
 * @param secure whether clients come over https: cookies are then `Secure`
 * @param oidc the one log-in provider that this instance knows
 */
export function makeAuth(parts: AuthParts, secure: boolean, oidc?: { provider: OidcProvider; discovery: Discovery }) {
  const { accounts, reader, passwords, secret, log } = parts;
  const scheme = secure ? 'https' : 'http';
  return betterAuth({
    appName: 'Berth',
    // The host is that of the `Host` header that `sessions.ts` makes from the public address.
    baseURL: { allowedHosts: ['*'], protocol: scheme, fallback: `${scheme}://localhost` },
    basePath: '/api/v1/auth',
    secret,
    telemetry: { enabled: false },
    rateLimit: { enabled: false },
    logger: {
      disableColors: true,
      level: 'warn',
      // What comes behind the message may be tokens and states.
      log: (level, message) => log[level === 'error' ? 'warn' : 'debug']({ level, message }, 'better-auth'),
    },
    database: authAdapter(accounts.database, async (tx, row) => {
      const email = String(row.email);
      const user = await insertOidcUser(
        tx,
        accounts,
        {
          wish: String(row.display_username ?? ''),
          name: String(row.name ?? '').slice(0, 100) || undefined,
          email: email.endsWith(NO_EMAIL) ? undefined : email,
        },
        { source: oidc?.provider.id ?? '' },
      );
      return {
        ...row,
        id: user.id,
        username: user.username,
        display_username: null,
        email: user.email ?? user.username + NO_EMAIL,
      };
    }),
    emailAndPassword: {
      enabled: true,
      disableSignUp: true,
      minPasswordLength: PASSWORD_MIN,
      maxPasswordLength: PASSWORD_MAX,
      password: {
        hash: (password) => passwords.hash(password),
        verify: ({ hash, password }) => passwords.verify(password, hash),
      },
    },
    session: { expiresIn: SESSION_SECONDS, updateAge: SESSION_RENEWAL_SECONDS, freshAge: 0 },
    account: {
      storeStateStrategy: 'database',
      updateAccountOnSignIn: false,
      accountLinking: {
        // By who is logged in, and never because two addresses are alike.
        disableImplicitLinking: true,
        allowDifferentEmails: true,
        trustedProviders: oidc === undefined ? [] : [oidc.provider.id],
      },
    },
    advanced: {
      cookiePrefix: COOKIE_PREFIX,
      useSecureCookies: secure,
      database: { generateId: () => accounts.newId(), validateSchema: false },
      // The hook below sets it: better-auth would write IPv6 out at length.
      ipAddress: { disableIpTracking: true },
    },
    databaseHooks: {
      session: {
        create: {
          async before(session, endpoint) {
            const user = await reader.user(session.userId);
            const ipAddress = endpoint?.headers?.get(ADDRESS_HEADER) ?? session.ipAddress;
            if (user?.disabled_at === null) return { data: { ipAddress } };
            throw new APIError('FORBIDDEN', { code: USER_DISABLED, message: 'the user is disabled' });
          },
        },
      },
      account: {
        create: {
          // The provider has said who it is; nothing is asked of it later, so its tokens are not kept.
          async before() {
            return { data: { accessToken: null, refreshToken: null, idToken: null } };
          },
          async after(account, endpoint) {
            const user = await reader.user(account.userId);
            const origin = { name: user?.username ?? '', source: endpoint?.headers?.get(ADDRESS_HEADER) ?? '' };
            const detail = { linked: account.providerId };
            await auditAlone(accounts, origin, { action: 'user.update', subject: origin.name, detail });
          },
        },
      },
    },
    onAPIError: { errorURL: FAILED_PATH },
    plugins: [
      username({ minUsernameLength: 1, maxUsernameLength: 255, usernameValidator: () => true }),
      twoFactor({ issuer: 'Berth', allowPasswordless: true }),
      genericOAuth({ config: oidc === undefined ? [] : [oidcConfig(oidc.provider, oidc.discovery)] }),
    ],
  });
}

type OidcConfig = Parameters<typeof genericOAuth>[0]['config'][number];

/**
 * The library makes and checks `state` (in the database and in a cookie of this browser), PKCE and the nonce, and verifies the ID
 * token against the provider's keys: signature, issuer, audience, time, nonce.
 */
function oidcConfig(provider: OidcProvider, discovery: Discovery): OidcConfig {
  return {
    providerId: provider.id,
    name: provider.name,
    discoveryUrl: discovery.url,
    clientId: provider.clientId,
    clientSecret: provider.clientSecret,
    authentication: discovery.clientSecretBasic ? 'basic' : 'post',
    scopes: provider.scopes,
    pkce: true,
    requireIdTokenVerification: true,
    disableSignUp: !provider.signUp,
    // Who it is is what the ID token says. Without one there is no log-in, whatever the user info endpoint says.
    accountSubject: ({ tokens }) => subjectOf(tokens.idToken),
    mapProfileToUser: (profile) => {
      const email = typeof profile.email === 'string' && profile.emailVerified === true ? profile.email : undefined;
      const preferred = typeof profile.preferred_username === 'string' ? profile.preferred_username : undefined;
      const name = typeof profile.name === 'string' ? profile.name : undefined;
      // Nobody's: an address that the provider has not verified may be another user's.
      const nowhere = `${createHash('sha256').update(`${provider.issuer}\n${profile.sub}`).digest('hex')}${NO_EMAIL}`;
      return {
        email: email === undefined || email.toLowerCase().endsWith(NO_EMAIL) ? nowhere : email,
        emailVerified: email !== undefined,
        name: name ?? preferred ?? '',
        displayUsername: (preferred ?? String(profile.email ?? '')).split('@', 1)[0] ?? '',
      };
    },
  };
}
