import { type ErrorCode, OciError } from '../../oci/errors.ts';

/** better-auth's code for a session that was refused because its user is disabled. */
export const USER_DISABLED = 'USER_DISABLED';

export const WRONG_CODE = 'code: is wrong, or was used before';

/** What better-auth's refusals are here. */
const REFUSALS: Record<string, [ErrorCode, string]> = {
  INVALID_PASSWORD: ['DENIED', 'password: is wrong'],
  INVALID_CODE: ['UNAUTHORIZED', WRONG_CODE],
  INVALID_BACKUP_CODE: ['UNAUTHORIZED', WRONG_CODE],
  INVALID_TWO_FACTOR_COOKIE: ['UNAUTHORIZED', 'this log-in has expired; begin again with the password'],
  TOO_MANY_ATTEMPTS_REQUEST_NEW_CODE: ['TOOMANYREQUESTS', 'too many wrong codes; begin again with the password'],
  ACCOUNT_TEMPORARILY_LOCKED: ['TOOMANYREQUESTS', 'too many wrong codes; try again in 15 min'],
  [USER_DISABLED]: ['UNAUTHORIZED', 'the username or the password is wrong'],
  TOTP_ALREADY_ENABLED: ['CONFLICT', 'two-factor authentication is on already; turn it off first'],
  TOTP_NOT_ENABLED: ['CONFLICT', 'there is no authenticator app to confirm; begin with its secret'],
  BACKUP_CODES_NOT_ENABLED: ['CONFLICT', 'two-factor authentication is off'],
  TWO_FACTOR_NOT_ENABLED: ['CONFLICT', 'two-factor authentication is off'],
  UNAUTHORIZED: ['UNAUTHORIZED', 'log in first'],
};

/** The code of an answer of better-auth that is a refusal; undefined for a good one. */
export async function refusalCode(answer: Response): Promise<string | undefined> {
  if (answer.status < 400) return undefined;
  const body: unknown = await answer.json().catch(() => undefined);
  const code = typeof body === 'object' && body !== null && 'code' in body ? body.code : undefined;
  return typeof code === 'string' ? code : `HTTP ${answer.status}`;
}

/** @returns an OciError; an Error for what no caller can bring about */
export function refusal(code: string): Error {
  const known = REFUSALS[code];
  // Two requests wrote at once, e.g. with the same backup code.
  if (code === 'HTTP 409') return new OciError('CONFLICT', 'another request came first; try again');
  return known === undefined ? new Error(`better-auth refuses with ${code}`) : new OciError(known[0], known[1]);
}
