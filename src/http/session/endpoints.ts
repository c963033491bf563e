import type { z } from 'zod';
import {
  backupCodeList,
  codeBody,
  confirmBody,
  destination,
  endedSessions,
  oidcAddress,
  ownSessionList,
  passwordChangeBody,
  providerList,
  sessionInfo,
  signInBody,
  signInResult,
  twoFactorSecret,
} from '../../api/sessions.ts';
import type { Method } from '../route.ts';

/** One route of log-in and sessions, for the route table and OpenAPI. `Sessions.handle` answers it by its name. */
export interface SessionRoute {
  method: Method;
  path: string;
  /** Whether a session cookie is needed; a token or a password in `Authorization` will not do. */
  session: boolean;
  summary: string;
  query?: z.ZodObject;
  body?: z.ZodType;
  /** undefined: 204, nothing; or a redirect. */
  answer?: z.ZodType;
  /** 302: a browser goes here, and is sent on. */
  status?: 302;
}

const route = <Route extends SessionRoute>(entry: Route) => entry;

export const SESSION_ROUTES = {
  signIn: route({
    method: 'POST',
    path: '/api/v1/auth/sign-in',
    session: false,
    summary: 'Logs in with a password; sets the session cookie',
    body: signInBody,
    answer: signInResult,
  }),
  signInCode: route({
    method: 'POST',
    path: '/api/v1/auth/sign-in/code',
    session: false,
    summary: 'Second step of a log-in: the code of the authenticator app',
    body: codeBody,
    answer: signInResult,
  }),
  signInBackupCode: route({
    method: 'POST',
    path: '/api/v1/auth/sign-in/backup-code',
    session: false,
    summary: 'Second step of a log-in: a backup code, which is used up',
    body: codeBody,
    answer: signInResult,
  }),
  signOut: route({
    method: 'POST',
    path: '/api/v1/auth/sign-out',
    session: false,
    summary: 'Ends the session',
  }),
  getSession: route({
    method: 'GET',
    path: '/api/v1/auth/session',
    session: false,
    summary: 'Who is logged in; prolongs the session',
    answer: sessionInfo,
  }),
  listSessions: route({
    method: 'GET',
    path: '/api/v1/auth/sessions',
    session: true,
    summary: 'Where you are logged in',
    answer: ownSessionList,
  }),
  endSession: route({
    method: 'DELETE',
    path: '/api/v1/auth/sessions/:id',
    session: true,
    summary: 'Logs out elsewhere',
  }),
  endOtherSessions: route({
    method: 'DELETE',
    path: '/api/v1/auth/sessions',
    session: true,
    summary: 'Logs out everywhere else',
    answer: endedSessions,
  }),
  changePassword: route({
    method: 'PUT',
    path: '/api/v1/auth/password',
    session: true,
    summary: 'Changes the password; ends every other session and every log-in of docker and berth',
    body: passwordChangeBody,
  }),
  startTwoFactor: route({
    method: 'POST',
    path: '/api/v1/auth/two-factor',
    session: true,
    summary:
      'Makes a secret for an authenticator app and backup codes; nothing is asked for before a code is confirmed',
    body: confirmBody,
    answer: twoFactorSecret,
  }),
  confirmTwoFactor: route({
    method: 'POST',
    path: '/api/v1/auth/two-factor/confirm',
    session: true,
    summary: 'Turns the second factor on, with a code of the authenticator app',
    body: codeBody,
  }),
  endTwoFactor: route({
    method: 'POST',
    path: '/api/v1/auth/two-factor/disable',
    session: true,
    summary: 'Turns the second factor off',
    body: confirmBody,
  }),
  renewBackupCodes: route({
    method: 'POST',
    path: '/api/v1/auth/two-factor/backup-codes',
    session: true,
    summary: 'Replaces the backup codes',
    body: confirmBody,
    answer: backupCodeList,
  }),
  listProviders: route({
    method: 'GET',
    path: '/api/v1/auth/providers',
    session: false,
    summary: 'The log-in providers (OpenID Connect) of this registry',
    answer: providerList,
  }),
  startOidc: route({
    method: 'GET',
    path: '/api/v1/auth/oidc/:provider',
    session: false,
    summary: 'Sends the browser to a log-in provider',
    query: destination,
    status: 302,
  }),
  finishOidc: route({
    method: 'GET',
    path: '/api/v1/auth/callback/:provider',
    session: false,
    summary: 'Where the log-in provider sends the browser back to',
    status: 302,
  }),
  linkOidc: route({
    method: 'POST',
    path: '/api/v1/auth/oidc/:provider/link',
    session: true,
    summary: 'Begins to link an account at a log-in provider to yours; the browser goes to the address in the answer',
    body: destination,
    answer: oidcAddress,
  }),
  unlinkOidc: route({
    method: 'DELETE',
    path: '/api/v1/auth/oidc/:provider/link',
    session: true,
    summary: 'Unlinks your account at a log-in provider',
  }),
} as const;

export type SessionRouteName = keyof typeof SESSION_ROUTES;
