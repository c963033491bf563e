import {
  endOtherSessions,
  endSession,
  isRenewalDue,
  listSessions,
  renewSession,
  type SessionUser,
} from '../../accounts/web-sessions.ts';
import { OciError } from '../../oci/errors.ts';
import { answerOf, isSecure, type SessionCall } from './call.ts';
import { SessionContext, type SessionParts, userAnswer } from './context.ts';
import type { SessionRouteName } from './endpoints.ts';
import { finishOidc, linkOidc, listProviders, startOidc, unlinkOidc } from './oidc.ts';
import { changePassword } from './password.ts';
import { signIn, signInSecond } from './sign-in.ts';
import { confirmTwoFactor, endTwoFactor, renewBackupCodes, startTwoFactor } from './two-factor.ts';

export type { SessionCall } from './call.ts';
export type { SessionParts } from './context.ts';

/** Log-in on the page: sessions with a cookie, the second factor, log-in providers. */
export interface Sessions {
  /** Whom the session cookie stands for; undefined without one, when the session has ended or the user is disabled. */
  identify(request: Request): Promise<SessionUser | undefined>;
  /** Answers a route of `SESSION_ROUTES`. @throws OciError; UNAUTHORIZED for a route that needs a session and has none */
  handle(name: SessionRouteName, call: SessionCall): Promise<Response>;
}

/** better-auth is loaded by the first log-in, not here. */
export function createSessions(parts: SessionParts): Sessions {
  const context = new SessionContext(parts);
  return {
    identify: (request) => context.user(request),
    handle: async (name, call) => HANDLERS[name](context, call, await context.user(call.request)),
  };
}

type Handler = (
  context: SessionContext,
  call: SessionCall,
  user: SessionUser | undefined,
) => Response | Promise<Response>;

const HANDLERS: Record<SessionRouteName, Handler> = {
  signIn,
  signInCode: (context, call) => signInSecond(context, call, 'code'),
  signInBackupCode: (context, call) => signInSecond(context, call, 'backup-code'),
  signOut,
  getSession,
  listSessions: withSession(listOwnSessions),
  endSession: withSession(endOwnSession),
  endOtherSessions: withSession(endOwnOtherSessions),
  changePassword: withSession(changePassword),
  startTwoFactor: withSession(startTwoFactor),
  confirmTwoFactor: withSession(confirmTwoFactor),
  endTwoFactor: withSession(endTwoFactor),
  renewBackupCodes: withSession(renewBackupCodes),
  listProviders,
  startOidc,
  finishOidc,
  linkOidc: withSession(linkOidc),
  unlinkOidc: withSession(unlinkOidc),
};

function withSession(
  handler: (context: SessionContext, call: SessionCall, user: SessionUser) => Promise<Response>,
): Handler {
  return (context, call, user) => {
    if (user === undefined) throw new OciError('UNAUTHORIZED', 'log in on the page first: this needs its session');
    return handler(context, call, user);
  };
}

async function getSession(
  context: SessionContext,
  call: SessionCall,
  user: SessionUser | undefined,
): Promise<Response> {
  const token = context.cookies.sessionToken(call.request.headers);
  if (user === undefined) return answerOf({ user: null, expiresAt: null });
  const { accounts } = context.parts;
  const due = isRenewalDue(accounts, user);
  const expiresAt = due ? await renewSession(accounts, user.sessionId) : user.expiresAt;
  return answerOf(
    { user: userAnswer(user), expiresAt: iso(expiresAt) },
    due ? [context.cookies.setSession(token, isSecure(call))] : [],
  );
}

async function signOut(context: SessionContext, call: SessionCall, user: SessionUser | undefined): Promise<Response> {
  if (user !== undefined) {
    await endSession(context.parts.accounts, user.id, user.sessionId);
    await context.audit(call, user, { action: 'session.end', subject: user.name });
  }
  return answerOf(undefined, [context.cookies.setSession(undefined, isSecure(call))]);
}

async function listOwnSessions(context: SessionContext, _call: SessionCall, user: SessionUser): Promise<Response> {
  const sessions = await listSessions(context.parts.accounts, user.id);
  return answerOf({
    sessions: sessions.map((session) => ({
      ...session,
      current: session.id === user.sessionId,
      createdAt: iso(session.createdAt),
      usedAt: iso(session.usedAt),
      expiresAt: iso(session.expiresAt),
    })),
  });
}

/** @throws OciError NOT_FOUND */
async function endOwnSession(context: SessionContext, call: SessionCall, user: SessionUser): Promise<Response> {
  const id = call.param('id');
  if (!(await endSession(context.parts.accounts, user.id, id))) {
    throw new OciError('NOT_FOUND', `id: you have no session ${id.slice(0, 100)}`);
  }
  await context.audit(call, user, { action: 'session.end', subject: user.name, detail: { session: id } });
  return answerOf(undefined, id === user.sessionId ? [context.cookies.setSession(undefined, isSecure(call))] : []);
}

async function endOwnOtherSessions(context: SessionContext, call: SessionCall, user: SessionUser): Promise<Response> {
  const ended = await endOtherSessions(context.parts.accounts, user.id, user.sessionId);
  await context.audit(call, user, { action: 'session.end', subject: user.name, detail: { others: ended } });
  return answerOf({ ended });
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
