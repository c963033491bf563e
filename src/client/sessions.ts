import type { z } from 'zod';
import {
  backupCodeList,
  type confirmBody,
  endedSessions,
  oidcAddress,
  ownSessionList,
  type passwordChangeBody,
  providerList,
  sessionInfo,
  type signInBody,
  signInResult,
  twoFactorSecret,
} from '../api/sessions.ts';
import type { Connection } from './connection.ts';
import { path, withQuery } from './path.ts';

export type SessionInfo = z.infer<typeof sessionInfo>;
export type SignInResult = z.infer<typeof signInResult>;
export type OwnSession = z.infer<typeof ownSessionList>['sessions'][number];
export type TwoFactorSecret = z.infer<typeof twoFactorSecret>;
export type LogInWays = z.infer<typeof providerList>;
export type LogInProvider = LogInWays['providers'][number];

const AUTH = '/api/v1/auth';

/** Log-in on the page. The browser keeps the session's cookie; from elsewhere these are of no use. */
export class SessionsClient {
  constructor(readonly connection: Connection) {}

  current(): Promise<SessionInfo> {
    return this.connection.call(sessionInfo, 'GET', `${AUTH}/session`);
  }

  signIn(credential: z.input<typeof signInBody>): Promise<SignInResult> {
    return this.connection.call(signInResult, 'POST', `${AUTH}/sign-in`, credential);
  }

  /** The second step, with the code of the authenticator app. */
  signInCode(code: string): Promise<SignInResult> {
    return this.connection.call(signInResult, 'POST', `${AUTH}/sign-in/code`, { code });
  }

  /** The second step, with a backup code, which is used up. */
  signInBackupCode(code: string): Promise<SignInResult> {
    return this.connection.call(signInResult, 'POST', `${AUTH}/sign-in/backup-code`, { code });
  }

  signOut(): Promise<void> {
    return this.connection.send('POST', `${AUTH}/sign-out`);
  }

  async list(): Promise<OwnSession[]> {
    return (await this.connection.call(ownSessionList, 'GET', `${AUTH}/sessions`)).sessions;
  }

  end(id: string): Promise<void> {
    return this.connection.send('DELETE', path`/api/v1/auth/sessions/${id}`);
  }

  /** @returns how many were ended */
  async endOthers(): Promise<number> {
    return (await this.connection.call(endedSessions, 'DELETE', `${AUTH}/sessions`)).ended;
  }

  /** Ends every other session, and every log-in of docker and berth. */
  changePassword(change: z.input<typeof passwordChangeBody>): Promise<void> {
    return this.connection.send('PUT', `${AUTH}/password`, change);
  }

  /** Nothing is asked for before `confirmTwoFactor`. */
  startTwoFactor(confirm: z.input<typeof confirmBody>): Promise<TwoFactorSecret> {
    return this.connection.call(twoFactorSecret, 'POST', `${AUTH}/two-factor`, confirm);
  }

  confirmTwoFactor(code: string): Promise<void> {
    return this.connection.send('POST', `${AUTH}/two-factor/confirm`, { code });
  }

  endTwoFactor(confirm: z.input<typeof confirmBody>): Promise<void> {
    return this.connection.send('POST', `${AUTH}/two-factor/disable`, confirm);
  }

  async renewBackupCodes(confirm: z.input<typeof confirmBody>): Promise<string[]> {
    return (await this.connection.call(backupCodeList, 'POST', `${AUTH}/two-factor/backup-codes`, confirm)).backupCodes;
  }

  /** The log-in providers; to who is logged in also what of it the account has. */
  ways(): Promise<LogInWays> {
    return this.connection.call(providerList, 'GET', `${AUTH}/providers`);
  }

  /** Where a link that logs in at a provider leads. @param callbackURL a path of this address */
  providerAddress(provider: string, callbackURL: string): string {
    return withQuery(path`/api/v1/auth/oidc/${provider}`, { callbackURL });
  }

  /** @returns where the browser is to go to link an account there */
  async link(provider: string, callbackURL: string): Promise<string> {
    const address = path`/api/v1/auth/oidc/${provider}/link`;
    return (await this.connection.call(oidcAddress, 'POST', address, { callbackURL })).url;
  }

  unlink(provider: string): Promise<void> {
    return this.connection.send('DELETE', path`/api/v1/auth/oidc/${provider}/link`);
  }
}
