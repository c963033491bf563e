import { sql } from 'kysely';
import { LRUCache } from 'lru-cache';
import type { AccessLevel, AccessTokenKind } from '../database/accounts-schema.ts';
import type { Database, PreparedRead } from '../database/database.ts';
import { Freshness } from '../database/freshness.ts';
import type { Visibility } from '../database/schema.ts';
import { namespaceOf, type RepositoryName } from '../oci/names.ts';
import { type Role, roleOfRank } from './roles.ts';

/** What a repository name stands for. A name that nobody has used has the rights of its namespace. */
export interface Place {
  /** What the repository is called now; another name than was asked for when that is a former one. */
  name: RepositoryName;
  /** null: the name is outside of every account's namespace, or has none. */
  namespaceId: number | null;
  /** The user whose namespace it is. */
  ownerId: string | null;
  repositoryId: number | null;
  visibility: Visibility;
}

export interface FoundUser {
  id: string;
  username: string;
  administrator: number;
  disabled_at: number | null;
  two_factor_enabled: number;
}

export interface FoundToken {
  id: string;
  kind: AccessTokenKind;
  user_id: string | null;
  robot_id: number | null;
  target_id: number | null;
  level: AccessLevel;
  repository: RepositoryName | null;
  expires_at: number | null;
  last_used_at: number | null;
  revoked_at: number | null;
  parent_id: string | null;
  parent_revoked_at: number | null;
  parent_expires_at: number | null;
}

export interface FoundRobot {
  id: number;
  name: string;
  namespace: string;
  namespace_id: number;
  repository_id: number | null;
  role: 'read' | 'write' | 'admin';
  disabled_at: number | null;
  owner_disabled_at: number | null;
}

export interface FoundAgent {
  id: number;
  /** The target's. */
  name: string;
  environment: string;
  environment_id: number;
  stack: string;
  stack_id: number;
  namespace: string;
  namespace_id: number;
  created_by: string;
  revoked_at: number | null;
  owner_disabled_at: number | null;
}

interface FoundRepository {
  id: number;
  visibility: Visibility;
  /** Its own name: another than the one asked for when that is a former one. */
  name: RepositoryName;
}

/** The reads that decide about a request, through prepared statements. What a name stands for is cached while nothing was committed. */
export class PermissionReader {
  readonly #freshness: Freshness;
  #version: number | undefined;
  readonly #places = new LRUCache<string, Place>({ max: 20_000 });
  readonly #namespace: PreparedRead<{ id: number; user_id: string | null }>;
  readonly #repository: PreparedRead<FoundRepository>;
  readonly #alias: PreparedRead<FoundRepository>;
  readonly #member: PreparedRead<{ role: 'owner' | 'member' }>;
  readonly #granted: PreparedRead<{ rank: number | null }>;
  readonly #anyUser: PreparedRead<{ id: string }>;
  readonly #user: PreparedRead<FoundUser>;
  readonly #userByName: PreparedRead<FoundUser>;
  readonly #password: PreparedRead<{ password: string | null; updated_at: number }>;
  readonly #token: PreparedRead<FoundToken>;
  readonly #tokenById: PreparedRead<FoundToken>;
  readonly #robot: PreparedRead<FoundRobot>;
  readonly #agent: PreparedRead<FoundAgent>;
  readonly #released: PreparedRead<{ release_id: number }>;

  /** @param unmade who may read a repository that nobody has made yet, by its name */
  constructor(
    readonly database: Database,
    readonly unmade: (name: RepositoryName) => Visibility | Promise<Visibility> = () => 'private',
  ) {
    this.#freshness = new Freshness(database);
    const { read } = database;
    this.#namespace = database.prepare(read.selectFrom('namespaces').select(['id', 'user_id']).where('name', '=', ''));
    this.#repository = database.prepare(
      read
        .selectFrom('repositories')
        .select(['id', 'visibility', 'name'])
        .where('name', '=', '' as RepositoryName),
    );
    this.#alias = database.prepare(
      read
        .selectFrom('repository_aliases as a')
        .innerJoin('repositories as r', 'r.id', 'a.repository_id')
        .select(['r.id', 'r.visibility', 'r.name'])
        .where('a.name', '=', '' as RepositoryName),
    );
    this.#member = database.prepare(
      read.selectFrom('organization_members').select('role').where('namespace_id', '=', 0).where('user_id', '=', ''),
    );
    this.#granted = database.prepare(
      read
        .selectFrom('grants as g')
        .leftJoin('team_members as t', (join) => join.onRef('t.team_id', '=', 'g.team_id').on('t.user_id', '=', ''))
        // The roles are written out: what is no parameter need not be given with each call.
        .select(sql<number | null>`max(case g.role when 'admin' then 3 when 'write' then 2 else 1 end)`.as('rank'))
        .where('g.namespace_id', '=', 0)
        .where((where) => where.or([where('g.repository_id', 'is', null), where('g.repository_id', '=', 0)]))
        .where((where) => where.or([where('g.user_id', '=', ''), where('t.user_id', 'is not', null)])),
    );
    const users = read
      .selectFrom('users')
      .select(['id', 'username', 'administrator', 'disabled_at', 'two_factor_enabled']);
    this.#anyUser = database.prepare(read.selectFrom('users').select('id').limit(1));
    this.#user = database.prepare(users.where('id', '=', ''));
    this.#userByName = database.prepare(users.where('username', '=', ''));
    this.#password = database.prepare(
      read
        .selectFrom('user_logins')
        .select(['password', 'updated_at'])
        .where('user_id', '=', '')
        .where('provider_id', '=', 'credential'),
    );
    const tokens = read
      .selectFrom('access_tokens as t')
      .leftJoin('access_tokens as p', 'p.id', 't.parent_id')
      .select([
        't.id',
        't.kind',
        't.user_id',
        't.robot_id',
        't.target_id',
        't.level',
        't.repository',
        't.expires_at',
        't.last_used_at',
        't.revoked_at',
        't.parent_id',
        'p.revoked_at as parent_revoked_at',
        'p.expires_at as parent_expires_at',
      ]);
    this.#token = database.prepare(tokens.where('t.secret_hash', '=', ''));
    this.#tokenById = database.prepare(tokens.where('t.id', '=', ''));
    this.#robot = database.prepare(
      read
        .selectFrom('robots as r')
        .innerJoin('namespaces as n', 'n.id', 'r.namespace_id')
        .leftJoin('users as u', 'u.id', 'n.user_id')
        .select([
          'r.id',
          'r.name',
          'n.name as namespace',
          'r.namespace_id',
          'r.repository_id',
          'r.role',
          'r.disabled_at',
          'u.disabled_at as owner_disabled_at',
        ])
        .where('r.id', '=', 0),
    );
    this.#agent = database.prepare(
      read
        .selectFrom('targets as t')
        .innerJoin('environments as e', 'e.id', 't.environment_id')
        .innerJoin('stacks as s', 's.id', 'e.stack_id')
        .innerJoin('namespaces as n', 'n.id', 's.namespace_id')
        .leftJoin('users as u', 'u.id', 'n.user_id')
        .select([
          't.id',
          't.name',
          'e.name as environment',
          't.environment_id',
          's.name as stack',
          'e.stack_id',
          'n.name as namespace',
          's.namespace_id',
          't.created_by',
          't.revoked_at',
          'u.disabled_at as owner_disabled_at',
        ])
        .where('t.id', '=', 0),
    );
    this.#released = database.prepare(
      read
        .selectFrom('release_images as i')
        .innerJoin('releases as r', 'r.id', 'i.release_id')
        .select('i.release_id')
        .where('r.stack_id', '=', 0)
        .where((where) =>
          where.or([
            where('i.repository', '=', '' as RepositoryName),
            where(
              'i.repository',
              'in',
              where.selectFrom('repository_aliases as a').select('a.name').where('a.repository_id', '=', 0),
            ),
          ]),
        )
        .limit(1),
    );
  }

  /** Every name takes the same reads, so that a private one can't be told by time from one that nobody has. */
  async place(name: RepositoryName): Promise<Place> {
    const version = this.#freshness.version();
    if (version !== this.#version) {
      this.#version = version;
      this.#places.clear();
    }
    const cached = version === undefined ? undefined : this.#places.get(name);
    if (cached !== undefined) return cached;
    const direct = await this.#repository(name);
    const former = await this.#alias(name);
    const repository = direct ?? former;
    const namespace = await this.#namespace(namespaceOf(repository?.name ?? name));
    const place: Place = {
      name: repository?.name ?? name,
      namespaceId: namespace?.id ?? null,
      ownerId: namespace?.user_id ?? null,
      repositoryId: repository?.id ?? null,
      visibility: repository?.visibility ?? (await this.unmade(name)),
    };
    if (version !== undefined) this.#places.set(name, place);
    return place;
  }

  async namespace(name: string): Promise<{ id: number; user_id: string | null } | undefined> {
    return this.#namespace(name);
  }

  async organizationRole(namespaceId: number, userId: string): Promise<'owner' | 'member' | undefined> {
    return (await this.#member(namespaceId, userId))?.role;
  }

  /** The highest role that grants give the user itself or a team of it. */
  async grantedRole(userId: string, namespaceId: number, repositoryId: number | null): Promise<Role> {
    // The values in the order in which the query's text has its parameters.
    const found = await this.#granted(userId, namespaceId, repositoryId ?? -1, userId);
    return roleOfRank(Number(found?.rank ?? 0));
  }

  /** Whether there is anyone to log in as. */
  async hasAccounts(): Promise<boolean> {
    return (await this.#anyUser(1)) !== undefined;
  }

  async user(id: string): Promise<FoundUser | undefined> {
    return this.#user(id);
  }

  async userByName(username: string): Promise<FoundUser | undefined> {
    return this.#userByName(username);
  }

  /** undefined for a user that logs in by OIDC alone. `at`: when it was last changed. */
  async password(userId: string): Promise<{ hash: string; at: number } | undefined> {
    const found = await this.#password(userId, 'credential');
    return found === undefined || found.password === null ? undefined : { hash: found.password, at: found.updated_at };
  }

  async token(secretHash: string): Promise<FoundToken | undefined> {
    return this.#token(secretHash);
  }

  async tokenById(id: string): Promise<FoundToken | undefined> {
    return this.#tokenById(id);
  }

  async robot(id: number): Promise<FoundRobot | undefined> {
    return this.#robot(id);
  }

  /** By the target's id. */
  async agent(id: number): Promise<FoundAgent | undefined> {
    return this.#agent(id);
  }

  /** Whether a release of the stack has an image of the repository, under the name that it has or one that it had. */
  async isReleased(stackId: number, name: RepositoryName, repositoryId: number): Promise<boolean> {
    return (await this.#released(stackId, name, repositoryId, 1)) !== undefined;
  }
}
