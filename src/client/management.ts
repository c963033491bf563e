import { AdministrationClient } from './administration.ts';
import { AuditClient } from './audit.ts';
import { CertificateClient } from './certificate.ts';
import type { ClientTls } from './client-tls.ts';
import { Connection, type Credential } from './connection.ts';
import { DeploymentsClient } from './deployments.ts';
import { EnvironmentsClient } from './environments.ts';
import { EventsClient } from './events.ts';
import { GrantsClient } from './grants.ts';
import { ImagesClient } from './images.ts';
import { InstanceClient } from './instance.ts';
import { InvitationsClient } from './invitations.ts';
import { OrganizationsClient } from './organizations.ts';
import { QuotasClient } from './quotas.ts';
import { ReleasesClient } from './releases.ts';
import { RepositoriesClient } from './repositories.ts';
import { RetentionClient } from './retention.ts';
import { RobotsClient } from './robots.ts';
import { SessionsClient } from './sessions.ts';
import { StacksClient } from './stacks.ts';
import { TagsClient } from './tags.ts';
import { TargetsClient } from './targets.ts';
import { TeamsClient } from './teams.ts';
import { TokensClient } from './tokens.ts';
import { UsersClient } from './users.ts';
import { WebhooksClient } from './webhooks.ts';

/** The management API, typed, by chapter. Every method throws ApiError or ServerUnreachableError. */
export class ManagementClient {
  readonly server: string;
  readonly administration: AdministrationClient;
  readonly audit: AuditClient;
  readonly certificate: CertificateClient;
  readonly deployments: DeploymentsClient;
  readonly environments: EnvironmentsClient;
  readonly events: EventsClient;
  readonly grants: GrantsClient;
  readonly images: ImagesClient;
  readonly instance: InstanceClient;
  readonly invitations: InvitationsClient;
  readonly organizations: OrganizationsClient;
  readonly quotas: QuotasClient;
  readonly releases: ReleasesClient;
  readonly repositories: RepositoriesClient;
  readonly retention: RetentionClient;
  readonly robots: RobotsClient;
  readonly sessions: SessionsClient;
  readonly stacks: StacksClient;
  readonly tags: TagsClient;
  readonly targets: TargetsClient;
  readonly teams: TeamsClient;
  readonly tokens: TokensClient;
  readonly users: UsersClient;
  readonly webhooks: WebhooksClient;

  /** @param server `http://localhost:5000` */
  constructor(server: string, credential?: Credential, tls?: ClientTls) {
    const connection = new Connection(server, credential, tls);
    this.server = connection.server;
    this.administration = new AdministrationClient(connection);
    this.audit = new AuditClient(connection);
    this.certificate = new CertificateClient(connection);
    this.deployments = new DeploymentsClient(connection);
    this.environments = new EnvironmentsClient(connection);
    this.events = new EventsClient(connection);
    this.grants = new GrantsClient(connection);
    this.images = new ImagesClient(connection);
    this.instance = new InstanceClient(connection);
    this.invitations = new InvitationsClient(connection);
    this.organizations = new OrganizationsClient(connection);
    this.quotas = new QuotasClient(connection);
    this.releases = new ReleasesClient(connection);
    this.repositories = new RepositoriesClient(connection);
    this.retention = new RetentionClient(connection);
    this.robots = new RobotsClient(connection);
    this.sessions = new SessionsClient(connection);
    this.stacks = new StacksClient(connection);
    this.tags = new TagsClient(connection);
    this.targets = new TargetsClient(connection);
    this.teams = new TeamsClient(connection);
    this.tokens = new TokensClient(connection);
    this.users = new UsersClient(connection);
    this.webhooks = new WebhooksClient(connection);
  }
}
