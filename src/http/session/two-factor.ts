import type { SessionUser } from '../../accounts/web-sessions.ts';
import { codeBody, confirmBody } from '../../api/sessions.ts';
import { OciError } from '../../oci/errors.ts';
import type { Auth } from './auth.ts';
import { answerOf, authHeaders, bodyOf, type SessionCall } from './call.ts';
import type { SessionContext } from './context.ts';
import { refusal, refusalCode, WRONG_CODE } from './refusal.ts';

type Input = { headers: Headers; asResponse: true };

/** @throws OciError DENIED for a wrong password, TOOMANYREQUESTS, CONFLICT */
export async function startTwoFactor(context: SessionContext, call: SessionCall, user: SessionUser): Promise<Response> {
  const { password } = bodyOf(call, confirmBody);
  const answer = await ask(context, call, user, (auth, input) =>
    auth.api.enableTwoFactor({ ...input, body: { password, method: 'totp' } }),
  );
  const { totpURI, backupCodes }: { totpURI: string; backupCodes: string[] } = await answer.json();
  const secret = new URL(totpURI).searchParams.get('secret') ?? '';
  return answerOf({ uri: keyUri(new URL(call.base).host, user.name, secret), secret, backupCodes });
}

/** What authenticator apps read from a QR code: better-auth's would name the user by an address. */
function keyUri(host: string, username: string, secret: string): string {
  const issuer = encodeURIComponent(`Berth ${host}`);
  return `otpauth://totp/${issuer}:${encodeURIComponent(username)}?secret=${secret}&issuer=${issuer}&digits=6&period=30`;
}

/** @throws OciError DENIED for a wrong code: the session is a good one; CONFLICT */
export async function confirmTwoFactor(
  context: SessionContext,
  call: SessionCall,
  user: SessionUser,
): Promise<Response> {
  if (user.twoFactor) throw refusal('TOTP_ALREADY_ENABLED');
  const code = bodyOf(call, codeBody).code.replace(/\s/g, '');
  const answer = await ask(context, call, user, (auth, input) => auth.api.verifyTOTP({ ...input, body: { code } }));
  await context.audit(call, user, { action: 'user.two-factor', subject: user.name, detail: { enabled: true } });
  return answerOf(undefined, answer.headers.getSetCookie());
}

/** @throws OciError DENIED for a wrong password, TOOMANYREQUESTS, CONFLICT */
export async function endTwoFactor(context: SessionContext, call: SessionCall, user: SessionUser): Promise<Response> {
  if (!user.twoFactor) throw refusal('TWO_FACTOR_NOT_ENABLED');
  const { password } = bodyOf(call, confirmBody);
  const answer = await ask(context, call, user, (auth, input) =>
    auth.api.disableTwoFactor({ ...input, body: { password } }),
  );
  await context.audit(call, user, { action: 'user.two-factor', subject: user.name, detail: { enabled: false } });
  return answerOf(undefined, answer.headers.getSetCookie());
}

/** @throws OciError DENIED for a wrong password, TOOMANYREQUESTS, CONFLICT */
export async function renewBackupCodes(
  context: SessionContext,
  call: SessionCall,
  user: SessionUser,
): Promise<Response> {
  const { password } = bodyOf(call, confirmBody);
  const answer = await ask(context, call, user, (auth, input) =>
    auth.api.generateBackupCodes({ ...input, body: { password } }),
  );
  const { backupCodes }: { backupCodes: string[] } = await answer.json();
  await context.audit(call, user, {
    action: 'user.two-factor',
    subject: user.name,
    detail: { backupCodes: 'renewed' },
  });
  return answerOf({ backupCodes });
}

/** Asks better-auth on behalf of who is logged in; a password that is asked for again can't be guessed without limit either. */
async function ask(
  context: SessionContext,
  call: SessionCall,
  user: SessionUser,
  question: (auth: Auth, input: Input) => Promise<Response>,
): Promise<Response> {
  await context.checkAllowed(call, user.name, user.id);
  const auth = await context.auth(call);
  const headers = authHeaders(call, call.request.headers.get('cookie') ?? '');
  const answer = await question(auth, { headers, asResponse: true });
  const code = await refusalCode(answer.clone());
  if (code === undefined) {
    await context.countGood(call, { id: user.id, username: user.name });
    return answer;
  }
  if (code === 'INVALID_PASSWORD') {
    await context.countFailure(call, user.name);
    throw new OciError('DENIED', 'password: is wrong');
  }
  // Not UNAUTHORIZED, which would say that nobody is logged in.
  if (code === 'INVALID_CODE') throw new OciError('DENIED', WRONG_CODE);
  throw refusal(code);
}
