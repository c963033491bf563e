import { Link, useParams } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import type { RepositoryInfo } from '../../api/repositories.ts';
import { NotFound } from '../frame/not-found.tsx';
import { Page } from '../kit/page.tsx';
import { ErrorState, Skeleton } from '../kit/states.tsx';
import { Tabs } from '../kit/tabs.tsx';
import { useWords } from '../kit/words.tsx';
import { type RepositoryPlace, repositoryLink, repositoryPlace } from '../places.ts';
import { Overview } from './overview.tsx';
import { RepositoryHeading } from './repository-heading.tsx';
import { useRepository } from './repository-query.ts';
import { VisibilityBadge } from './repository-rows.tsx';
import { repositoryWords } from './repository-words.ts';
import { TagHistoryPage } from './tag-history-page.tsx';
import { Tags } from './tags.tsx';
import { Waiting } from './waiting.tsx';

const ImagePage = lazy(async () => ({ default: (await import('../images/pages.tsx')).ImagePage }));
const ComparePage = lazy(async () => ({ default: (await import('../images/pages.tsx')).ComparePage }));
const Events = lazy(async () => ({ default: (await import('../events/events.tsx')).Events }));
const Settings = lazy(async () => ({ default: (await import('./settings.tsx')).Settings }));

/** All that is at `/r/…`. */
export function RepositoryPage() {
  const { _splat = '' } = useParams({ from: '/r/$' });
  const found = repositoryPlace(_splat);
  if (found === undefined) return <NotFound />;
  const { name, place } = found;
  switch (place.view) {
    case 'overview':
    case 'tags':
    case 'events':
    case 'settings':
      return <PartPage key={name} name={name} view={place.view} />;
    case 'tag':
      return <TagHistoryPage key={`${name}:${place.tag}`} name={name} tag={place.tag} />;
    case 'image':
      return (
        <Suspense fallback={<Waiting />}>
          <ImagePage key={`${name}@${place.reference}`} repository={name} reference={place.reference} />
        </Suspense>
      );
    case 'compare':
      return (
        <Suspense fallback={<Waiting />}>
          <ComparePage key={`${name}@${place.from}@${place.to}`} repository={name} from={place.from} to={place.to} />
        </Suspense>
      );
  }
}

type Part = Extract<RepositoryPlace['view'], 'overview' | 'tags' | 'events' | 'settings'>;

function PartPage({ name, view }: { name: string; view: Part }) {
  const words = useWords(repositoryWords);
  const repository = useRepository(name);
  const { data } = repository;
  const title = view === 'overview' ? name : `${words[view]} · ${name}`;
  return (
    <Page
      title={title}
      heading={<RepositoryHeading name={name} />}
      above={
        <Link to="/repositories" className="inline-block py-1 underline">
          {words.repositories}
        </Link>
      }
      description={data?.description || undefined}
      actions={data === undefined ? undefined : <VisibilityBadge visibility={data.visibility} />}
    >
      {data !== undefined && <PartTabs repository={data} view={view} />}
      {data === undefined && repository.error !== null ? (
        <ErrorState problem={repository.error} onRetry={() => void repository.refetch()} />
      ) : data === undefined ? (
        <Skeleton rows={6} height="h-14" />
      ) : (
        <PartContent repository={data} view={view} />
      )}
    </Page>
  );
}

function PartTabs({ repository, view }: { repository: RepositoryInfo; view: Part }) {
  const words = useWords(repositoryWords);
  const { name, role } = repository;
  const parts: readonly Part[] =
    role === 'admin' ? ['overview', 'tags', 'events', 'settings'] : ['overview', 'tags', 'events'];
  return (
    <Tabs
      label={words.parts(name)}
      tabs={parts.map((part) => ({
        label: part === 'tags' ? `${words.tags} (${repository.tags.toLocaleString()})` : words[part],
        link: repositoryLink(name, { view: part }),
        current: part === view,
      }))}
    />
  );
}

function PartContent({ repository, view }: { repository: RepositoryInfo; view: Part }) {
  switch (view) {
    case 'overview':
      return <Overview repository={repository} />;
    case 'tags':
      return <Tags repository={repository} />;
    case 'events':
      return (
        <Suspense fallback={<Skeleton />}>
          <Events place={{ repository: repository.name }} />
        </Suspense>
      );
    case 'settings':
      return (
        <Suspense fallback={<Skeleton />}>
          <Settings repository={repository} />
        </Suspense>
      );
  }
}
