import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { auditFilterOf } from './audit/filter.ts';
import { Frame } from './frame/frame.tsx';
import { NotFound } from './frame/not-found.tsx';
import { PageFailed } from './frame/page-failed.tsx';
import { Skeleton } from './kit/states.tsx';

/*
 * Every page of the page. A first component here is one in `src/http/page.ts`. Each part of the page is loaded when it is first opened.
 */

const root = createRootRoute({ component: Frame, notFoundComponent: NotFound, errorComponent: PageFailed });

/** The router reads `?q=123` as a number. */
const text = (value: unknown): string | undefined =>
  typeof value === 'number' || (typeof value === 'string' && value !== '') ? String(value) : undefined;

const gettingIn = () => import('./getting-in/pages.tsx');
const account = () => import('./account/pages.tsx');
// The first view is one of these two: it does not wait for the rest.
const home = () => import('./repositories/home-page.tsx');
const repositoryList = () => import('./repositories/repositories-page.tsx');
const repositories = () => import('./repositories/pages.tsx');
const stacks = () => import('./stacks/pages.tsx');
const organizations = () => import('./organizations/pages.tsx');
const administration = () => import('./administration/pages.tsx');
const webhooks = () => import('./webhooks/pages.tsx');
const gettingStarted = () => import('./getting-started/pages.tsx');

const at = <Path extends string>(path: Path) => ({ getParentRoute: () => root, path }) as const;

const routes = [
  createRoute({ ...at('/'), component: lazyRouteComponent(home, 'HomePage') }),
  createRoute({
    ...at('/setup'),
    validateSearch: (search): { secret?: string } => ({
      ...(text(search.secret) && { secret: String(search.secret) }),
    }),
    component: lazyRouteComponent(gettingIn, 'SetupPage'),
  }),
  createRoute({
    ...at('/login'),
    validateSearch: (search): { next?: string; error?: string } => ({
      ...(text(search.next) && { next: String(search.next) }),
      ...(text(search.error) && { error: String(search.error) }),
    }),
    component: lazyRouteComponent(gettingIn, 'LoginPage'),
  }),
  createRoute({ ...at('/signup'), component: lazyRouteComponent(gettingIn, 'SignUpPage') }),
  createRoute({ ...at('/getting-started'), component: lazyRouteComponent(gettingStarted, 'GettingStartedPage') }),
  createRoute({
    ...at('/repositories'),
    validateSearch: (search): { q?: string; namespace?: string } => ({
      ...(text(search.q) && { q: String(search.q) }),
      ...(text(search.namespace) && { namespace: String(search.namespace) }),
    }),
    component: lazyRouteComponent(repositoryList, 'RepositoriesPage'),
  }),
  createRoute({ ...at('/r/$'), component: lazyRouteComponent(repositories, 'RepositoryPage') }),
  createRoute({ ...at('/stacks'), component: lazyRouteComponent(stacks, 'StacksPage') }),
  createRoute({ ...at('/s/$namespace/$stack'), component: lazyRouteComponent(stacks, 'BoardPage') }),
  createRoute({ ...at('/s/$namespace/$stack/settings'), component: lazyRouteComponent(stacks, 'StackSettingsPage') }),
  createRoute({ ...at('/s/$namespace/$stack/releases'), component: lazyRouteComponent(stacks, 'ReleasesPage') }),
  createRoute({ ...at('/s/$namespace/$stack/releases/$number'), component: lazyRouteComponent(stacks, 'ReleasePage') }),
  createRoute({
    ...at('/s/$namespace/$stack/environments/$environment'),
    component: lazyRouteComponent(stacks, 'EnvironmentPage'),
  }),
  createRoute({
    ...at('/s/$namespace/$stack/environments/$environment/settings'),
    component: lazyRouteComponent(stacks, 'EnvironmentSettingsPage'),
  }),
  createRoute({
    ...at('/s/$namespace/$stack/environments/$environment/deployments/$number'),
    component: lazyRouteComponent(stacks, 'DeploymentPage'),
  }),
  createRoute({ ...at('/account'), component: lazyRouteComponent(account, 'ProfilePage') }),
  createRoute({ ...at('/account/security'), component: lazyRouteComponent(account, 'SecurityPage') }),
  createRoute({ ...at('/account/tokens'), component: lazyRouteComponent(account, 'TokensPage') }),
  createRoute({ ...at('/account/sessions'), component: lazyRouteComponent(account, 'SessionsPage') }),
  createRoute({ ...at('/organizations'), component: lazyRouteComponent(organizations, 'OrganizationsPage') }),
  /** A user's or an organization's: members and teams of an organization, robots, roles and audit of both. */
  createRoute({ ...at('/o/$namespace'), component: lazyRouteComponent(organizations, 'OrganizationPage') }),
  createRoute({ ...at('/o/$namespace/$part'), component: lazyRouteComponent(organizations, 'OrganizationPage') }),
  createRoute({
    ...at('/webhooks/$webhook'),
    validateSearch: (search): { delivery?: string } => ({
      ...(text(search.delivery) && { delivery: String(search.delivery) }),
    }),
    component: lazyRouteComponent(webhooks, 'WebhookPage'),
  }),
  createRoute({ ...at('/admin'), component: lazyRouteComponent(administration, 'UsersPage') }),
  createRoute({ ...at('/admin/invitations'), component: lazyRouteComponent(administration, 'InvitationsPage') }),
  createRoute({ ...at('/admin/organizations'), component: lazyRouteComponent(administration, 'AllOrganizationsPage') }),
  createRoute({ ...at('/admin/storage'), component: lazyRouteComponent(administration, 'StoragePage') }),
  createRoute({ ...at('/admin/quotas'), component: lazyRouteComponent(administration, 'QuotasPage') }),
  createRoute({ ...at('/admin/retention'), component: lazyRouteComponent(administration, 'RetentionPage') }),
  createRoute({ ...at('/admin/garbage'), component: lazyRouteComponent(administration, 'GarbagePage') }),
  createRoute({ ...at('/admin/garbage/$run'), component: lazyRouteComponent(administration, 'GarbageRunPage') }),
  createRoute({ ...at('/admin/registries'), component: lazyRouteComponent(administration, 'RegistriesPage') }),
  createRoute({ ...at('/admin/webhooks'), component: lazyRouteComponent(administration, 'WebhooksPage') }),
  createRoute({ ...at('/admin/events'), component: lazyRouteComponent(administration, 'EventsPage') }),
  createRoute({
    ...at('/admin/audit'),
    validateSearch: auditFilterOf,
    component: lazyRouteComponent(administration, 'AuditPage'),
  }),
  createRoute({ ...at('/admin/certificate'), component: lazyRouteComponent(administration, 'CertificatePage') }),
  createRoute({ ...at('/admin/settings'), component: lazyRouteComponent(administration, 'SettingsPage') }),
] as const;

export const router = createRouter({
  routeTree: root.addChildren(routes),
  defaultPreload: 'intent',
  defaultPendingComponent: () => <Skeleton />,
  defaultPendingMs: 300,
  scrollRestoration: true,
  defaultErrorComponent: PageFailed,
  defaultNotFoundComponent: NotFound,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
