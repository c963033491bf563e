import { AdministrationClient } from './administration.ts';
import { AuditClient } from './audit.ts';
import { Connection, type Credential } from './connection.ts';
import { DeploymentsClient } from './deployments.ts';
import { EnvironmentsClient } from './environments.ts';
import { GrantsClient } from './grants.ts';
import { ImagesClient } from './images.ts';
import { InstanceClient } from './instance.ts';
import { InvitationsClient } from './invitations.ts';
import { OrganizationsClient } from './organizations.ts';
import { ReleasesClient } from './releases.ts';
import { RepositoriesClient } from './repositories.ts';
import { RobotsClient } from './robots.ts';
import { SessionsClient } from './sessions.ts';
import { StacksClient } from './stacks.ts';
import { TagsClient } from './tags.ts';
import { TargetsClient } from './targets.ts';
import { TeamsClient } from './teams.ts';
import { TokensClient } from './tokens.ts';
import { UsersClient } from './users.ts';

/** The management API, typed, by chapter. Every method throws ApiError or ServerUnreachableError. */
export class ManagementClient {
  readonly server: string;
  readonly administration: AdministrationClient;
  readonly audit: AuditClient;
  readonly deployments: DeploymentsClient;
  readonly environments: EnvironmentsClient;
  readonly grants: GrantsClient;
  readonly images: ImagesClient;
  readonly instance: InstanceClient;
  readonly invitations: InvitationsClient;
  readonly organizations: OrganizationsClient;
  readonly releases: ReleasesClient;
  readonly repositories: RepositoriesClient;
  readonly robots: RobotsClient;
  readonly sessions: SessionsClient;
  readonly stacks: StacksClient;
  readonly tags: TagsClient;
  readonly targets: TargetsClient;
  readonly teams: TeamsClient;
  readonly tokens: TokensClient;
  readonly users: UsersClient;

  /** @param server `http://localhost:5000` */
  constructor(server: string, credential?: Credential) {
    const connection = new Connection(server, credential);
    this.server = connection.server;
    this.administration = new AdministrationClient(connection);
    this.audit = new AuditClient(connection);
    this.deployments = new DeploymentsClient(connection);
    this.environments = new EnvironmentsClient(connection);
    this.grants = new GrantsClient(connection);
    this.images = new ImagesClient(connection);
    this.instance = new InstanceClient(connection);
    this.invitations = new InvitationsClient(connection);
    this.organizations = new OrganizationsClient(connection);
    this.releases = new ReleasesClient(connection);
    this.repositories = new RepositoriesClient(connection);
    this.robots = new RobotsClient(connection);
    this.sessions = new SessionsClient(connection);
    this.stacks = new StacksClient(connection);
    this.tags = new TagsClient(connection);
    this.targets = new TargetsClient(connection);
    this.teams = new TeamsClient(connection);
    this.tokens = new TokensClient(connection);
    this.users = new UsersClient(connection);
  }
}
