import { Link, Outlet, useNavigate } from '@tanstack/react-router';
import { CircleUser, CloudOff, KeyRound, Languages, LogOut, Menu as MenuIcon, MoonStar } from 'lucide-react';
import { ButtonLink } from '../kit/button.tsx';
import { useAction } from '../kit/form.tsx';
import { Menu } from '../kit/menu.tsx';
import { LANGUAGES, type Language, useLanguage, useWords } from '../kit/words.tsx';
import { connectionLost, server } from '../server.ts';
import { sessionChanged, useInstance, useUser } from '../session.tsx';
import { useSignal } from '../signal.ts';
import { chooseTheme, THEMES, theme } from '../theme.ts';
import { frameWords } from './frame-words.ts';
import { SessionEnded } from './session-ended.tsx';

/** What is around every page. */
export function Frame() {
  const words = useWords(frameWords);
  return (
    <div className="flex min-h-dvh flex-col">
      <a
        href="#content"
        className="sr-only z-30 rounded-md bg-accent-strong px-4 py-2 text-on-accent focus:not-sr-only focus:absolute focus:top-2 focus:left-2"
      >
        {words.skip}
      </a>
      <Header />
      <ConnectionBanner />
      <main id="content" tabIndex={-1} className="flex-1 outline-none">
        <Outlet />
      </main>
      <Footer />
      <SessionEnded />
    </div>
  );
}

function Header() {
  const words = useWords(frameWords);
  const user = useUser();
  const navigate = useNavigate();
  const places = usePlaces();
  return (
    <header className="border-b border-line bg-surface">
      <div className="mx-auto flex min-h-14 w-full max-w-6xl items-center gap-1 px-4 sm:px-6">
        <Link to="/" aria-label={words.start} className="mr-2 flex items-center gap-2 text-lg font-bold tracking-tight">
          <Mark />
          Berth
        </Link>
        <nav aria-label={words.main} className="hidden items-center md:flex">
          {places.map(({ to, label }) => (
            <Link
              key={to}
              to={to}
              activeProps={{ className: 'text-ink font-semibold', 'aria-current': 'page' }}
              inactiveProps={{ className: 'text-muted hover:text-ink' }}
              className="inline-flex min-h-10 items-center px-2.5"
            >
              {label}
            </Link>
          ))}
        </nav>
        <div className="flex-1" />
        <LanguageMenu />
        <ThemeMenu />
        {user === null && (
          <ButtonLink kind="primary" small to="/login" search={{}} className="ml-1">
            {words.logIn}
          </ButtonLink>
        )}
        {user != null && <AccountMenu name={user.username} />}
        <Menu
          label={words.menu}
          className="grid size-10 place-items-center rounded-md hover:bg-hover md:hidden"
          trigger={<MenuIcon className="size-5" aria-hidden="true" />}
          entries={places.map(({ to, label }) => ({ label, onSelect: () => void navigate({ to }) }))}
        />
      </div>
    </header>
  );
}

function usePlaces() {
  const words = useWords(frameWords);
  const user = useUser();
  return [
    { to: '/repositories', label: words.repositories } as const,
    ...(user == null
      ? []
      : ([
          { to: '/stacks', label: words.stacks },
          { to: '/organizations', label: words.organizations },
        ] as const)),
    ...(user?.administrator === true ? ([{ to: '/admin', label: words.administration }] as const) : []),
    { to: '/getting-started', label: words.gettingStarted } as const,
  ];
}

function AccountMenu({ name }: { name: string }) {
  const words = useWords(frameWords);
  const navigate = useNavigate();
  const logOut = useAction(
    () => server.sessions.signOut(),
    async () => {
      await sessionChanged();
      await navigate({ to: '/' });
    },
  );
  return (
    <Menu
      label={words.account(name)}
      className="ml-1 flex min-h-10 items-center gap-2 rounded-md px-2 hover:bg-hover"
      trigger={
        <>
          <CircleUser className="size-5" aria-hidden="true" />
          <span className="max-w-32 truncate max-sm:hidden">{name}</span>
        </>
      }
      entries={[
        {
          label: words.profile,
          icon: <CircleUser className="size-4" />,
          onSelect: () => void navigate({ to: '/account' }),
        },
        {
          label: words.tokens,
          icon: <KeyRound className="size-4" />,
          onSelect: () => void navigate({ to: '/account/tokens' }),
        },
        { label: words.logOut, icon: <LogOut className="size-4" />, onSelect: () => logOut.run(undefined) },
      ]}
    />
  );
}

function LanguageMenu() {
  const words = useWords(frameWords);
  const { language, choose } = useLanguage();
  return (
    <Menu
      label={words.language}
      trigger={<Languages className="size-5" aria-hidden="true" />}
      entries={(Object.keys(LANGUAGES) as Language[]).map((code) => ({
        label: LANGUAGES[code],
        chosen: code === language,
        onSelect: () => choose(code),
      }))}
    />
  );
}

function ThemeMenu() {
  const words = useWords(frameWords);
  const chosen = useSignal(theme);
  return (
    <Menu
      label={words.theme}
      trigger={<MoonStar className="size-5" aria-hidden="true" />}
      entries={THEMES.map((name) => ({
        label: words.themes[name],
        chosen: name === chosen,
        onSelect: () => chooseTheme(name),
      }))}
    />
  );
}

function ConnectionBanner() {
  const words = useWords(frameWords);
  const lost = useSignal(connectionLost);
  return (
    <div role="status" aria-live="polite">
      {lost && (
        <p className="flex items-center justify-center gap-2 bg-warn-soft px-4 py-2 text-sm text-warn">
          <CloudOff className="size-4 shrink-0" aria-hidden="true" />
          {words.lost}
        </p>
      )}
    </div>
  );
}

function Footer() {
  const words = useWords(frameWords);
  const instance = useInstance().data;
  return (
    <footer className="mt-10 border-t border-line text-sm text-muted">
      <div className="mx-auto flex w-full max-w-6xl flex-wrap gap-x-4 px-4 py-4 sm:px-6">
        <span className="min-h-5">{instance === undefined ? ' ' : words.version(instance.version)}</span>
        <a href="/api/docs" className="underline">
          {words.api}
        </a>
      </div>
    </footer>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" className="size-7" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="#1d4ed8" />
      <path d="M9 6h3.2v8H17a6 6 0 0 1 0 12H9zm3.2 10.8v6.4H17a3.2 3.2 0 0 0 0-6.4z" fill="#fff" />
      <path d="M5 28.2h22" stroke="#93c5fd" strokeWidth="1.8" strokeLinecap="round" />
    </svg>
  );
}
