import type { AccessLevel } from '../database/accounts-schema.ts';
import type { RepositoryName } from '../oci/names.ts';

export const ANONYMOUS_MODES = ['none', 'pull', 'push'] as const;
/**
 * What a client without an account may do. `none`: read public repositories. `pull`: besides, read what is outside of accounts'
 * namespaces. `push`: everything there, as with `registry` on a closed network.
 */
export type AnonymousMode = (typeof ANONYMOUS_MODES)[number];

export type Identity = AnonymousIdentity | ProvenIdentity;

/** Whom a credential stands for. */
export type ProvenIdentity = UserIdentity | RobotIdentity | AgentIdentity;

export interface AnonymousIdentity {
  kind: 'anonymous';
  name: 'anonymous';
}

export interface UserIdentity {
  kind: 'user';
  /** The user's id. */
  id: string;
  /** The username. */
  name: string;
  administrator: boolean;
  limit: Limit;
}

export interface RobotIdentity {
  kind: 'robot';
  id: number;
  /** `<namespace>+<robot>` */
  name: string;
  namespaceId: number;
  /** The one repository it is for; null for every one of its namespace. */
  repositoryId: number | null;
  role: 'read' | 'write' | 'admin';
  limit: Limit;
}

/** An enrolled server. It pulls what the releases of its stack name, and asks and reports for itself; nothing else. */
export interface AgentIdentity {
  kind: 'agent';
  /** The target's id. */
  id: number;
  /** `<namespace>/<stack>@<environment>/<target>` */
  name: string;
  environmentId: number;
  stackId: number;
  /** The one that the stack is in. */
  namespaceId: number;
  /** The username of who enrolled it. */
  enrolledBy: string;
  limit: Limit;
}

/** What the credential that was shown narrows. */
export interface Limit {
  credential: 'password' | 'session' | 'token';
  /** The access token's id. */
  tokenId?: string;
  /** Of a token that was got with another one (`docker login`), that one's id: a limit on requests is on both together. */
  parentTokenId?: string;
  level: AccessLevel;
  /** Only this repository, when set. */
  repository: RepositoryName | null;
}

export const ANONYMOUS: AnonymousIdentity = { kind: 'anonymous', name: 'anonymous' };
