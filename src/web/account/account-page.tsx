import type { ReactNode } from 'react';
import { Page } from '../kit/page.tsx';
import { Tabs } from '../kit/tabs.tsx';
import { useWords } from '../kit/words.tsx';
import { LoggedIn, type SessionUser } from '../session.tsx';
import { accountWords } from './words.ts';

const PARTS = [
  { part: 'profile', to: '/account' },
  { part: 'security', to: '/account/security' },
  { part: 'tokens', to: '/account/tokens' },
  { part: 'sessions', to: '/account/sessions' },
] as const;

/** One of the pages of one's own account, with the way to the others. */
export function AccountPage({
  part,
  description,
  children,
}: {
  part: (typeof PARTS)[number]['part'];
  description?: ReactNode;
  children: (user: SessionUser) => ReactNode;
}) {
  const words = useWords(accountWords);
  return (
    <LoggedIn>
      {(user) => (
        <Page title={words.parts[part]} above={words.account} description={description}>
          <Tabs
            label={words.account}
            tabs={PARTS.map((entry) => ({
              label: words.parts[entry.part],
              link: { to: entry.to },
              current: entry.part === part,
            }))}
          />
          {children(user)}
        </Page>
      )}
    </LoggedIn>
  );
}

/** Said when something is done; the place is kept for it. */
export function Done({ children }: { children: ReactNode }) {
  return (
    <p role="status" className="min-h-6 text-sm text-good">
      {children}
    </p>
  );
}
