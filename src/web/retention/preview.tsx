import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { RetentionPolicyInfo, RetentionTag } from '../../api/retention.ts';
import { Badge } from '../kit/badge.tsx';
import { SelectField } from '../kit/field.tsx';
import { Ago } from '../kit/figures.tsx';
import { FormProblem } from '../kit/form.tsx';
import { ShowMore } from '../kit/listed.tsx';
import { Section } from '../kit/page.tsx';
import { Skeleton } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { retentionWords } from './retention-words.ts';

/** After the last key press. */
const SETTLED_MS = 400;
const SHOWS = ['all', 'remove', 'keep'] as const;

/** What a policy that is typed would do, before it is saved. */
export function Preview({ repository, policy }: { repository: string; policy: RetentionPolicyInfo }) {
  const words = useWords(retentionWords);
  const [show, setShow] = useState<(typeof SHOWS)[number]>('all');
  const typed = JSON.stringify(policy);
  const [settled, setSettled] = useState(typed);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(typed), SETTLED_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  const pages = useInfiniteQuery({
    queryKey: ['retention', repository, 'preview', settled, show],
    queryFn: ({ pageParam }) =>
      server.retention.preview(repository, JSON.parse(settled) as RetentionPolicyInfo, {
        n: '100',
        decision: show === 'all' ? undefined : show,
        last: pageParam ?? undefined,
      }),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    placeholderData: keepPreviousData,
  });
  const columns: Column<RetentionTag>[] = [
    { key: 'tag', head: words.tag, cell: ({ tag }) => <span className="font-medium break-all">{tag}</span> },
    { key: 'set', head: words.set, cell: ({ pushedAt }) => <Ago at={pushedAt} /> },
    { key: 'pulled', head: words.pulled, cell: ({ pulledAt }) => <Ago at={pulledAt} /> },
    {
      key: 'decision',
      head: words.decision,
      cell: ({ decision }) => <Badge tone={decision === 'remove' ? 'bad' : 'good'}>{words.decisions[decision]}</Badge>,
    },
    { key: 'why', head: words.why, cell: ({ why }) => <span className="text-sm break-words">{why}</span> },
  ];
  const rows = pages.data?.pages.flatMap(({ tags }) => tags);
  const counts = pages.data?.pages[0]?.counts;
  return (
    <Section level={3} title={words.preview} description={words.previewWhat}>
      <FormProblem problem={pages.error} />
      {rows === undefined && pages.error === null && <Skeleton rows={3} />}
      {rows !== undefined && counts !== undefined && (
        <div aria-busy={pages.isPlaceholderData || settled !== typed}>
          <p role="status" className="mb-2">
            {words.counts(counts.removed, counts.tags, counts.immutable, counts.inUse)}
          </p>
          <div className="mb-3 max-w-60">
            <SelectField
              hideLabel
              label={words.show}
              value={show}
              onValue={setShow}
              choices={SHOWS.map((value) => ({ value, label: words.shows[value] }))}
            />
          </div>
          {rows.length === 0 ? (
            <p className="text-muted">{words.noTags}</p>
          ) : (
            <Table label={words.preview} columns={columns} rows={rows} rowKey={({ tag }) => tag} />
          )}
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
