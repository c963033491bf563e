import { Link, useNavigate } from '@tanstack/react-router';
import { Trash2 } from 'lucide-react';
import { useState } from 'react';
import type { GarbageRunInfo } from '../../api/administration.ts';
import { Badge } from '../kit/badge.tsx';
import { Button } from '../kit/button.tsx';
import { ConfirmDialog } from '../kit/dialog.tsx';
import { Ago, formatBytes } from '../kit/figures.tsx';
import { FormProblem, useAction } from '../kit/form.tsx';
import { ShowMore, useListed } from '../kit/listed.tsx';
import { Section } from '../kit/page.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { Administration } from './administration.tsx';
import { garbageWords } from './garbage-words.ts';

/** A run that is under way is asked for so often. */
export const FOLLOW_MS = 1_000;

export function GarbagePage() {
  const words = useWords(garbageWords);
  const navigate = useNavigate();
  const [asked, setAsked] = useState(false);
  const begin = useAction(
    (dryRun: boolean) => server.administration.collectGarbage(dryRun),
    async (run) => {
      await queries.invalidateQueries({ queryKey: ['garbage'] });
      await navigate({ to: '/admin/garbage/$run', params: { run: run.id } });
    },
  );
  return (
    <Administration
      current="garbage"
      title={words.title}
      description={words.what}
      actions={
        <>
          <Button kind="primary" busy={begin.busy} onClick={() => begin.run(true)}>
            {words.dryRun}
          </Button>
          <Button disabled={begin.busy} onClick={() => setAsked(true)}>
            {words.collect}
          </Button>
        </>
      }
    >
      {() => (
        <>
          {!asked && <FormProblem problem={begin.problem} />}
          <Runs />
          <ConfirmDialog
            open={asked}
            onClose={() => setAsked(false)}
            title={words.collectTitle}
            action={words.collect}
            busy={begin.busy}
            problem={begin.problem}
            onConfirm={() => begin.run(false)}
          >
            <p>{words.what}</p>
            <p>{words.collectWhat}</p>
          </ConfirmDialog>
        </>
      )}
    </Administration>
  );
}

function Runs() {
  const words = useWords(garbageWords);
  const listed = useListed(['garbage', 'runs'], (limit) => server.administration.garbageRuns(limit), {
    step: 20,
    again: (runs) => (runs.some(({ state }) => state === 'running') ? FOLLOW_MS : undefined),
  });
  const columns: Column<GarbageRunInfo>[] = [
    {
      key: 'started',
      head: words.started,
      cell: ({ id, startedAt }) => (
        <Link to="/admin/garbage/$run" params={{ run: id }} className="text-accent underline">
          <Ago at={startedAt} />
        </Link>
      ),
    },
    { key: 'kind', head: words.kind, cell: ({ dryRun }) => (dryRun ? words.kinds.dry : words.kinds.real) },
    { key: 'by', head: words.by, cell: (run) => (run.startedBy === 'schedule' ? words.schedule : run.startedBy) },
    { key: 'state', head: words.state, cell: (run) => <RunState run={run} /> },
    { key: 'result', head: words.result, cell: (run) => <RunResult run={run} /> },
  ];
  return (
    <Section title={words.runs}>
      <Loaded query={listed.query}>
        {({ entries, more }) =>
          entries.length === 0 ? (
            <EmptyState title={words.none} icon={<Trash2 className="size-7 text-muted" aria-hidden="true" />}>
              {words.noneWhat}
            </EmptyState>
          ) : (
            <>
              <Table label={words.runs} columns={columns} rows={entries} rowKey={({ id }) => id} />
              <ShowMore more={more} busy={listed.busy} onMore={listed.showMore} />
            </>
          )
        }
      </Loaded>
    </Section>
  );
}

export function RunState({ run: { state } }: { run: GarbageRunInfo }) {
  const words = useWords(garbageWords);
  const tones = { running: 'accent', done: 'good', failed: 'bad' } as const;
  return <Badge tone={tones[state]}>{words.states[state]}</Badge>;
}

function RunResult({ run: { dryRun, result, error } }: { run: GarbageRunInfo }) {
  const words = useWords(garbageWords);
  if (result === null) return error === null ? null : <span className="break-words">{error}</span>;
  const said = dryRun ? words.wouldFree : words.freed;
  return said(formatBytes(result.bytes), result.blobs);
}
