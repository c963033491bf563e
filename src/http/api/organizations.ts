import {
  createOrganization,
  deleteOrganization,
  getOrganization,
  hasRepositories,
  listOrganizations,
  type Organization,
  planOrganizationDeletion,
  updateOrganization,
} from '../../accounts/organizations.ts';
import { requireNoRunningStacks } from '../../accounts/running-stacks.ts';
import {
  deleteOrganizationBody,
  newOrganizationBody,
  type OrganizationInfo,
  organizationChangeBody,
  organizationDeletion,
  organizationInfo,
  organizationPage,
  organizationQuery,
} from '../../api/organizations.ts';
import { OciError } from '../../oci/errors.ts';
import { disposeRepositories } from './dispose-repositories.ts';
import { type ApiRoute, apiRoute, iso, limitOf, originOf, userOf } from './route.ts';

export const ORGANIZATION_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/organizations',
    access: 'account',
    summary: 'The organizations that you are a member of, in the order of their names',
    chapter: 'organizations',
    query: organizationQuery,
    answer: organizationPage,
    async handler({ accounts }, request, { query }) {
      const user = userOf(request);
      const all = query.all === 'true';
      if (all && !user.administrator) throw new OciError('DENIED', 'all: only administrators see all of them');
      const { organizations, more } = await listOrganizations(
        accounts,
        { userId: user.id, all },
        { last: query.last, limit: limitOf(request) },
      );
      return {
        organizations: organizations.map(organizationInfoOf),
        next: more ? (organizations.at(-1)?.name ?? null) : null,
      };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/organizations',
    access: 'account',
    summary: 'Make an organization; you are its owner',
    chapter: 'organizations',
    body: newOrganizationBody,
    answer: organizationInfo,
    status: 201,
    async handler({ accounts }, request, { body }) {
      const user = userOf(request);
      const options = { adopt: user.administrator };
      return organizationInfoOf(await createOrganization(accounts, body, user.id, originOf(request), options));
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/organizations/:namespace',
    access: 'read',
    summary: 'An organization',
    chapter: 'organizations',
    answer: organizationInfo,
    handler: async ({ accounts }, request) =>
      organizationInfoOf(await getOrganization(accounts, request.param('namespace'), userOf(request).id)),
  }),
  apiRoute({
    method: 'PATCH',
    path: '/api/v1/organizations/:namespace',
    access: 'admin',
    summary: "Change an organization's display name or description",
    chapter: 'organizations',
    body: organizationChangeBody,
    answer: organizationInfo,
    async handler({ accounts }, request, { body }) {
      const name = request.param('namespace');
      await updateOrganization(accounts, name, body, originOf(request));
      return organizationInfoOf(await getOrganization(accounts, name, userOf(request).id));
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/organizations/:namespace/deletion',
    access: 'admin',
    summary: 'What deleting an organization would mean for its repositories, robots and teams',
    chapter: 'organizations',
    answer: organizationDeletion,
    handler: ({ accounts }, request) => planOrganizationDeletion(accounts, request.param('namespace')),
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/v1/organizations/:namespace',
    access: 'admin',
    summary: 'Delete an organization; its repositories are transferred, as the body says',
    chapter: 'organizations',
    body: deleteOrganizationBody,
    async handler({ accounts, registry }, request, { body }) {
      const name = request.param('namespace');
      if (body.confirm !== name) {
        throw new OciError('BODY_INVALID', `confirm: must be the organization's name, ${name}`);
      }
      // Before its repositories are gone.
      await requireNoRunningStacks(accounts.database.read, name);
      const { repositories } = await planOrganizationDeletion(accounts, name);
      if (repositories.length > 0 && body.repositories === undefined) throw hasRepositories(name, repositories);
      await disposeRepositories(registry, request, name, repositories, body.repositories);
      await deleteOrganization(accounts, name, originOf(request));
      return undefined;
    },
  }),
];

function organizationInfoOf(organization: Organization): OrganizationInfo {
  return { ...organization, createdAt: iso(organization.createdAt) };
}
