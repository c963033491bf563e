import type { Generated } from 'kysely';
import type { RepositoryName } from '../oci/names.ts';

/** The tables of accounts. Times are ms since 1970; flags are 0 or 1; names are lower case. */
export interface AccountsSchema {
  users: UserTable;
  sessions: SessionTable;
  user_logins: UserLoginTable;
  verifications: VerificationTable;
  two_factors: TwoFactorTable;
  namespaces: NamespaceTable;
  organization_members: OrganizationMemberTable;
  teams: TeamTable;
  team_members: TeamMemberTable;
  grants: GrantTable;
  robots: RobotTable;
  access_tokens: AccessTokenTable;
  invitations: InvitationTable;
  repository_aliases: RepositoryAliasTable;
  instance_keys: InstanceKeyTable;
  login_failures: LoginFailureTable;
  known_addresses: KnownAddressTable;
  audit_log: AuditLogTable;
}

/** better-auth's `user`. A user without an address has `<username>@users.invalid`. */
interface UserTable {
  id: string;
  username: string;
  display_username: string | null;
  name: string;
  email: string;
  email_verified: number;
  image: string | null;
  two_factor_enabled: Generated<number>;
  administrator: number;
  disabled_at: number | null;
  created_at: number;
  updated_at: number;
}

/** better-auth's `session`: a log-in on the page. */
interface SessionTable {
  id: string;
  token: string;
  user_id: string;
  expires_at: number;
  created_at: number;
  updated_at: number;
  ip_address: string | null;
  user_agent: string | null;
}

/** better-auth's `account`: a way to log in. Provider `credential` has the password's hash, `account_id` the user's id. */
interface UserLoginTable {
  id: string;
  account_id: string;
  provider_id: string;
  user_id: string;
  access_token: string | null;
  refresh_token: string | null;
  id_token: string | null;
  access_token_expires_at: number | null;
  refresh_token_expires_at: number | null;
  scope: string | null;
  password: string | null;
  created_at: number;
  updated_at: number;
}

/** better-auth's `verification`: the state of a log-in under way. */
interface VerificationTable {
  id: string;
  identifier: string;
  value: string;
  expires_at: number;
  created_at: number;
  updated_at: number;
}

/** better-auth's `twoFactor`. */
interface TwoFactorTable {
  id: string;
  user_id: string;
  secret: string;
  backup_codes: string;
  verified: number | null;
  failed_verification_count: number | null;
  locked_until: number | null;
}

/** The first component of repository names: a user's or an organization's. */
interface NamespaceTable {
  id: Generated<number>;
  name: string;
  kind: 'user' | 'organization';
  /** The user whose namespace it is; null for an organization. */
  user_id: string | null;
  display_name: string;
  description: string;
  created_at: number;
}

interface OrganizationMemberTable {
  namespace_id: number;
  user_id: string;
  role: OrganizationRole;
  created_at: number;
}

/** An owner may do everything in the organization; a member what grants say. */
export type OrganizationRole = 'owner' | 'member';

interface TeamTable {
  id: Generated<number>;
  namespace_id: number;
  name: string;
  description: string;
  created_at: number;
}

interface TeamMemberTable {
  team_id: number;
  user_id: string;
  created_at: number;
}

/** A role of a user or of a team (one of the two), in a whole namespace or in one repository of it. */
interface GrantTable {
  id: Generated<number>;
  namespace_id: number;
  repository_id: number | null;
  user_id: string | null;
  team_id: number | null;
  role: RepositoryRole;
  created_at: number;
}

export type RepositoryRole = 'read' | 'write' | 'admin';

/** An account for a machine, of a namespace or of one repository in it. Logs in as `<namespace>+<name>`. */
interface RobotTable {
  id: Generated<number>;
  namespace_id: number;
  repository_id: number | null;
  name: string;
  description: string;
  role: RepositoryRole;
  created_by: string;
  created_at: number;
  disabled_at: number | null;
}

/** `login`: what `docker login` and `berth login` keep; ends with its parent, or with the password. */
export type AccessTokenKind = 'personal' | 'robot' | 'login' | 'agent';

/** What a token may be used for at most. `admin`: everything its owner may do. */
export type AccessLevel = 'read' | 'write' | 'delete' | 'admin';

/** A secret that stands for a user, a robot or a target (one of the three). Only the SHA-256 of the secret is kept. */
interface AccessTokenTable {
  id: string;
  kind: AccessTokenKind;
  user_id: string | null;
  robot_id: number | null;
  target_id: number | null;
  parent_id: string | null;
  name: string;
  level: AccessLevel;
  /** Only this repository, when set. */
  repository: RepositoryName | null;
  secret_hash: string;
  created_at: number;
  expires_at: number | null;
  last_used_at: number | null;
  last_used_from: string | null;
  revoked_at: number | null;
}

interface InvitationTable {
  id: string;
  secret_hash: string;
  email: string | null;
  /** The organization that the invited becomes a member of. */
  namespace_id: number | null;
  role: OrganizationRole | null;
  created_by: string;
  created_at: number;
  expires_at: number;
  used_at: number | null;
  used_by: string | null;
}

/** A former name of a repository. */
interface RepositoryAliasTable {
  name: RepositoryName;
  repository_id: number;
  created_at: number;
}

/** Secrets of this instance that all its processes share. */
interface InstanceKeyTable {
  name: string;
  value: string;
}

/** Log-ins under a key since a moment: those that failed, and those under way. */
interface LoginFailureTable {
  key: string;
  failures: number;
  pending: Generated<number>;
  since: number;
}

/** Where a user has logged in from. */
interface KnownAddressTable {
  user_id: string;
  address: string;
  last_at: number;
}

/** Append-only: the database refuses anything but inserts. `detail` is a JSON object. */
interface AuditLogTable {
  id: Generated<number>;
  at: number;
  actor: string;
  source: string;
  action: string;
  subject: string;
  outcome: 'done' | 'refused';
  detail: string | null;
}
