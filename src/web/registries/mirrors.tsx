import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { MirrorInfo } from '../../api/mirrors.ts';
import { Badge, type Tone } from '../kit/badge.tsx';
import { Button } from '../kit/button.tsx';
import { Ago, formatBytes } from '../kit/figures.tsx';
import { FormProblem, useAction } from '../kit/form.tsx';
import { Section } from '../kit/page.tsx';
import { Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { repositoryLink } from '../places.ts';
import { server } from '../server.ts';
import { MirrorDialog } from './mirror-dialog.tsx';
import { shownPeriod } from './period.ts';
import { registriesChanged, useUpstreams } from './queries.ts';
import { registriesWords } from './registries-words.ts';
import { RemoveDialog } from './remove-dialog.tsx';
import { RowMenu } from './row-menu.tsx';

/** A run is under way, or asked for: its mirror is asked for so often, … */
const FOLLOW_MS = 1_000;
/** … else so often. */
const QUIET_MS = 10_000;

type Open = { kind: 'add' } | { kind: 'change' | 'remove'; mirror: MirrorInfo };

type State = keyof typeof registriesWords.en.states;

const TONES: Record<State, Tone> = {
  running: 'accent',
  waiting: 'accent',
  done: 'good',
  failed: 'bad',
  never: 'neutral',
};

function stateOf({ running, requested, served, lastRun }: MirrorInfo): State {
  if (running) return 'running';
  if (served < requested) return 'waiting';
  return lastRun?.outcome ?? 'never';
}

const busy = (mirror: MirrorInfo) => mirror.running || mirror.served < mirror.requested;

/** Repositories that follow one elsewhere: how their last run went, and when the next one is. */
export function Mirrors() {
  const words = useWords(registriesWords);
  const [open, setOpen] = useState<Open>();
  const close = () => setOpen(undefined);
  const found = useQuery({
    queryKey: ['registries', 'mirrors'],
    queryFn: () => server.mirrors.list(),
    refetchInterval: ({ state }) => (state.data?.some(busy) ? FOLLOW_MS : QUIET_MS),
  });
  const upstreams = useUpstreams().data ?? [];
  return (
    <Section
      title={words.mirrors}
      description={words.mirrorsWhat}
      actions={upstreams.length > 0 && <Button onClick={() => setOpen({ kind: 'add' })}>{words.addMirror}</Button>}
    >
      <Loaded query={found} rows={1}>
        {(mirrors) =>
          mirrors.length === 0 ? (
            <p className="text-muted">{words.noMirrors}</p>
          ) : (
            <MirrorTable mirrors={mirrors} onOpen={setOpen} />
          )
        }
      </Loaded>
      {open?.kind === 'add' && <MirrorDialog upstreams={upstreams} onClose={close} />}
      {open?.kind === 'change' && <MirrorDialog upstreams={upstreams} mirror={open.mirror} onClose={close} />}
      {open?.kind === 'remove' && (
        <RemoveDialog
          title={words.endMirrorOf(open.mirror.repository)}
          what={words.endMirrorWhat}
          action={words.endMirror}
          remove={() => server.mirrors.delete(open.mirror.repository)}
          onClose={close}
        />
      )}
    </Section>
  );
}

function MirrorTable({ mirrors, onOpen }: { mirrors: readonly MirrorInfo[]; onOpen: (open: Open) => void }) {
  const words = useWords(registriesWords);
  const columns: Column<MirrorInfo>[] = [
    {
      key: 'repository',
      head: words.repository,
      cell: ({ repository }) => (
        <Link {...repositoryLink(repository)} className="font-medium break-all text-accent underline">
          {repository}
        </Link>
      ),
    },
    {
      key: 'from',
      head: words.from,
      cell: ({ upstream, from, tags }) => (
        <>
          <span className="break-all">
            {upstream}: {from}
          </span>
          {tags.length > 0 && <code className="block font-mono text-sm break-all text-muted">{tags.join(' ')}</code>}
        </>
      ),
    },
    { key: 'last', head: words.last, cell: (mirror) => <LastRun mirror={mirror} /> },
    {
      key: 'next',
      head: words.next,
      cell: ({ nextAt, everySeconds }) => (
        <>
          <Ago at={nextAt} />
          <span className="block text-sm text-muted">{words.every(words.period(shownPeriod(everySeconds)))}</span>
        </>
      ),
    },
    {
      key: 'actions',
      head: words.actions,
      hideHead: true,
      end: true,
      cell: (mirror) => (
        <span className="inline-flex items-center gap-1">
          <RunNow mirror={mirror} />
          <RowMenu
            name={mirror.repository}
            removal={words.endMirror}
            onChange={() => onOpen({ kind: 'change', mirror })}
            onRemove={() => onOpen({ kind: 'remove', mirror })}
          />
        </span>
      ),
    },
  ];
  return <Table label={words.mirrors} columns={columns} rows={mirrors} rowKey={({ repository }) => repository} />;
}

function LastRun({ mirror }: { mirror: MirrorInfo }) {
  const words = useWords(registriesWords);
  const { lastRun, lastSuccessAt, failures } = mirror;
  const state = stateOf(mirror);
  const problems =
    lastRun === null
      ? []
      : [
          ...(lastRun.report.stopped === null ? [] : [lastRun.report.stopped]),
          ...[...lastRun.report.failed, ...lastRun.report.kept].map(({ subject, why }) => `${subject}: ${why}`),
        ];
  return (
    <div className="grid justify-items-start gap-0.5">
      <span className="flex flex-wrap items-center gap-x-2">
        <Badge tone={TONES[state]}>{words.states[state]}</Badge>
        {lastRun !== null && <Ago at={lastRun.finishedAt} />}
      </span>
      {lastRun !== null && (
        <span className="text-sm text-muted">
          {words.copied(lastRun.report.tags, formatBytes(lastRun.report.bytes))}
        </span>
      )}
      {failures > 1 && <span className="text-sm text-bad">{words.failures(failures)}</span>}
      {lastRun?.outcome === 'failed' && (
        <span className="text-sm text-muted">
          {words.succeeded} <Ago at={lastSuccessAt} />
        </span>
      )}
      {problems.length > 0 && (
        <details className="max-w-full">
          <summary className="cursor-pointer text-sm text-accent">{words.problems}</summary>
          <pre className="mt-1 max-w-80 rounded-md bg-sunken p-2 font-mono text-xs break-all whitespace-pre-wrap">
            {problems.join('\n')}
          </pre>
        </details>
      )}
    </div>
  );
}

function RunNow({ mirror }: { mirror: MirrorInfo }) {
  const words = useWords(registriesWords);
  const run = useAction(() => server.mirrors.run(mirror.repository), registriesChanged);
  return (
    <span className="inline-grid gap-1 sm:justify-items-end">
      <Button
        small
        aria-label={words.runOf(mirror.repository)}
        busy={run.busy}
        disabled={busy(mirror)}
        onClick={() => run.run()}
      >
        {words.run}
      </Button>
      <FormProblem problem={run.problem} />
    </span>
  );
}
