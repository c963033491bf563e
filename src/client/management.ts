import { AuditClient } from './audit.ts';
import { Connection, type Credential } from './connection.ts';
import { GrantsClient } from './grants.ts';
import { InstanceClient } from './instance.ts';
import { InvitationsClient } from './invitations.ts';
import { OrganizationsClient } from './organizations.ts';
import { RepositoriesClient } from './repositories.ts';
import { RobotsClient } from './robots.ts';
import { TagsClient } from './tags.ts';
import { TeamsClient } from './teams.ts';
import { TokensClient } from './tokens.ts';
import { UsersClient } from './users.ts';

/** The management API, typed, by chapter. Every method throws ApiError or ServerUnreachableError. */
export class ManagementClient {
  readonly server: string;
  readonly audit: AuditClient;
  readonly grants: GrantsClient;
  readonly instance: InstanceClient;
  readonly invitations: InvitationsClient;
  readonly organizations: OrganizationsClient;
  readonly repositories: RepositoriesClient;
  readonly robots: RobotsClient;
  readonly tags: TagsClient;
  readonly teams: TeamsClient;
  readonly tokens: TokensClient;
  readonly users: UsersClient;

  /** @param server `http://localhost:5000` */
  constructor(server: string, credential?: Credential) {
    const connection = new Connection(server, credential);
    this.server = connection.server;
    this.audit = new AuditClient(connection);
    this.grants = new GrantsClient(connection);
    this.instance = new InstanceClient(connection);
    this.invitations = new InvitationsClient(connection);
    this.organizations = new OrganizationsClient(connection);
    this.repositories = new RepositoriesClient(connection);
    this.robots = new RobotsClient(connection);
    this.tags = new TagsClient(connection);
    this.teams = new TeamsClient(connection);
    this.tokens = new TokensClient(connection);
    this.users = new UsersClient(connection);
  }
}
