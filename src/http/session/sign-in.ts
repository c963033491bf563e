import { pendingUser } from '../../accounts/web-sessions.ts';
import { codeBody, signInBody } from '../../api/sessions.ts';
import { OciError } from '../../oci/errors.ts';
import { answerOf, authHeaders, bodyOf, type SessionCall } from './call.ts';
import { type SessionContext, userAnswer } from './context.ts';
import { withoutSession } from './cookies.ts';
import { refusal, refusalCode, USER_DISABLED } from './refusal.ts';

/** A code of an authenticator app is good for a period before and after its own: 90 s. */
const CODE_USED_MS = 120_000;

const WRONG = 'the username or the password is wrong';

/**
 * Username and password. A name that does not exist, one without a password, a wrong password and a disabled user are
 * refused alike: by the same words and after the same work.
 *
 * @throws OciError UNAUTHORIZED, TOOMANYREQUESTS
 */
export async function signIn(context: SessionContext, call: SessionCall): Promise<Response> {
  const { reader, passwords } = context.parts;
  const body = bodyOf(call, signInBody);
  const username = body.username.toLowerCase();
  const user = await reader.userByName(username);
  await context.checkAllowed(call, username, user?.id);
  const stored = user === undefined ? undefined : await reader.password(user.id);
  if (user === undefined || stored === undefined) {
    await passwords.verify(body.password, undefined);
    return refuse(context, call, username);
  }
  const auth = await context.auth(call);
  const answer = await auth.api.signInUsername({
    body: { username, password: body.password },
    headers: authHeaders(call, ''),
    asResponse: true,
  });
  const code = await refusalCode(answer.clone());
  if (code === 'INVALID_USERNAME_OR_PASSWORD' || code === USER_DISABLED) return refuse(context, call, username);
  if (code !== undefined) throw refusal(code);
  if (context.cookies.issuedToken(answer.headers) === undefined) {
    await context.countGood(call, user);
    return answerOf({ twoFactorRequired: true, user: null }, context.cookies.challengeCookies(answer.headers));
  }
  const session = await context.loggedIn(call, answer, 'password');
  return answerOf({ twoFactorRequired: false, user: userAnswer(session) }, answer.headers.getSetCookie());
}

async function refuse(context: SessionContext, call: SessionCall, username: string): Promise<never> {
  await context.countFailure(call, username);
  throw new OciError('UNAUTHORIZED', WRONG);
}

/** The second step, of who has given the password within the last ten minutes. @throws OciError UNAUTHORIZED, TOOMANYREQUESTS */
export async function signInSecond(
  context: SessionContext,
  call: SessionCall,
  how: 'code' | 'backup-code',
): Promise<Response> {
  const code = bodyOf(call, codeBody).code.replace(/\s/g, '');
  const challenge = context.cookies.challenge(call.request.headers);
  const user = challenge === undefined ? undefined : await pendingUser(context.parts.accounts, challenge);
  if (user === undefined) throw refusal('INVALID_TWO_FACTOR_COOKIE');
  await context.checkAllowed(call, user.username, user.id);
  const auth = await context.auth(call);
  const input = {
    body: { code },
    headers: authHeaders(call, withoutSession(call.request.headers.get('cookie'))),
    asResponse: true,
  } as const;
  let answer: Response | undefined;
  if (how === 'backup-code') answer = await auth.api.verifyBackupCode(input);
  else if (await useOnce(await auth.$context, user.id, code)) answer = await auth.api.verifyTOTP(input);
  const refused = answer === undefined ? 'INVALID_CODE' : await refusalCode(answer.clone());
  if (refused === 'INVALID_CODE' || refused === 'INVALID_BACKUP_CODE') await context.countFailure(call, user.username);
  if (answer === undefined || refused !== undefined) throw refusal(refused ?? 'INVALID_CODE');
  const session = await context.loggedIn(call, answer, how);
  return answerOf({ twoFactorRequired: false, user: userAnswer(session) }, answer.headers.getSetCookie());
}

interface Reservations {
  internalAdapter: {
    reserveVerificationValue(data: { identifier: string; value: string; expiresAt: Date }): Promise<boolean>;
  };
}

/** RFC 6238 §5.2: a code that was seen once is not taken again. Of two requests with one code, one gets true. */
function useOnce(auth: Reservations, userId: string, code: string): Promise<boolean> {
  const expiresAt = new Date(Date.now() + CODE_USED_MS);
  return auth.internalAdapter.reserveVerificationValue({ identifier: `code ${userId} ${code}`, value: '', expiresAt });
}
