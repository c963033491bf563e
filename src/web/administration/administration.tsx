import type { ReactNode } from 'react';
import { Page } from '../kit/page.tsx';
import { Tabs } from '../kit/tabs.tsx';
import { useWords } from '../kit/words.tsx';
import { LoggedIn, type SessionUser } from '../session.tsx';
import { administrationWords } from './words.ts';

const PLACES = [
  ['users', '/admin'],
  ['invitations', '/admin/invitations'],
  ['organizations', '/admin/organizations'],
  ['storage', '/admin/storage'],
  ['quotas', '/admin/quotas'],
  ['retention', '/admin/retention'],
  ['garbage', '/admin/garbage'],
  ['registries', '/admin/registries'],
  ['webhooks', '/admin/webhooks'],
  ['events', '/admin/events'],
  ['audit', '/admin/audit'],
  ['certificate', '/admin/certificate'],
  ['settings', '/admin/settings'],
] as const;

/** What is around every page of administration. Others than administrators see why they see nothing. */
export function Administration({
  current,
  title,
  description,
  actions,
  children,
}: {
  current: (typeof PLACES)[number][0];
  title: string;
  description?: ReactNode;
  actions?: ReactNode;
  children: (user: SessionUser) => ReactNode;
}) {
  const words = useWords(administrationWords);
  return (
    <LoggedIn administrator>
      {(user) => (
        <Page title={title} above={words.administration} description={description} actions={actions}>
          <Tabs
            label={words.administration}
            tabs={PLACES.map(([name, to]) => ({ label: words.tabs[name], link: { to }, current: name === current }))}
          />
          {children(user)}
        </Page>
      )}
    </LoggedIn>
  );
}
