import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
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
import { queries, server } from '../server.ts';
import { registriesWords } from './registries-words.ts';

/** A run is under way, or asked for: its mirror is asked for so often, … */
const FOLLOW_MS = 1_000;
/** … else so often. */
const QUIET_MS = 10_000;

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
  const found = useQuery({
    queryKey: ['registries', 'mirrors'],
    queryFn: () => server.mirrors.list(),
    refetchInterval: ({ state }) => (state.data?.some(busy) ? FOLLOW_MS : QUIET_MS),
  });
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
          <span className="block text-sm text-muted">{words.every(words.seconds(everySeconds))}</span>
        </>
      ),
    },
    {
      key: 'actions',
      head: words.actions,
      hideHead: true,
      end: true,
      cell: (mirror) => <RunNow mirror={mirror} />,
    },
  ];
  return (
    <Section title={words.mirrors} description={words.mirrorsWhat}>
      <Loaded query={found} rows={1}>
        {(mirrors) =>
          mirrors.length === 0 ? (
            <p className="text-muted">{words.noMirrors}</p>
          ) : (
            <Table label={words.mirrors} columns={columns} rows={mirrors} rowKey={({ repository }) => repository} />
          )
        }
      </Loaded>
    </Section>
  );
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
  const run = useAction(
    () => server.mirrors.run(mirror.repository),
    () => queries.invalidateQueries({ queryKey: ['registries'] }),
  );
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
