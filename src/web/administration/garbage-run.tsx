import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { GarbageItemInfo, GarbageRunDetails } from '../../api/administration.ts';
import { DigestText } from '../kit/copy.tsx';
import { SelectField, TextField } from '../kit/field.tsx';
import { Bytes, formatBytes, Moment } from '../kit/figures.tsx';
import { Card, Notice, Section } from '../kit/page.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { type Column, Facts, Table } from '../kit/table.tsx';
import { useLanguage, useWords } from '../kit/words.tsx';
import { repositoryLink } from '../places.ts';
import { server } from '../server.ts';
import { Administration } from './administration.tsx';
import { FOLLOW_MS, RunState } from './garbage.tsx';
import { garbageWords } from './garbage-words.ts';

const route = getRouteApi('/admin/garbage/$run');
const KINDS = ['tag', 'upload', 'manifest', 'link', 'blob', 'orphan'] as const;
/** What a dry run lists at most. */
const MOST_ITEMS = 1_000;

export function GarbageRunPage() {
  const words = useWords(garbageWords);
  const { run } = route.useParams();
  return (
    <Administration current="garbage" title={words.runTitle} description={words.what}>
      {() => <Run id={run} />}
    </Administration>
  );
}

function Run({ id }: { id: string }) {
  const run = useQuery({
    queryKey: ['garbage', id],
    queryFn: () => server.administration.garbageRun(id),
    refetchInterval: ({ state }) => (state.data === undefined || state.data.state === 'running' ? FOLLOW_MS : false),
  });
  return (
    <Loaded query={run} rows={6}>
      {(known) => (
        <>
          <Outcome run={known} />
          {known.state === 'done' && <Items run={known} />}
        </>
      )}
    </Loaded>
  );
}

function Outcome({ run }: { run: GarbageRunDetails }) {
  const words = useWords(garbageWords);
  const { language } = useLanguage();
  const { result } = run;
  const number = (count: number) => count.toLocaleString(language);
  return (
    <div className="mb-8 grid gap-4">
      <p>
        <Link to="/admin/garbage" className="text-accent underline">
          {words.runs}
        </Link>
      </p>
      <div role="status">{run.state === 'running' && <Notice>{words.running}</Notice>}</div>
      {run.state === 'failed' && (
        <Notice tone="bad" title={words.failed}>
          {run.error !== null && <p className="break-words">{run.error}</p>}
          <p>{words.failedWhat}</p>
        </Notice>
      )}
      <Card>
        <Facts
          facts={[
            [words.kind, run.dryRun ? words.kinds.dry : words.kinds.real],
            [words.state, <RunState key="state" run={run} />],
            [words.by, run.startedBy === 'schedule' ? words.schedule : run.startedBy],
            [words.started, <Moment key="started" at={run.startedAt} />],
            ...(run.finishedAt === null ? [] : [[words.took, words.seconds(secondsOf(run))] as const]),
            ...(result === null
              ? []
              : ([
                  [words.tags, number(result.tags)],
                  [words.uploads, number(result.uploads)],
                  [words.manifests, number(result.manifests)],
                  [words.links, number(result.links)],
                  [words.blobs, number(result.blobs)],
                  [words.bytes, formatBytes(result.bytes)],
                ] as const)),
          ]}
        />
      </Card>
    </div>
  );
}

function secondsOf({ startedAt, finishedAt }: GarbageRunDetails): number {
  return Math.max(0, Math.round((Date.parse(finishedAt ?? startedAt) - Date.parse(startedAt)) / 1_000));
}

function Items({ run }: { run: GarbageRunDetails }) {
  const words = useWords(garbageWords);
  const [typed, setTyped] = useState('');
  const [kind, setKind] = useState<'all' | GarbageItemInfo['kind']>('all');
  const { items, dryRun, result } = run;
  const title = dryRun ? words.wouldGo : words.went;
  if (!dryRun) {
    const any = result !== null && result.tags + result.uploads + result.manifests + result.links + result.blobs > 0;
    return <p className="text-muted">{any ? words.notListed : words.nothingWent}</p>;
  }
  if (items.length === 0) {
    return (
      <Section title={title}>
        <EmptyState title={words.nothing}>{words.nothingWhat}</EmptyState>
      </Section>
    );
  }
  const wanted = typed.trim().toLowerCase();
  const found = items.filter(
    (item) =>
      (kind === 'all' || item.kind === kind) &&
      `${item.repository ?? ''} ${item.digest ?? ''} ${item.why}`.toLowerCase().includes(wanted),
  );
  return (
    <Section title={title}>
      <div className="mb-4 grid gap-3 sm:grid-cols-[1fr_16rem]">
        <TextField
          label={words.filter}
          type="search"
          value={typed}
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => setTyped(event.target.value)}
        />
        <SelectField
          label={words.filterKind}
          value={kind}
          onValue={setKind}
          choices={[
            { value: 'all', label: words.all },
            ...KINDS.filter((known) => items.some((item) => item.kind === known)).map((value) => ({
              value,
              label: words.groups[value],
            })),
          ]}
        />
      </div>
      {items.length >= MOST_ITEMS && <p className="mb-4 text-sm text-muted">{words.cut}</p>}
      {found.length === 0 && <EmptyState title={words.noMatch}>{words.noMatchWhat}</EmptyState>}
      {KINDS.map((group) => (
        <Group key={group} kind={group} items={found.filter((item) => item.kind === group)} />
      ))}
    </Section>
  );
}

function Group({ kind, items }: { kind: GarbageItemInfo['kind']; items: readonly GarbageItemInfo[] }) {
  const words = useWords(garbageWords);
  if (items.length === 0) return null;
  const bytes = items.reduce((sum, { size }) => sum + (size ?? 0), 0);
  const rows = items.map((item, number) => ({ ...item, number }));
  const columns: Column<(typeof rows)[number]>[] = [
    ...(items.some(({ repository }) => repository !== null)
      ? [
          {
            key: 'repository',
            head: words.repository,
            cell: ({ repository }: GarbageItemInfo) =>
              repository !== null && (
                <Link {...repositoryLink(repository)} className="break-all text-accent underline">
                  {repository}
                </Link>
              ),
          },
        ]
      : []),
    ...(items.some(({ digest }) => digest !== null)
      ? [
          {
            key: 'digest',
            head: words.digest,
            cell: ({ digest }: GarbageItemInfo) => digest !== null && <DigestText digest={digest} />,
          },
        ]
      : []),
    { key: 'why', head: words.why, cell: ({ why }) => <span className="break-words">{why}</span> },
    {
      key: 'size',
      head: words.size,
      end: true,
      cell: ({ size }) => size !== null && <Bytes bytes={size} />,
    },
  ];
  return (
    <Section
      level={3}
      title={words.groups[kind]}
      description={`${words.counts[kind](items.length)}${bytes > 0 ? `, ${formatBytes(bytes)}` : ''}`}
    >
      <Table label={words.groups[kind]} columns={columns} rows={rows} rowKey={({ number }) => String(number)} />
    </Section>
  );
}
