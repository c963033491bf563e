import type { Caller } from '../accounts/authorize.ts';
import type { Bearer, BearerSubject, BearerTokens } from '../accounts/bearer.ts';
import type { Credentials } from '../accounts/credentials.ts';
import { ANONYMOUS, type Identity, type Limit } from '../accounts/identity.ts';
import { isAccessToken } from '../accounts/secrets.ts';
import { OciError } from '../oci/errors.ts';
import type { BerthRequest } from './request.ts';

/** Which credentials a protocol takes. Each takes Basic and access tokens; the bearer tokens of `/auth/token` are for /v2/ alone, the cookie for the API alone. */
export type Credential = 'bearer' | 'cookie';

export interface SessionReader {
  /** Whom the session cookie stands for; undefined without one, or when the session has ended. */
  identify(request: Request): Promise<Identity | undefined>;
}

const NOBODY: Caller = { identity: ANONYMOUS };

/** Finds out who sent a request. */
export class Identifier {
  constructor(
    readonly credentials: Credentials,
    readonly bearers: BearerTokens,
    readonly sessions: SessionReader,
  ) {}

  /** @throws OciError UNAUTHORIZED, TOOMANYREQUESTS for a credential that is not good, also where none is needed */
  identify(request: BerthRequest, takes: Credential): Caller | Promise<Caller> {
    const header = request.header('authorization');
    if (header === null) {
      return takes === 'cookie' && request.header('cookie') !== null ? this.#bySession(request) : NOBODY;
    }
    const space = header.indexOf(' ');
    const scheme = header.slice(0, space).toLowerCase();
    const value = header.slice(space + 1).trim();
    if (scheme === 'bearer' && isAccessToken(value)) {
      return this.credentials.proveToken(value, request.source).then((identity) => ({ identity }));
    }
    if (scheme === 'bearer' && takes === 'bearer') {
      const known = this.bearers.known(value);
      return known === undefined ? this.#byBearer(value) : callerOf(known);
    }
    if (scheme === 'basic') return this.#byBasic(value, request);
    throw new OciError('UNAUTHORIZED', 'authorization: neither Basic nor a Bearer token that is taken here');
  }

  async #byBearer(token: string): Promise<Caller> {
    const bearer = await this.bearers.check(token);
    if (bearer === undefined) {
      throw new OciError('UNAUTHORIZED', 'authorization: the bearer token is expired or not of this registry');
    }
    return callerOf(bearer);
  }

  async #byBasic(value: string, request: BerthRequest): Promise<Caller> {
    const { name, secret } = parseBasic(value);
    const { identity } = await this.credentials.prove(name, secret, request.source);
    return { identity };
  }

  async #bySession(request: BerthRequest): Promise<Caller> {
    const identity = await this.sessions.identify(request.raw);
    return identity === undefined ? NOBODY : { identity };
  }
}

/** RFC 7617. @throws OciError UNAUTHORIZED */
export function parseBasic(value: string): { name: string; secret: string } {
  const text = Buffer.from(value, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  // PostgreSQL takes no NUL in a text.
  if (colon < 1 || text.slice(0, colon).includes('\0'))
    throw new OciError('UNAUTHORIZED', 'authorization: not a username and a password');
  return { name: text.slice(0, colon), secret: text.slice(colon + 1) };
}

/** The rights of a bearer token are in the token; whom it stands for is only its name until something is to be changed. */
function callerOf(bearer: Bearer): Caller {
  const { subject } = bearer;
  if (subject.kind === 'anonymous') return { identity: ANONYMOUS, bearer };
  const { kind, tokenId, parentTokenId } = subject;
  const limit: Limit = { credential: 'token', level: 'read', repository: null };
  if (tokenId !== undefined) limit.tokenId = tokenId;
  if (parentTokenId !== undefined) limit.parentTokenId = parentTokenId;
  return { identity: namedBy(kind, subject, limit), bearer };
}

function namedBy(kind: 'user' | 'robot' | 'agent', { id, name }: BearerSubject, limit: Limit): Identity {
  switch (kind) {
    case 'user':
      return { kind, id, name, administrator: false, limit };
    case 'robot':
      return { kind, id: Number(id), name, namespaceId: -1, repositoryId: null, role: 'read', limit };
    case 'agent':
      return { kind, id: Number(id), name, environmentId: -1, stackId: -1, namespaceId: -1, enrolledBy: '', limit };
  }
}
