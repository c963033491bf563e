import type { UseQueryResult } from '@tanstack/react-query';
import { Link, type LinkProps } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { ApiError } from '../../client/errors.ts';
import { Page } from '../kit/page.tsx';
import { ErrorState, Loaded } from '../kit/states.tsx';
import { Tabs } from '../kit/tabs.tsx';
import { useWords } from '../kit/words.tsx';
import { environmentLink, stackLink } from '../places.ts';
import { LoggedIn } from '../session.tsx';
import type { EnvironmentPlace, StackPlace } from './queries.ts';
import { stackWords } from './words.ts';

/** What is around each page of a stack. */
export function StackFrame({
  place,
  part,
  title,
  heading,
  description,
  actions,
  children,
}: {
  place: StackPlace;
  /** Which of its pages this is; none of them for what lies beneath. */
  part: 'board' | 'releases' | 'settings' | 'release';
  title: string;
  heading?: ReactNode;
  description?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}) {
  const words = useWords(stackWords);
  const { namespace, stack } = place;
  const params = { namespace, stack };
  return (
    <LoggedIn>
      {() => (
        <Page
          title={title}
          heading={heading}
          description={description}
          actions={actions}
          above={
            <span className="flex flex-wrap items-center gap-x-1.5">
              <Crumb link={{ to: '/stacks' }}>{words.stacks}</Crumb>
              {part !== 'board' && <span aria-hidden="true">/</span>}
              {part !== 'board' && <Crumb link={stackLink(place.name)}>{place.name}</Crumb>}
            </span>
          }
        >
          <Tabs
            label={words.parts}
            tabs={[
              { label: words.board, link: stackLink(place.name), current: part === 'board' },
              {
                label: words.releases,
                link: { to: '/s/$namespace/$stack/releases', params },
                current: part === 'releases',
              },
              {
                label: words.settings,
                link: { to: '/s/$namespace/$stack/settings', params },
                current: part === 'settings',
              },
            ]}
          />
          {children}
        </Page>
      )}
    </LoggedIn>
  );
}

/** What is around each page of an environment. */
export function EnvironmentFrame({
  place,
  part,
  title,
  heading,
  description,
  actions,
  children,
}: {
  place: EnvironmentPlace;
  part: 'overview' | 'settings' | 'deployment';
  title: string;
  heading?: ReactNode;
  description?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}) {
  const words = useWords(stackWords);
  const { namespace, stack, environment } = place;
  return (
    <LoggedIn>
      {() => (
        <Page
          title={title}
          heading={heading}
          description={description}
          actions={actions}
          above={
            <span className="flex flex-wrap items-center gap-x-1.5">
              <Crumb link={{ to: '/stacks' }}>{words.stacks}</Crumb>
              <span aria-hidden="true">/</span>
              <Crumb link={stackLink(place.name)}>{place.name}</Crumb>
              {part !== 'overview' && <span aria-hidden="true">/</span>}
              {part !== 'overview' && <Crumb link={environmentLink(place.name, environment)}>{environment}</Crumb>}
            </span>
          }
        >
          {part !== 'deployment' && (
            <Tabs
              label={words.environmentParts}
              tabs={[
                {
                  label: words.overview,
                  link: environmentLink(place.name, environment),
                  current: part === 'overview',
                },
                {
                  label: words.settings,
                  link: {
                    to: '/s/$namespace/$stack/environments/$environment/settings',
                    params: { namespace, stack, environment },
                  },
                  current: part === 'settings',
                },
              ]}
            />
          )}
          {children}
        </Page>
      )}
    </LoggedIn>
  );
}

function Crumb({ link, children }: { link: LinkProps; children: ReactNode }) {
  return (
    <Link className="text-accent underline" {...link}>
      {children}
    </Link>
  );
}

/** As `Loaded`; what was deleted meanwhile, or may no longer be seen, is not shown any longer. */
export function Fresh<Data>(props: {
  query: UseQueryResult<Data>;
  children: (data: Data) => ReactNode;
  rows?: number;
  height?: string;
}) {
  const { error, refetch } = props.query;
  if (error instanceof ApiError && (error.status === 403 || error.status === 404)) {
    return <ErrorState problem={error} onRetry={() => void refetch()} />;
  }
  return <Loaded {...props} />;
}
