import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Package } from 'lucide-react';
import { useDeferredValue, useState } from 'react';
import type { RepositorySummary } from '../../api/repositories.ts';
import { registryHost } from '../../doctor/registry-host.ts';
import { Badge } from '../kit/badge.tsx';
import { CodeBlock } from '../kit/copy.tsx';
import { TextField } from '../kit/field.tsx';
import { Ago } from '../kit/figures.tsx';
import { ShowMore } from '../kit/listed.tsx';
import { Section } from '../kit/page.tsx';
import { EmptyState, ErrorState, Skeleton } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { repositoryLink } from '../places.ts';
import { server } from '../server.ts';
import { organizationWords } from './words.ts';

/** The repositories of a user or an organization that the viewer may read. */
export function NamespaceRepositories({ namespace }: { namespace: string }) {
  const words = useWords(organizationWords);
  const [typed, setTyped] = useState('');
  const q = useDeferredValue(typed.trim());
  const pages = useInfiniteQuery({
    queryKey: ['repositories', 'of', namespace, q],
    queryFn: ({ pageParam }) =>
      server.repositories.page({
        namespace,
        n: '50',
        ...(q === '' ? {} : { q }),
        ...(pageParam === null ? {} : { last: pageParam }),
      }),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    placeholderData: keepPreviousData,
  });
  const columns: Column<RepositorySummary>[] = [
    {
      key: 'name',
      head: words.repository,
      cell: ({ name, description }) => (
        <>
          <Link {...repositoryLink(name)} className="font-medium break-all text-accent underline">
            {name}
          </Link>
          {description !== '' && <span className="block text-sm break-words text-muted">{description}</span>}
        </>
      ),
    },
    { key: 'visibility', head: words.visible, cell: ({ visibility }) => <Badge>{words.visibility[visibility]}</Badge> },
    { key: 'changed', head: words.changed, cell: ({ updatedAt }) => <Ago at={updatedAt} /> },
  ];
  const rows = pages.data?.pages.flatMap(({ repositories }) => repositories);
  return (
    <Section
      title={words.parts.repositories}
      actions={
        <Link
          to="/repositories"
          search={{ namespace }}
          className="inline-flex min-h-10 items-center text-accent underline"
        >
          {words.allRepositories}
        </Link>
      }
    >
      <div className="mb-4 max-w-md">
        <TextField
          label={words.findRepository}
          type="search"
          value={typed}
          maxLength={200}
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => setTyped(event.target.value)}
        />
      </div>
      {rows === undefined && pages.error !== null && (
        <ErrorState problem={pages.error} onRetry={() => void pages.refetch()} />
      )}
      {rows === undefined && pages.error === null && <Skeleton />}
      {rows !== undefined && rows.length === 0 && q !== '' && <EmptyState title={words.noRepositoryFound} />}
      {rows !== undefined && rows.length === 0 && q === '' && (
        <EmptyState title={words.noRepositories} icon={<Package className="size-7 text-muted" aria-hidden="true" />}>
          <p>{words.noRepositoriesWhat}</p>
          <div className="w-full min-w-0 text-left">
            <CodeBlock
              label={words.noRepositoriesWhat}
              code={`docker tag app ${registryHost(location)}/${namespace}/app\ndocker push ${registryHost(location)}/${namespace}/app`}
            />
          </div>
        </EmptyState>
      )}
      {rows !== undefined && rows.length > 0 && (
        <div aria-busy={pages.isPlaceholderData} className={pages.isPlaceholderData ? 'opacity-60' : undefined}>
          <Table label={words.parts.repositories} columns={columns} rows={rows} rowKey={({ name }) => name} />
          <ShowMore
            more={pages.hasNextPage}
            busy={pages.isFetchingNextPage}
            onMore={() => void pages.fetchNextPage()}
          />
        </div>
      )}
    </Section>
  );
}
