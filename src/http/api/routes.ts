import { ADMINISTRATION_ROUTES } from './administration.ts';
import { AGENT_ROUTES } from './agent.ts';
import { AUDIT_ROUTES } from './audit.ts';
import { BACKUP_ROUTES } from './backups.ts';
import { CACHE_ROUTES } from './caches.ts';
import { CERTIFICATE_ROUTES } from './certificate.ts';
import { DEPLOYMENT_ROUTES } from './deployments.ts';
import { descriptionRoutes } from './description.ts';
import { ENVIRONMENT_ROUTES } from './environments.ts';
import { EVENT_ROUTES } from './events.ts';
import { GRANT_ROUTES } from './grants.ts';
import { IMAGE_ROUTES } from './images.ts';
import { INSTANCE_ROUTES } from './instance.ts';
import { INVITATION_ROUTES } from './invitations.ts';
import { MEMBER_ROUTES } from './members.ts';
import { MIRROR_ROUTES } from './mirrors.ts';
import { ORGANIZATION_ROUTES } from './organizations.ts';
import { QUOTA_ROUTES } from './quotas.ts';
import { RELEASE_ROUTES } from './releases.ts';
import { REPOSITORY_ROUTES } from './repositories.ts';
import { RETENTION_ROUTES } from './retention.ts';
import { ROBOT_ROUTES } from './robots.ts';
import type { ApiRoute } from './route.ts';
import { SESSION_API_ROUTES } from './sessions.ts';
import { STACK_ROUTES } from './stacks.ts';
import { TAG_ROUTES } from './tags.ts';
import { TARGET_ROUTES } from './targets.ts';
import { TEAM_ROUTES } from './teams.ts';
import { TOKEN_API_ROUTES } from './tokens.ts';
import { UPSTREAM_ROUTES } from './upstreams.ts';
import { USER_ROUTES } from './users.ts';
import { WEBHOOK_ROUTES } from './webhooks.ts';

/** The management API, whole. Lists are pages: `next` is the cursor for `?last=`, or null at the end. `protocol.ts` says in which order they are matched. */
export const API_ROUTES: readonly ApiRoute[] = [
  ...INSTANCE_ROUTES,
  ...ADMINISTRATION_ROUTES,
  ...BACKUP_ROUTES,
  ...CERTIFICATE_ROUTES,
  ...SESSION_API_ROUTES,
  ...USER_ROUTES,
  ...TOKEN_API_ROUTES,
  ...ORGANIZATION_ROUTES,
  ...MEMBER_ROUTES,
  ...TEAM_ROUTES,
  ...GRANT_ROUTES,
  ...ROBOT_ROUTES,
  ...INVITATION_ROUTES,
  ...STACK_ROUTES,
  ...ENVIRONMENT_ROUTES,
  ...DEPLOYMENT_ROUTES,
  ...RELEASE_ROUTES,
  ...TARGET_ROUTES,
  ...AGENT_ROUTES,
  ...AUDIT_ROUTES,
  ...EVENT_ROUTES,
  ...WEBHOOK_ROUTES,
  ...UPSTREAM_ROUTES,
  ...CACHE_ROUTES,
  ...MIRROR_ROUTES,
  ...QUOTA_ROUTES,
  ...RETENTION_ROUTES,
  ...TAG_ROUTES,
  ...IMAGE_ROUTES,
  ...REPOSITORY_ROUTES,
  ...descriptionRoutes(() => API_ROUTES),
];
