import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { OwnSession } from '../../client/sessions.ts';
import { Badge } from '../kit/badge.tsx';
import { Button } from '../kit/button.tsx';
import { ConfirmDialog } from '../kit/dialog.tsx';
import { Ago } from '../kit/figures.tsx';
import { FormProblem, useAction } from '../kit/form.tsx';
import { Loaded } from '../kit/states.tsx';
import { Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { AccountPage, Done } from './account-page.tsx';
import { browserName } from './browser-name.ts';
import { accountWords } from './words.ts';

const SESSIONS_KEY = ['account', 'sessions'] as const;

export function SessionsPage() {
  const words = useWords(accountWords).sessions;
  return (
    <AccountPage part="sessions" description={words.what}>
      {() => <Sessions />}
    </AccountPage>
  );
}

function Sessions() {
  const words = useWords(accountWords).sessions;
  const sessions = useQuery({ queryKey: SESSIONS_KEY, queryFn: () => server.sessions.list() });
  return (
    <Loaded query={sessions} rows={3} height="h-14">
      {(list) => (
        <div className="grid gap-4">
          <SessionTable sessions={list} />
          <EndOthers others={list.filter(({ current }) => !current).length} />
          <p className="text-sm text-muted">
            {words.unknownOne}{' '}
            <Link to="/account/security" className="text-accent underline">
              {words.toSecurity}
            </Link>
          </p>
        </div>
      )}
    </Loaded>
  );
}

function SessionTable({ sessions }: { sessions: readonly OwnSession[] }) {
  const words = useWords(accountWords).sessions;
  const nameOf = useBrowserName();
  const end = useAction(
    (id: string) => server.sessions.end(id),
    () => queries.invalidateQueries({ queryKey: SESSIONS_KEY }),
  );
  const [ending, setEnding] = useState<string>();
  return (
    <>
      <Table
        label={words.list}
        rows={sessions}
        rowKey={({ id }) => id}
        columns={[
          {
            key: 'browser',
            head: words.browser,
            cell: ({ agent, current }) => (
              <span className="flex flex-wrap items-center gap-2" title={agent ?? undefined}>
                {nameOf(agent)}
                {current && <Badge tone="good">{words.here}</Badge>}
              </span>
            ),
          },
          { key: 'address', head: words.address, cell: ({ address }) => <code>{address ?? '–'}</code> },
          { key: 'began', head: words.began, cell: ({ createdAt }) => <Ago at={createdAt} /> },
          {
            key: 'used',
            head: `${words.used} (${words.usedHint})`,
            cell: ({ usedAt, current }) => (current ? words.now : <Ago at={usedAt} />),
          },
          { key: 'ends', head: words.ends, cell: ({ expiresAt }) => <Ago at={expiresAt} /> },
          {
            key: 'end',
            head: words.end,
            hideHead: true,
            end: true,
            cell: ({ id, current, agent }) =>
              !current && (
                <Button
                  small
                  busy={end.busy && ending === id}
                  onClick={() => {
                    setEnding(id);
                    end.run(id);
                  }}
                >
                  {words.end}
                  <span className="sr-only">: {words.endOne(nameOf(agent))}</span>
                </Button>
              ),
          },
        ]}
      />
      <FormProblem problem={end.problem} />
    </>
  );
}

function EndOthers({ others }: { others: number }) {
  const words = useWords(accountWords).sessions;
  const [asked, setAsked] = useState(false);
  const end = useAction(
    () => server.sessions.endOthers(),
    async () => {
      await queries.invalidateQueries({ queryKey: SESSIONS_KEY });
      setAsked(false);
    },
  );
  return (
    <div className="flex flex-wrap items-center gap-3">
      <Button disabled={others === 0} onClick={() => setAsked(true)}>
        {words.endOthers}
      </Button>
      <Done>{end.result !== undefined && words.ended(end.result)}</Done>
      <ConfirmDialog
        open={asked}
        onClose={() => setAsked(false)}
        title={words.endOthersTitle}
        action={words.endOthers}
        busy={end.busy}
        problem={end.problem}
        onConfirm={() => end.run()}
      >
        <p>{words.endOthersWhat(others)}</p>
      </ConfirmDialog>
    </div>
  );
}

function useBrowserName(): (agent: string | null) => string {
  const words = useWords(accountWords).sessions;
  return (agent) => {
    const { browser, system } = browserName(agent ?? '');
    if (browser !== '' && system !== '') return words.on(browser, system);
    return browser || system || agent?.slice(0, 60) || words.unknownBrowser;
  };
}
