import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import type { RepositoryInfo } from '../../api/repositories.ts';
import { Button } from '../kit/button.tsx';
import { SelectField } from '../kit/field.tsx';
import { FormProblem, useAction } from '../kit/form.tsx';
import { EmptyState, ErrorState, Skeleton } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { useLastKnown } from './last-known.ts';
import { PushCommands } from './push-commands.tsx';
import { repositoryKey } from './repository-query.ts';
import { SearchField } from './search-field.tsx';
import {
  FIRST_TAGS,
  MOST_TAGS,
  readMoreTags,
  readTags,
  type TagBeginning,
  type TagQuery,
  tagListKey,
} from './tag-list.ts';
import { TagTable } from './tag-table.tsx';
import { tagWords } from './tag-words.ts';

const ORDERS = {
  newest: { sort: 'updated', order: 'desc' },
  oldest: { sort: 'updated', order: 'asc' },
  ascending: { sort: 'name', order: 'asc' },
  descending: { sort: 'name', order: 'desc' },
} as const;
type Order = keyof typeof ORDERS;

/** A push shows within this time. */
const REFRESH_MS = 3_000;

/** The tags of a repository, filtered and ordered by the server. */
export function Tags({ repository }: { repository: RepositoryInfo }) {
  const words = useWords(tagWords);
  const { name } = repository;
  const [filter, setFilter] = useState('');
  const [order, setOrder] = useState<Order>('newest');
  const query: TagQuery = { q: filter, ...ORDERS[order] };
  const key = tagListKey(name, query);
  const list = useQuery({
    queryKey: key,
    queryFn: () => readTags(server.tags, name, query, queries.getQueryData<TagBeginning>(key)),
    placeholderData: keepPreviousData,
    refetchInterval: REFRESH_MS,
  });
  const more = useAction(
    (shown: TagBeginning) => readMoreTags(server.tags, name, query, shown),
    async (longer) => {
      // A refresh that is under way knows the shorter list alone.
      await queries.cancelQueries({ queryKey: key });
      queries.setQueryData(key, longer);
    },
  );
  const data = useLastKnown(list);
  useRepositoryFollowing(name, list.isPlaceholderData ? undefined : data);
  return (
    <>
      <div className="mb-4 flex flex-wrap gap-3">
        <SearchField
          label={words.filter}
          clear={words.clearFilter}
          value={filter}
          onValue={setFilter}
          busy={list.isPlaceholderData}
        />
        <div className="w-full sm:w-44">
          <SelectField
            hideLabel
            label={words.order}
            value={order}
            onValue={setOrder}
            choices={(Object.keys(ORDERS) as Order[]).map((value) => ({ value, label: words.orders[value] }))}
          />
        </div>
      </div>
      {data === undefined ? (
        list.error !== null ? (
          <ErrorState problem={list.error} onRetry={() => void list.refetch()} />
        ) : (
          <Skeleton rows={8} height="h-14" />
        )
      ) : data.tags.length === 0 ? (
        <NoTags repository={repository} filter={filter} onClear={() => setFilter('')} />
      ) : (
        <>
          <p role="status" className="mb-2 text-sm text-muted">
            {words.shown(data.tags.length, data.next !== null)}
          </p>
          <TagTable repository={repository} tags={data.tags} />
          {data.next !== null && data.tags.length < MOST_TAGS && (
            <div className="mt-3 grid justify-items-start gap-3">
              <FormProblem problem={more.problem} />
              <Button busy={more.busy} disabled={list.isPlaceholderData} onClick={() => more.run(data)}>
                {words.showMore}
              </Button>
            </div>
          )}
          {data.next !== null && data.tags.length >= MOST_TAGS && (
            <p className="mt-3 text-muted">{words.most(MOST_TAGS)}</p>
          )}
        </>
      )}
    </>
  );
}

/** What the page says of the repository changes with its tags. */
function useRepositoryFollowing(name: string, data: TagBeginning | undefined): void {
  const first = data?.tags
    .slice(0, FIRST_TAGS)
    .map(({ name: tag, digest }) => `${tag}@${digest}`)
    .join();
  const seen = useRef<string>(undefined);
  useEffect(() => {
    if (first === undefined) return;
    if (seen.current !== undefined && seen.current !== first)
      void queries.invalidateQueries({ queryKey: repositoryKey(name) });
    seen.current = first;
  }, [first, name]);
}

function NoTags({ repository, filter, onClear }: { repository: RepositoryInfo; filter: string; onClear: () => void }) {
  const words = useWords(tagWords);
  if (filter !== '') {
    return (
      <EmptyState title={words.nothingMatches(filter)}>
        <Button onClick={onClear}>{words.clearFilter}</Button>
      </EmptyState>
    );
  }
  return (
    <EmptyState title={words.noTags}>
      {repository.role !== 'read' && (
        <>
          <p>{words.noTagsWhat}</p>
          <div className="w-full min-w-0 text-left text-ink">
            <PushCommands repository={repository.name} label={words.pushCommands} />
          </div>
        </>
      )}
    </EmptyState>
  );
}
