import type { RepositoryName } from '../oci/names.ts';

/** What a route needs. `none` is for what everyone may ask (health), everything else is decided by `Authorize`. */
export type Access = 'none' | 'read' | 'write' | 'delete' | 'admin';

/** Who asks. Accounts are to add kinds; until then everyone is anonymous. */
export type Identity = { kind: 'anonymous' };

/** `unauthenticated`: log in and try again (401). `denied`: it would not help (403). */
export type Verdict = 'allowed' | 'unauthenticated' | 'denied';

/** The one question of access. `repository` is undefined for the instance as a whole: `/v2/`, the catalog. */
export type Authorize = (identity: Identity, access: Access, repository: RepositoryName | undefined) => Verdict;

export const ANONYMOUS_MODES = ['none', 'pull', 'push'] as const;
/** What a client without an account may do: nothing; read; or everything, as with `registry` on a closed network. */
export type AnonymousMode = (typeof ANONYMOUS_MODES)[number];

export function authorizeAnonymous(mode: AnonymousMode): Authorize {
  return (_identity, access) => {
    if (access === 'none' || mode === 'push') return 'allowed';
    return mode === 'pull' && access === 'read' ? 'allowed' : 'unauthenticated';
  };
}
