import type { RepositoryName } from '../oci/names.ts';
import type { Bearer } from './bearer.ts';
import type { AccountsPolicy } from './context.ts';
import { userIdentity } from './credentials.ts';
import type { AgentIdentity, Identity, UserIdentity } from './identity.ts';
import type { PermissionReader, Place } from './permission-reader.ts';
import { higher, levelAllows, type RepositoryAccess, type Role, roleAllows } from './roles.ts';
import type { Scope } from './scopes.ts';

/**
 * What a route needs of its caller.
 *
 * - `none`: nothing; everyone may ask.
 * - `read`, `write`, `delete`, `admin`: that in the repository or the namespace that the path names; `read` without one is the instance
 *   itself (`/v2/`, the catalog).
 * - `account`: a user, with a credential that stands for all of it (a password, a session, a token of level `admin`).
 * - `administrator`: such a user who is an administrator.
 * - `agent`: an enrolled server, with its own token.
 */
export type Access = 'none' | RepositoryAccess | 'account' | 'administrator' | 'agent';

/** What the path names. */
export type Target =
  | { kind: 'instance' }
  | { kind: 'catalog' }
  | { kind: 'repository'; name: RepositoryName }
  | { kind: 'namespace'; name: string }
  /** A stack, there or not, or all of a namespace. */
  | { kind: 'stack'; namespace: string; stack: string };

/**
 * - `unauthenticated`: log in and try again (401).
 * - `insufficient`: the bearer token was not got for this; get another (401).
 * - `hidden`: answer as if it did not exist (404).
 * - `denied`: it would not help (403). `reason` is shown.
 */
export type Verdict =
  | { kind: 'allowed' }
  | { kind: 'unauthenticated' }
  | { kind: 'insufficient' }
  | { kind: 'hidden' }
  | { kind: 'denied'; reason: string };

/** Who asks, and the bearer token that narrows it, if it came with one. */
export interface Caller {
  identity: Identity;
  bearer?: Bearer | undefined;
}

const ALLOWED: Verdict = { kind: 'allowed' };
const UNAUTHENTICATED: Verdict = { kind: 'unauthenticated' };
const INSUFFICIENT: Verdict = { kind: 'insufficient' };
const HIDDEN: Verdict = { kind: 'hidden' };

/** Bearer actions, by what they allow. */
const ACTIONS: Record<RepositoryAccess, string> = { read: 'pull', write: 'push', delete: 'delete', admin: '*' };

const ACCESS = { pull: 'read', push: 'write', delete: 'delete' } as const;

/** The one place that decides who may do what. */
export class Authorizer {
  /** @param reload whom a bearer token stands for now; undefined when it may act no more */
  constructor(
    readonly reader: PermissionReader,
    readonly policy: AccountsPolicy,
    readonly reload: (bearer: Bearer) => Promise<Identity | undefined>,
  ) {}

  /** A pull with a bearer token is decided without a wait and without a query. */
  authorize(caller: Caller, access: Access, target: Target): Verdict | Promise<Verdict> {
    if (access === 'none') return ALLOWED;
    const { bearer } = caller;
    if (bearer !== undefined) return this.#authorizeBearer(caller, bearer, access, target);
    return this.#decide(caller.identity, access, target);
  }

  /** What of the scopes the identity may have. A scope of which nothing is granted stays, without actions. */
  async grant(identity: Identity, asked: readonly Scope[]): Promise<Scope[]> {
    const granted: Scope[] = [];
    for (const scope of asked) {
      if (scope.type === 'registry') {
        const may = identity.kind !== 'agent' && scope.actions.includes('*');
        granted.push({ ...scope, actions: may ? ['*'] : [] });
        continue;
      }
      const name = scope.name as RepositoryName;
      const place = await this.reader.place(name);
      const role = await this.role(identity, place);
      const may = (access: RepositoryAccess) =>
        roleAllows(role, access) && this.#limited(identity, access, place) === undefined;
      const asked = new Set(
        scope.actions.flatMap((action) => (action === '*' ? ['pull', 'push', 'delete'] : [action])),
      );
      const actions = (['pull', 'push', 'delete'] as const).filter(
        (action) => asked.has(action) && may(ACCESS[action]),
      );
      // Docker asks for pull and push; a client that may delete with its credential need not ask twice.
      if (actions.includes('push') && !asked.has('delete') && may('delete')) actions.push('delete');
      const refused = [...asked].filter((action) => !actions.some((mine) => mine === action));
      granted.push({ ...scope, actions, ...(refused.length === 0 ? {} : { refused }) });
    }
    return granted;
  }

  /** The role in a place, whatever the credential narrows. */
  async role(identity: Identity, place: Place): Promise<Role> {
    const open = this.#openRole(place);
    if (identity.kind === 'agent') return (await this.#agentPulls(identity, place)) ? higher(open, 'read') : open;
    if (open === 'admin') return open;
    return higher(open, await this.#ownRole(identity, place));
  }

  /** The role in all stacks of a namespace: as in a private repository there that nobody has made. */
  async stackRole(identity: Identity, namespace: string): Promise<Role> {
    const found = await this.reader.namespace(namespace);
    const place = { namespaceId: found?.id ?? null, ownerId: found?.user_id ?? null, repositoryId: null };
    return this.#ownRole(identity, place);
  }

  /** What the identity may do there, besides what everyone may. */
  async #ownRole(identity: Identity, place: Pick<Place, 'namespaceId' | 'ownerId' | 'repositoryId'>): Promise<Role> {
    if (identity.kind === 'anonymous' || identity.kind === 'agent') return 'none';
    if (identity.kind === 'robot') {
      const inside =
        place.namespaceId === identity.namespaceId &&
        (identity.repositoryId === null || identity.repositoryId === place.repositoryId);
      return inside ? identity.role : 'none';
    }
    if (identity.administrator) return 'admin';
    if (place.namespaceId === null) return 'none';
    if (place.ownerId === identity.id) return 'admin';
    if (place.ownerId === null && (await this.reader.organizationRole(place.namespaceId, identity.id)) === 'owner') {
      return 'admin';
    }
    return this.reader.grantedRole(identity.id, place.namespaceId, place.repositoryId);
  }

  /**
   * Whether an agent may pull there: what releases of its stack name. Outside of the stack's namespace others decide, so who enrolled
   * the server must be let in besides: else a name that was public once would stay open to the stack's servers.
   */
  async #agentPulls(agent: AgentIdentity, place: Place): Promise<boolean> {
    const { name, repositoryId } = place;
    if (repositoryId === null || !(await this.reader.isReleased(agent.stackId, name, repositoryId))) return false;
    if (place.namespaceId === agent.namespaceId) return true;
    const user = await this.reader.userByName(agent.enrolledBy);
    if (user === undefined || user.disabled_at !== null) return false;
    return roleAllows(await this.role(userIdentity(user, 'password'), place), 'read');
  }

  /** Why the credential may not; what everyone may read, every credential may, as the base image of a build. */
  #limited(identity: Identity, access: RepositoryAccess, place: Place): string | undefined {
    if (access === 'read' && roleAllows(this.#openRole(place), 'read')) return undefined;
    return limited(identity, access, place.name);
  }

  /** What everyone may do there. */
  #openRole(place: Place): Role {
    const { anonymous } = this.policy;
    if (place.namespaceId === null && anonymous === 'push') return 'admin';
    if (place.namespaceId === null && anonymous === 'pull') return 'read';
    return place.visibility === 'public' ? 'read' : 'none';
  }

  #authorizeBearer(caller: Caller, bearer: Bearer, access: Access, target: Target): Verdict | Promise<Verdict> {
    if (target.kind === 'instance' && access === 'read') return ALLOWED;
    if (target.kind === 'catalog') {
      if (caller.identity.kind === 'agent') return refusal(caller.identity, 'admin', AGENT_LISTS);
      return bearer.catalog ? ALLOWED : INSUFFICIENT;
    }
    if (target.kind !== 'repository' || !isRepositoryAccess(access)) return UNAUTHENTICATED;
    const grant = bearer.repositories.get(target.name);
    const action = ACTIONS[access];
    if (grant?.granted.has(action)) return access === 'read' ? ALLOWED : this.#recheck(bearer, access, target);
    // It was got for another repository, or for less; one that was refused this is no reason to get one more.
    if (!grant?.refused.has(action)) return INSUFFICIENT;
    return refusal(caller.identity, access, `you may not ${access} ${target.name}`);
  }

  /** A push asks again: what was granted may have been taken back since. */
  async #recheck(bearer: Bearer, access: RepositoryAccess, target: Target): Promise<Verdict> {
    const identity = await this.reload(bearer);
    return identity === undefined ? UNAUTHENTICATED : this.#decide(identity, access, target);
  }

  async #decide(identity: Identity, access: Access, target: Target): Promise<Verdict> {
    if (access === 'none') return ALLOWED;
    if (access === 'agent') return decideAgent(identity);
    if (access === 'account' || access === 'administrator') return decideUser(identity, access);
    switch (target.kind) {
      case 'instance':
      case 'catalog':
        return this.#decideInstance(identity, access, target.kind);
      case 'namespace':
        return this.#decideNamespace(identity, access, target.name);
      case 'stack':
        return this.#decideStack(identity, access, target);
      case 'repository': {
        const place = await this.reader.place(target.name);
        const role = await this.role(identity, place);
        if (!roleAllows(role, access)) {
          return refusal(identity, access, `you may not ${access} ${target.name}`);
        }
        const limit = this.#limited(identity, access, place);
        return limit === undefined ? ALLOWED : { kind: 'denied', reason: limit };
      }
    }
  }

  /**
   * Clients learn from `/v2/` whether there is something to log in to: one that gets 200 there never sends its password. So as soon as
   * there are accounts it is 401, also where everyone may pull or push; who has no account then gets a bearer token without one.
   */
  async #decideInstance(identity: Identity, access: RepositoryAccess, what: 'instance' | 'catalog'): Promise<Verdict> {
    if (access !== 'read') return { kind: 'denied', reason: 'only administrators may' };
    if (identity.kind === 'agent' && what === 'catalog') return { kind: 'denied', reason: AGENT_LISTS };
    if (identity.kind !== 'anonymous') return ALLOWED;
    if (this.policy.anonymous === 'none') return UNAUTHENTICATED;
    return what === 'catalog' || !(await this.reader.hasAccounts()) ? ALLOWED : UNAUTHENTICATED;
  }

  /** What may be done with a stack is decided by the role in its namespace; a credential for one repository has none. */
  async #decideStack(
    identity: Identity,
    access: RepositoryAccess,
    { namespace, stack }: { namespace: string; stack: string },
  ): Promise<Verdict> {
    if (!roleAllows(await this.stackRole(identity, namespace), access)) {
      return refusal(identity, access, `you may not ${access} ${stack === '' ? namespace : `${namespace}/${stack}`}`);
    }
    const limit = limited(identity, access, undefined);
    return limit === undefined ? ALLOWED : { kind: 'denied', reason: limit };
  }

  /** `read`: the owner or a member; `admin`: the owner. Robots and agents have no part in it. */
  async #decideNamespace(identity: Identity, access: RepositoryAccess, name: string): Promise<Verdict> {
    if (identity.kind === 'anonymous') return UNAUTHENTICATED;
    const namespace = await this.reader.namespace(name);
    const refused = refusal(identity, access, `you may not ${access} ${name}`);
    if (identity.kind !== 'user') return refused;
    const role = namespace === undefined ? undefined : await this.reader.organizationRole(namespace.id, identity.id);
    const owner = identity.administrator || namespace?.user_id === identity.id || role === 'owner';
    if (!owner && (access !== 'read' || role === undefined)) return refused;
    const limit = limited(identity, access === 'read' ? 'read' : 'admin', undefined);
    return limit === undefined ? ALLOWED : { kind: 'denied', reason: limit };
  }
}

function isRepositoryAccess(access: Access): access is RepositoryAccess {
  return access === 'read' || access === 'write' || access === 'delete' || access === 'admin';
}

const AGENT_LISTS = 'an agent lists no repositories';

function decideAgent(identity: Identity): Verdict {
  if (identity.kind === 'anonymous') return UNAUTHENTICATED;
  if (identity.kind === 'agent') return ALLOWED;
  return { kind: 'denied', reason: "only an agent may, with its target's own token" };
}

/** Without an account: log in. With one: a name that may not be read does not exist, anything else is refused openly. */
function refusal(identity: Identity, access: RepositoryAccess, reason: string): Verdict {
  if (identity.kind === 'anonymous') return UNAUTHENTICATED;
  return access === 'read' ? HIDDEN : { kind: 'denied', reason };
}

function decideUser(identity: Identity, access: 'account' | 'administrator'): Verdict {
  if (identity.kind === 'anonymous') return UNAUTHENTICATED;
  if (identity.kind !== 'user') {
    const who = identity.kind === 'robot' ? 'a robot' : 'an agent';
    return { kind: 'denied', reason: `${who} has no account to manage` };
  }
  if (!standsForAll(identity)) {
    return {
      kind: 'denied',
      reason: 'this token may not manage the account: log in with the password, or with a token of level admin',
    };
  }
  if (access === 'administrator' && !identity.administrator) {
    return { kind: 'denied', reason: 'only administrators may' };
  }
  return ALLOWED;
}

function standsForAll({ limit }: UserIdentity): boolean {
  return limit.level === 'admin' && limit.repository === null;
}

/** Why the credential may not, although its owner may; undefined when it may. */
function limited(identity: Identity, access: RepositoryAccess, name: RepositoryName | undefined): string | undefined {
  if (identity.kind === 'anonymous') return undefined;
  const { level, repository } = identity.limit;
  if (!levelAllows(level, access))
    return `this token may ${level === 'read' ? 'only read' : `${level}, not ${access}`}`;
  if (repository !== null && repository !== name) return `this token is for ${repository} alone`;
  return undefined;
}
