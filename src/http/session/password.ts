import { setPassword } from '../../accounts/users.ts';
import type { SessionUser } from '../../accounts/web-sessions.ts';
import { passwordChangeBody } from '../../api/sessions.ts';
import { OciError } from '../../oci/errors.ts';
import { answerOf, bodyOf, isSecure, type SessionCall } from './call.ts';
import type { SessionContext } from './context.ts';

/**
 * Sets a new password, which ends every session and every log-in that was got with the old one; who asked gets a new session.
 *
 * @throws OciError DENIED for a wrong password, TOOMANYREQUESTS, CONFLICT for a user without one
 */
export async function changePassword(context: SessionContext, call: SessionCall, user: SessionUser): Promise<Response> {
  const { accounts, reader, passwords } = context.parts;
  const { currentPassword, newPassword } = bodyOf(call, passwordChangeBody);
  await context.checkAllowed(call, user.name, user.id);
  const stored = await reader.password(user.id);
  if (stored === undefined) {
    throw new OciError('CONFLICT', 'currentPassword: this account has no password; an administrator can set one');
  }
  if (!(await passwords.verify(currentPassword, stored.hash))) {
    await context.countFailure(call, user.name);
    throw new OciError('DENIED', 'currentPassword: is wrong');
  }
  await context.countGood(call, { id: user.id, username: user.name });
  await setPassword(accounts, passwords, user.name, newPassword, { name: user.name, source: call.source });
  const { internalAdapter } = await (await context.auth(call)).$context;
  const session = await internalAdapter.createSession(user.id, false, {
    ipAddress: call.source,
    userAgent: call.request.headers.get('user-agent')?.slice(0, 300) ?? '',
  });
  return answerOf(undefined, [context.cookies.setSession(session.token, isSecure(call))]);
}
