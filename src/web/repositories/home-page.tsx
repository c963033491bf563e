import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { Layers } from 'lucide-react';
import type { InstanceInfo } from '../../client/instance.ts';
import { Badge } from '../kit/badge.tsx';
import { ButtonLink } from '../kit/button.tsx';
import { Notice, Page, Section } from '../kit/page.tsx';
import { EmptyState, Loaded, Skeleton } from '../kit/states.tsx';
import { take } from '../kit/take.ts';
import { useWords } from '../kit/words.tsx';
import { stackLink } from '../places.ts';
import { server } from '../server.ts';
import { type SessionUser, useInstance, useSession } from '../session.tsx';
import { NewRepository } from './new-repository.tsx';
import { HOST, PushCommands } from './push-commands.tsx';
import { RepositoryRows } from './repository-rows.tsx';
import { SearchField } from './search-field.tsx';
import { listWords } from './words.ts';

const SHOWN = 8;
const SHOWN_STACKS = 6;

/** Where everyone starts: a visitor sees what is public and how to get in, a user what is new. */
export function HomePage() {
  const words = useWords(listWords);
  const session = useSession();
  const user = session.data?.user;
  if (user === undefined && session.error === null) {
    return (
      <Page title={words.home}>
        <Skeleton rows={6} height="h-16" />
      </Page>
    );
  }
  return user == null ? <VisitorHome /> : <UserHome user={user} />;
}

function VisitorHome() {
  const words = useWords(listWords);
  const instance = useInstance();
  return (
    <Page title={words.home} heading={words.welcome} description={words.welcomeWhat(HOST)}>
      <Loaded query={instance} rows={6} height="h-16">
        {(known) => (
          <>
            <Entrance instance={known} />
            <Section
              title={words.publicRepositories}
              actions={<ButtonLink to="/repositories">{words.allRepositories}</ButtonLink>}
            >
              <PublicRepositories />
            </Section>
            {!known.setupNeeded && (
              <Section
                title={words.firstPush}
                description={known.anonymous === 'push' ? words.firstPushOpen : words.firstPushWhat}
              >
                <PushCommands
                  repository="alice/my-app"
                  label={words.firstPushCommands}
                  logIn={known.anonymous !== 'push'}
                />
                <MoreHelp />
              </Section>
            )}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Entrance({ instance }: { instance: InstanceInfo }) {
  const words = useWords(listWords);
  if (instance.setupNeeded) {
    return (
      <div className="mb-8">
        <Notice tone="warn" title={words.setupNeeded}>
          <p>{words.setupNeededWhat}</p>
        </Notice>
      </div>
    );
  }
  return (
    <div className="mb-8 flex flex-wrap items-center gap-3">
      <ButtonLink kind="primary" to="/login" search={{}}>
        {words.logIn}
      </ButtonLink>
      {instance.signUp === 'open' && <ButtonLink to="/signup">{words.signUp}</ButtonLink>}
      {instance.signUp !== 'open' && (
        <p className="text-muted">{instance.signUp === 'invitation' ? words.byInvitation : words.closed}</p>
      )}
    </div>
  );
}

function PublicRepositories() {
  const words = useWords(listWords);
  const navigate = useNavigate();
  const list = useQuery({
    queryKey: ['repositories', 'newest', 'public', SHOWN],
    queryFn: () => server.repositories.page({ sort: 'updated', n: String(SHOWN) }),
  });
  return (
    <div className="grid gap-3">
      <SearchField
        label={words.search}
        placeholder={words.searchHint}
        clear={words.clearSearch}
        value=""
        onValue={(q) => void navigate({ to: '/repositories', search: { q } })}
        maxLength={200}
      />
      <Loaded query={list} rows={4} height="h-16">
        {({ repositories }) =>
          repositories.length === 0 ? (
            <EmptyState title={words.noPublic}>
              <p>{words.noPublicWhat}</p>
            </EmptyState>
          ) : (
            <RepositoryRows label={words.publicRepositories} rows={repositories} />
          )
        }
      </Loaded>
    </div>
  );
}

function UserHome({ user }: { user: SessionUser }) {
  const words = useWords(listWords);
  const newest = useQuery({
    queryKey: ['repositories', 'newest', 'all', SHOWN],
    queryFn: () => server.repositories.page({ sort: 'updated', n: String(SHOWN) }),
  });
  const own = useQuery({
    queryKey: ['repositories', 'own', user.username],
    queryFn: () => server.repositories.page({ namespace: user.username, n: '1' }),
  });
  const beginner = own.data?.repositories.length === 0;
  return (
    <Page title={words.home} actions={<NewRepository username={user.username} />}>
      <div className="grid gap-x-8 lg:grid-cols-[minmax(0,2fr)_minmax(0,1fr)]">
        <div className="min-w-0">
          <Section
            title={words.recent}
            description={words.recentWhat}
            actions={
              <ButtonLink small to="/repositories">
                {words.allRepositories}
              </ButtonLink>
            }
          >
            <Loaded query={newest} rows={SHOWN} height="h-16">
              {({ repositories }) =>
                repositories.length === 0 ? (
                  <EmptyState title={words.noneYet}>
                    <p>{words.noneYetWhat}</p>
                  </EmptyState>
                ) : (
                  <RepositoryRows label={words.recent} rows={repositories} />
                )
              }
            </Loaded>
          </Section>
          {beginner && <FirstSteps username={user.username} />}
        </div>
        <Section
          title={words.stacks}
          description={words.stacksWhat}
          actions={
            <ButtonLink small to="/stacks">
              {words.allStacks}
            </ButtonLink>
          }
        >
          <Stacks />
        </Section>
      </div>
    </Page>
  );
}

function Stacks() {
  const words = useWords(listWords);
  const stacks = useQuery({
    queryKey: ['stacks', 'first', SHOWN_STACKS],
    queryFn: () => take(server.stacks.list(), SHOWN_STACKS),
  });
  return (
    <Loaded query={stacks} rows={3} height="h-16">
      {(list) =>
        list.length === 0 ? (
          <EmptyState title={words.noStacks} icon={<Layers className="size-7 text-muted" aria-hidden="true" />}>
            <p>{words.noStacksWhat}</p>
            <ButtonLink small to="/stacks">
              {words.makeStack}
            </ButtonLink>
          </EmptyState>
        ) : (
          <ul aria-label={words.stacks} className="divide-y divide-line rounded-lg border border-line bg-surface">
            {list.map((stack) => (
              <li key={stack.name} className="grid gap-1 px-4 py-2.5">
                <Link {...stackLink(stack.name)} className="py-1 font-medium break-all text-accent underline">
                  {stack.name}
                </Link>
                <span className="flex flex-wrap gap-1.5">
                  {stack.environments.length === 0 ? (
                    <span className="text-sm text-muted">{words.noEnvironments}</span>
                  ) : (
                    stack.environments.map((environment) => <Badge key={environment}>{environment}</Badge>)
                  )}
                </span>
              </li>
            ))}
          </ul>
        )
      }
    </Loaded>
  );
}

/** For who has pushed nothing yet. */
function FirstSteps({ username }: { username: string }) {
  const words = useWords(listWords);
  return (
    <Section title={words.begin}>
      <ol className="grid list-decimal gap-3 pl-5">
        <li>{words.stepMake}</li>
        <li>
          {words.stepLogIn}{' '}
          <Link to="/account/tokens" className="text-accent underline">
            {words.stepToken}
          </Link>
        </li>
        <li>{words.stepPush}</li>
      </ol>
      <div className="mt-3">
        <PushCommands repository={`${username}/my-app`} label={words.firstPushCommands} />
      </div>
      <MoreHelp />
    </Section>
  );
}

function MoreHelp() {
  const words = useWords(listWords);
  return (
    <p className="mt-2 text-sm">
      <Link to="/getting-started" className="inline-block py-1 text-accent underline">
        {words.moreHelp}
      </Link>
    </p>
  );
}
