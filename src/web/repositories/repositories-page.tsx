import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { Button, ButtonLink } from '../kit/button.tsx';
import { SelectField } from '../kit/field.tsx';
import { FormProblem } from '../kit/form.tsx';
import { Page } from '../kit/page.tsx';
import { EmptyState, ErrorState, Skeleton } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { useUser } from '../session.tsx';
import { useLastKnown } from './last-known.ts';
import { useNamespaces } from './namespaces.ts';
import { NewRepository } from './new-repository.tsx';
import { PushCommands } from './push-commands.tsx';
import { RepositoryRows } from './repository-rows.tsx';
import { SearchField } from './search-field.tsx';
import { listWords } from './words.ts';

const PAGE = 50;
const EVERYWHERE = '';

/** Every repository that may be seen, with a search as one types. What is searched for stands in the address. */
export function RepositoriesPage() {
  const words = useWords(listWords);
  const user = useUser();
  const navigate = useNavigate();
  const { q = '', namespace } = useSearch({ from: '/repositories' });
  const namespaces = useNamespaces(user?.username);
  const list = useInfiniteQuery({
    queryKey: ['repositories', 'list', { q, namespace }],
    queryFn: ({ pageParam }) =>
      server.repositories.page({ q: q || undefined, namespace, n: String(PAGE), last: pageParam }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    placeholderData: keepPreviousData,
  });
  const go = (search: { q?: string; namespace?: string | undefined }) => {
    const { q: text, namespace: where } = { q, namespace, ...search };
    void navigate({
      to: '/repositories',
      search: { ...(text && { q: text }), ...(where && { namespace: where }) },
      replace: true,
    });
  };
  const rows = useLastKnown(list)?.pages.flatMap((page) => page.repositories);
  return (
    <Page
      title={words.repositories}
      actions={user == null ? undefined : <NewRepository username={user.username} namespace={namespace} />}
    >
      <div className="mb-4 flex flex-wrap items-start gap-3">
        <SearchField
          label={words.search}
          placeholder={words.searchHint}
          clear={words.clearSearch}
          value={q}
          onValue={(next) => go({ q: next })}
          busy={list.isPlaceholderData}
          maxLength={200}
        />
        {(user != null || namespace !== undefined) && (
          <div className="w-full sm:w-56">
            <SelectField
              hideLabel
              label={words.where}
              value={namespace ?? EVERYWHERE}
              onValue={(next) => go({ namespace: next })}
              choices={[
                { value: EVERYWHERE, label: words.everywhere },
                ...[...new Set([...namespaces, ...(namespace === undefined ? [] : [namespace])])].map((value) => ({
                  value,
                  label: value,
                })),
              ]}
            />
          </div>
        )}
      </div>
      {rows === undefined ? (
        list.error !== null ? (
          <ErrorState problem={list.error} onRetry={() => void list.refetch()} />
        ) : (
          <Skeleton rows={8} height="h-16" />
        )
      ) : rows.length === 0 ? (
        <NothingFound q={q} namespace={namespace} username={user?.username} />
      ) : (
        <>
          <p role="status" className="mb-2 text-sm text-muted">
            {words.found(rows.length, list.hasNextPage)}
          </p>
          <RepositoryRows label={words.repositories} rows={rows} />
          <FormProblem problem={list.isFetchNextPageError ? list.error : null} />
          {list.hasNextPage && (
            <Button className="mt-3" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
              {words.showMore}
            </Button>
          )}
        </>
      )}
    </Page>
  );
}

function NothingFound({
  q,
  namespace,
  username,
}: {
  q: string;
  namespace: string | undefined;
  username: string | undefined;
}) {
  const words = useWords(listWords);
  if (q !== '') {
    return (
      <EmptyState title={words.nothingFound(q)}>
        <p>{words.nothingFoundWhat}</p>
        <ButtonLink to="/repositories" search={namespace === undefined ? {} : { namespace }} replace>
          {words.clearSearch}
        </ButtonLink>
      </EmptyState>
    );
  }
  const title = namespace !== undefined ? words.nothingIn(namespace) : username ? words.noneYet : words.noPublic;
  if (username === undefined) {
    return (
      <EmptyState title={title}>
        <p>{words.noPublicWhat}</p>
      </EmptyState>
    );
  }
  return (
    <EmptyState title={title}>
      <p>{words.firstPushWhat}</p>
      <div className="w-full min-w-0 text-left text-ink">
        <PushCommands repository={`${namespace ?? username}/my-app`} label={words.firstPushCommands} />
      </div>
    </EmptyState>
  );
}
