import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import type { OrganizationInfo } from '../../api/organizations.ts';
import type { AuditFilter } from '../../client/audit.ts';
import { ApiError } from '../../client/errors.ts';
import { AuditLog } from '../audit/audit-log.tsx';
import { Events } from '../events/events.tsx';
import { Page } from '../kit/page.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { Tabs } from '../kit/tabs.tsx';
import { useWords } from '../kit/words.tsx';
import { Held } from '../quotas/held.tsx';
import { Retention } from '../retention/retention.tsx';
import { server } from '../server.ts';
import { LoggedIn, type SessionUser } from '../session.tsx';
import { Webhooks } from '../webhooks/webhooks.tsx';
import { Members } from './members.tsx';
import { OrganizationInvitations } from './organization-invitations.tsx';
import { OrganizationSettings } from './organization-settings.tsx';
import { NamespaceRepositories } from './repositories.tsx';
import { Robots } from './robots.tsx';
import { Roles } from './roles.tsx';
import { Teams } from './teams.tsx';
import { organizationWords } from './words.ts';

/** What the page is about: an organization, or the place of a user. */
type Owner = { kind: 'organization'; organization: OrganizationInfo } | { kind: 'user'; username: string };

const FOR_MEMBERS = ['repositories', 'members', 'teams', 'events'] as const;
const FOR_OWNERS = [
  'repositories',
  'members',
  'teams',
  'robots',
  'roles',
  'invitations',
  'retention',
  'webhooks',
  'events',
  'audit',
  'settings',
] as const;
const FOR_USERS = ['repositories', 'robots', 'roles', 'retention', 'webhooks', 'events', 'audit'] as const;
type Part = (typeof FOR_OWNERS)[number];

export function OrganizationPage() {
  const { namespace = '', part = 'repositories' } = useParams({ strict: false });
  return <LoggedIn>{(user) => <Namespace key={namespace} namespace={namespace} part={part} user={user} />}</LoggedIn>;
}

function Namespace({ namespace, part, user }: { namespace: string; part: string; user: SessionUser }) {
  const words = useWords(organizationWords);
  const owner = useQuery({
    queryKey: ['organizations', 'one', namespace],
    queryFn: () => ownerOf(namespace, user),
  });
  return (
    <Page
      title={namespace}
      heading={headingOf(owner.data, namespace)}
      above={
        <Link to="/organizations" className="underline">
          {words.back}
        </Link>
      }
      description={descriptionOf(owner.data)}
    >
      <Loaded query={owner}>{(known) => <Parts namespace={namespace} part={part} user={user} owner={known} />}</Loaded>
    </Page>
  );

  function headingOf(known: Owner | undefined, name: string): string {
    if (known?.kind !== 'organization' || known.organization.displayName === name) return name;
    return `${known.organization.displayName} (${name})`;
  }

  function descriptionOf(known: Owner | undefined): ReactNode {
    if (known === undefined) return undefined;
    return known.kind === 'user' ? words.ownDescription(known.username) : known.organization.description || undefined;
  }
}

/** @throws ApiError when it is neither an organization that the user may see nor a user whose place it may see */
async function ownerOf(namespace: string, user: SessionUser): Promise<Owner> {
  if (namespace === user.username) return { kind: 'user', username: namespace };
  try {
    return { kind: 'organization', organization: await server.organizations.get(namespace) };
  } catch (error) {
    if (!user.administrator || !(error instanceof ApiError) || error.status !== 404) throw error;
    return { kind: 'user', username: (await server.users.get(namespace)).username };
  }
}

function Parts({ namespace, part, user, owner }: { namespace: string; part: string; user: SessionUser; owner: Owner }) {
  const words = useWords(organizationWords);
  const [filter, setFilter] = useState<AuditFilter>({});
  const mayChange = owner.kind === 'user' || owner.organization.role === 'owner' || user.administrator;
  const parts: readonly Part[] = owner.kind === 'user' ? FOR_USERS : mayChange ? FOR_OWNERS : FOR_MEMBERS;
  const current = parts.find((known) => known === part);
  return (
    <>
      <Tabs
        label={namespace}
        tabs={parts.map((known) => ({
          label: words.parts[known],
          link:
            known === 'repositories'
              ? { to: '/o/$namespace', params: { namespace } }
              : { to: '/o/$namespace/$part', params: { namespace, part: known } },
          current: known === current,
        }))}
      />
      {content()}
    </>
  );

  function content(): ReactNode {
    switch (current) {
      case undefined:
        return <EmptyState title={words.noPart}>{words.noPartWhat}</EmptyState>;
      case 'repositories':
        return (
          <>
            {mayChange && <Held namespace={namespace} />}
            <NamespaceRepositories namespace={namespace} />
          </>
        );
      case 'members':
        return <Members organization={namespace} mayChange={mayChange} self={user.username} />;
      case 'teams':
        return <Teams organization={namespace} mayChange={mayChange} />;
      case 'robots':
        return <Robots namespace={namespace} />;
      case 'roles':
        return <Roles namespace={namespace} kind={owner.kind} />;
      case 'invitations':
        return <OrganizationInvitations organization={namespace} />;
      case 'retention':
        return (
          <div className="max-w-3xl">
            <Retention place={{ namespace }} />
          </div>
        );
      case 'webhooks':
        return <Webhooks place={{ namespace }} />;
      case 'events':
        return <Events place={{ namespace }} />;
      case 'audit':
        return (
          <>
            <p className="mb-4 text-muted">{words.auditWhat}</p>
            <AuditLog
              name={['audit', namespace]}
              filter={filter}
              onFilter={setFilter}
              list={(wanted, limit) => server.audit.ofNamespace(namespace, wanted, limit)}
            />
          </>
        );
      case 'settings':
        return owner.kind === 'organization' && <OrganizationSettings organization={owner.organization} />;
    }
  }
}
