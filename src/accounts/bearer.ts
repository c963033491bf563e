import { jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import { isRepositoryName, type RepositoryName } from '../oci/names.ts';
import type { Scope } from './scopes.ts';

/** Distribution "Token Authentication Implementation": how long a bearer token is good for. */
export const BEARER_SECONDS = 300;

/** Whom a bearer token stands for; re-read before anything is changed. */
export interface BearerSubject {
  kind: 'anonymous' | 'user' | 'robot' | 'agent';
  id: string;
  name: string;
  /** The access token that it was got with. */
  tokenId?: string | undefined;
  /** The one that this one was got with. */
  parentTokenId?: string | undefined;
  /** When the password that it was got with was set, in ms since 1970. */
  passwordAt?: number | undefined;
}

export interface Bearer {
  subject: BearerSubject;
  repositories: ReadonlyMap<RepositoryName, BearerGrant>;
  catalog: boolean;
  /** ms since 1970 */
  expiresAt: number;
}

/** Actions in a repository: those that were granted, and those that were asked for and not granted. */
export interface BearerGrant {
  granted: ReadonlySet<string>;
  refused: ReadonlySet<string>;
}

const ISSUER = 'berth';
const TYPE = 'berth-bearer+jwt';
const ALGORITHM = 'HS256';

/** Signs and checks the bearer tokens of the distribution protocol. A token is checked once and then known by its text. */
export class BearerTokens {
  readonly #key: Uint8Array;
  readonly #known = new LRUCache<string, Bearer>({ max: 20_000 });

  /** @param service the audience: this instance's name */
  constructor(
    key: string,
    readonly service: string,
    readonly now: () => number,
  ) {
    this.#key = new TextEncoder().encode(key);
  }

  async issue(subject: BearerSubject, granted: readonly Scope[]): Promise<{ token: string; issuedAt: number }> {
    const issuedAt = Math.floor(this.now() / 1000);
    const { kind, id, name, tokenId, parentTokenId, passwordAt } = subject;
    const token = await new SignJWT({ kind, name, tokenId, parentTokenId, passwordAt, access: granted })
      .setProtectedHeader({ alg: ALGORITHM, typ: TYPE })
      .setIssuer(ISSUER)
      .setAudience(this.service)
      .setSubject(id)
      .setIssuedAt(issuedAt)
      .setNotBefore(issuedAt)
      .setExpirationTime(issuedAt + BEARER_SECONDS)
      .sign(this.#key);
    return { token, issuedAt };
  }

  /** What was checked before, without a wait; undefined when it has to be checked, or has run out. */
  known(token: string): Bearer | undefined {
    const bearer = this.#known.get(token);
    return bearer !== undefined && bearer.expiresAt > this.now() ? bearer : undefined;
  }

  /** undefined: not ours, changed, run out, for another audience, or not signed with our key and algorithm. */
  async check(token: string): Promise<Bearer | undefined> {
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        algorithms: [ALGORITHM],
        issuer: ISSUER,
        audience: this.service,
        typ: TYPE,
        requiredClaims: ['sub', 'exp', 'nbf'],
        currentDate: new Date(this.now()),
      });
      const { sub, exp, kind, name, tokenId, parentTokenId, passwordAt, access } = payload;
      if (sub === undefined || exp === undefined || typeof name !== 'string') return undefined;
      if (!isSubjectKind(kind)) return undefined;
      const bearer: Bearer = {
        subject: {
          kind,
          id: sub,
          name,
          ...(typeof tokenId === 'string' ? { tokenId } : {}),
          ...(typeof parentTokenId === 'string' ? { parentTokenId } : {}),
          ...(typeof passwordAt === 'number' ? { passwordAt } : {}),
        },
        ...grantsOf(access),
        expiresAt: exp * 1000,
      };
      this.#known.set(token, bearer);
      return bearer;
    } catch {
      return undefined;
    }
  }
}

function isSubjectKind(kind: unknown): kind is BearerSubject['kind'] {
  return kind === 'anonymous' || kind === 'user' || kind === 'robot' || kind === 'agent';
}

function grantsOf(access: unknown): Pick<Bearer, 'repositories' | 'catalog'> {
  const repositories = new Map<RepositoryName, BearerGrant>();
  let catalog = false;
  for (const entry of Array.isArray(access) ? (access as Scope[]) : []) {
    if (entry.type === 'registry' && entry.name === 'catalog') catalog = entry.actions.includes('*');
    if (entry.type === 'repository' && isRepositoryName(entry.name)) {
      repositories.set(entry.name, { granted: new Set(entry.actions), refused: new Set(entry.refused ?? []) });
    }
  }
  return { repositories, catalog };
}
