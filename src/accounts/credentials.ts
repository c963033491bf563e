import { OciError } from '../oci/errors.ts';
import type { Bearer, BearerSubject } from './bearer.ts';
import type { AccountsContext } from './context.ts';
import {
  type AgentIdentity,
  ANONYMOUS,
  type Identity,
  type Limit,
  type ProvenIdentity,
  type UserIdentity,
} from './identity.ts';
import { beginLogin, countGoodLogin, recordFailedLogin } from './login-limits.ts';
import type { Passwords } from './passwords.ts';
import type { FoundToken, FoundUser, PermissionReader } from './permission-reader.ts';
import { hashSecret, isAccessToken } from './secrets.ts';

/** `last used` is exact to this; a write for each pull would cost more than it tells. */
const USED_EVERY_MS = 60_000;

/** Whom a credential stands for. */
export interface Proven {
  identity: ProvenIdentity;
  /** When the password was set, for one that came with it. */
  passwordAt?: number;
}

/**
 * Turns what a client shows into whom it stands for. Every refusal says the same, so that nobody learns whether it was the
 * name or the secret.
 */
export class Credentials {
  constructor(
    readonly context: AccountsContext,
    readonly reader: PermissionReader,
    readonly passwords: Passwords,
  ) {}

  /**
   * A name with a password or an access token, as in HTTP Basic. With an agent's token the name may be any.
   *
   * @throws OciError UNAUTHORIZED, TOOMANYREQUESTS
   */
  async prove(name: string, secret: string, source: string, again = true): Promise<Proven> {
    if (!isAccessToken(secret)) return this.provePassword(name.toLowerCase(), secret, source, again);
    const identity = await this.proveToken(secret, source);
    if (identity.kind !== 'agent' && identity.name !== name.toLowerCase()) {
      throw new OciError('UNAUTHORIZED', `username: this token is not ${JSON.stringify(name.slice(0, 100))}'s`);
    }
    return { identity };
  }

  /** An access token alone. @throws OciError UNAUTHORIZED */
  async proveToken(secret: string, source: string): Promise<ProvenIdentity> {
    const token = await this.reader.token(hashSecret(secret));
    const identity = token === undefined ? undefined : await this.#identityOf(token);
    if (token === undefined || identity === undefined) {
      throw new OciError('UNAUTHORIZED', 'the token is unknown, expired or revoked');
    }
    await this.#touch(token, source);
    return identity;
  }

  /**
   * @param again whether a password that was right some minutes ago need not be hashed again
   * @throws OciError UNAUTHORIZED, TOOMANYREQUESTS
   */
  async provePassword(username: string, password: string, source: string, again = true): Promise<Proven> {
    const user = await this.reader.userByName(username);
    const stored = user === undefined ? undefined : await this.reader.password(user.id);
    if (user !== undefined && user.disabled_at === null && user.two_factor_enabled === 0 && stored !== undefined) {
      if (again && this.passwords.isRemembered(password, stored.hash, source)) {
        return { identity: userIdentity(user, 'password'), passwordAt: stored.at };
      }
    }
    await beginLogin(this.context, username, source, user?.id);
    const right = await this.passwords.verify(password, stored?.hash);
    if (!right || user === undefined || stored === undefined || user.disabled_at !== null) {
      await recordFailedLogin(this.context, username, { name: username, source });
      throw new OciError('UNAUTHORIZED', 'the username or the password is wrong');
    }
    await countGoodLogin(this.context, user, source);
    if (user.two_factor_enabled !== 0) {
      throw new OciError(
        'UNAUTHORIZED',
        'this account has two-factor authentication: log in with an access token instead of the password',
      );
    }
    this.passwords.remember(password, stored.hash, source);
    return { identity: userIdentity(user, 'password'), passwordAt: stored.at };
  }

  /** Whom a bearer token stands for now; undefined when the user, the token or the password behind it is no more. */
  async reload(bearer: Bearer): Promise<Identity | undefined> {
    const { subject } = bearer;
    if (subject.kind === 'anonymous') return ANONYMOUS;
    if (subject.tokenId !== undefined) {
      const token = await this.reader.tokenById(subject.tokenId);
      return token === undefined ? undefined : this.#identityOf(token);
    }
    const user = await this.reader.user(subject.id);
    if (user === undefined || user.disabled_at !== null) return undefined;
    const stored = await this.reader.password(user.id);
    return stored?.at === subject.passwordAt ? userIdentity(user, 'password') : undefined;
  }

  async #identityOf(token: FoundToken): Promise<ProvenIdentity | undefined> {
    const now = this.context.now();
    const over = (revoked: number | null, expires: number | null) =>
      revoked !== null || (expires !== null && expires <= now);
    if (over(token.revoked_at, token.expires_at) || over(token.parent_revoked_at, token.parent_expires_at))
      return undefined;
    const limit = {
      credential: 'token',
      tokenId: token.id,
      ...(token.parent_id === null ? {} : { parentTokenId: token.parent_id }),
      level: token.level,
      repository: token.repository,
    } as const;
    if (token.user_id !== null) {
      const user = await this.reader.user(token.user_id);
      return user === undefined || user.disabled_at !== null ? undefined : { ...userIdentity(user, 'token'), limit };
    }
    if (token.target_id !== null) return this.#agentOf(token.target_id, limit);
    const robot = token.robot_id === null ? undefined : await this.reader.robot(token.robot_id);
    if (robot === undefined || robot.disabled_at !== null || robot.owner_disabled_at !== null) return undefined;
    return {
      kind: 'robot',
      id: robot.id,
      name: `${robot.namespace}+${robot.name}`,
      namespaceId: robot.namespace_id,
      repositoryId: robot.repository_id,
      role: robot.role,
      limit,
    };
  }

  async #agentOf(targetId: number, limit: Limit): Promise<AgentIdentity | undefined> {
    const agent = await this.reader.agent(targetId);
    if (agent === undefined || agent.revoked_at !== null || agent.owner_disabled_at !== null) return undefined;
    return {
      kind: 'agent',
      id: agent.id,
      name: `${agent.namespace}/${agent.stack}@${agent.environment}/${agent.name}`,
      environmentId: agent.environment_id,
      stackId: agent.stack_id,
      namespaceId: agent.namespace_id,
      enrolledBy: agent.created_by,
      limit,
    };
  }

  async #touch(token: FoundToken, source: string): Promise<void> {
    const now = this.context.now();
    if (token.last_used_at !== null && token.last_used_at > now - USED_EVERY_MS) return;
    await this.context.database.relaxedTransaction((tx) =>
      tx
        .updateTable('access_tokens')
        .set({ last_used_at: now, last_used_from: source })
        .where('id', '=', token.id)
        .execute(),
    );
  }
}

export function userIdentity(
  user: Pick<FoundUser, 'id' | 'username' | 'administrator'>,
  credential: 'password' | 'session' | 'token',
): UserIdentity {
  return {
    kind: 'user',
    id: user.id,
    name: user.username,
    administrator: user.administrator !== 0,
    limit: { credential, level: 'admin', repository: null },
  };
}

/** What a bearer token says of whom it stands for. */
export function subjectOf(identity: Identity, passwordAt?: number): BearerSubject {
  if (identity.kind === 'anonymous') return { kind: 'anonymous', id: 'anonymous', name: identity.name };
  return {
    kind: identity.kind,
    id: String(identity.id),
    name: identity.name,
    tokenId: identity.limit.tokenId,
    parentTokenId: identity.limit.parentTokenId,
    passwordAt,
  };
}
