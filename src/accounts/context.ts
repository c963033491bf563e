import type { Database } from '../database/database.ts';
import type { AnonymousMode } from './identity.ts';

export const SIGN_UP_MODES = ['open', 'invitation', 'closed'] as const;
/** Who may make an account: everyone; who has an invitation; nobody but an administrator. */
export type SignUpMode = (typeof SIGN_UP_MODES)[number];

/** What accounts need from outside; made by `server.ts`, or by a test. */
export interface AccountsContext {
  database: Database;
  /** ms since 1970 */
  now: () => number;
  newId: () => string;
  policy: AccountsPolicy;
}

export interface AccountsPolicy {
  anonymous: AnonymousMode;
  signUp: SignUpMode;
}

/** Who did something and from where, for the audit log. `name` is `alice`, `acme+ci`, `anonymous` or `command line`. */
export interface Origin {
  name: string;
  source: string;
}
