import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { GrantInfo } from '../../api/grants.ts';
import type { GrantSubject } from '../../client/grants.ts';
import { Badge } from '../kit/badge.tsx';
import { Button } from '../kit/button.tsx';
import { ConfirmDialog } from '../kit/dialog.tsx';
import { SelectField, TextField } from '../kit/field.tsx';
import { Ago } from '../kit/figures.tsx';
import { Form, FormProblem, fieldProblem, useAction } from '../kit/form.tsx';
import { Card, Section } from '../kit/page.tsx';
import { Loaded } from '../kit/states.tsx';
import { Table } from '../kit/table.tsx';
import { take } from '../kit/take.ts';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { Saved } from './saved.tsx';
import { settingsWords } from './settings-words.ts';

const MOST = 500;
const ROLES = ['read', 'write', 'admin'] as const;
type Kind = 'user' | 'team';

function grantsKey(repository: string) {
  return ['repository', repository, 'grants'] as const;
}

/** Who was given a role in the repository alone. */
export function RepositoryAccess({ repository }: { repository: string }) {
  const words = useWords(settingsWords);
  const slash = repository.indexOf('/');
  const namespace = slash < 0 ? undefined : repository.slice(0, slash);
  const grants = useQuery({
    queryKey: grantsKey(repository),
    queryFn: () => take(server.grants.list({ repository }), MOST),
  });
  return (
    <Section title={words.access} description={words.accessWhat}>
      <div className="grid gap-4">
        {namespace !== undefined && (
          <p>
            <Link to="/o/$namespace" params={{ namespace }} className="inline-block py-1 text-accent underline">
              {words.accessNamespace(namespace)}
            </Link>
          </p>
        )}
        <Loaded query={grants} rows={2}>
          {(list) =>
            list.length === 0 ? (
              <p className="text-muted">{words.nobody}</p>
            ) : (
              <>
                <Grants repository={repository} grants={list} />
                {list.length >= MOST && <p className="text-muted">{words.manyGrants(MOST)}</p>}
              </>
            )
          }
        </Loaded>
        <Card>
          <GiveRole repository={repository} />
        </Card>
      </div>
    </Section>
  );
}

function nameOf(grant: GrantInfo): string {
  return grant.user ?? grant.team ?? '';
}

function subjectOf(grant: GrantInfo): GrantSubject {
  return grant.user === null ? { team: grant.team ?? '' } : { user: grant.user };
}

function Grants({ repository, grants }: { repository: string; grants: readonly GrantInfo[] }) {
  const words = useWords(settingsWords);
  const [removed, setRemoved] = useState<GrantInfo>();
  const changed = () => queries.invalidateQueries({ queryKey: grantsKey(repository) });
  const change = useAction(
    ({ grant, role }: { grant: GrantInfo; role: GrantInfo['role'] }) =>
      server.grants.set({ repository }, subjectOf(grant), role),
    changed,
  );
  const remove = useAction(
    (grant: GrantInfo) => server.grants.remove({ repository }, subjectOf(grant)),
    async () => {
      await changed();
      setRemoved(undefined);
    },
  );
  return (
    <>
      <Table
        label={words.access}
        rows={grants}
        rowKey={(grant) => `${grant.user === null ? 'team' : 'user'}:${nameOf(grant)}`}
        columns={[
          {
            key: 'who',
            head: words.who,
            cell: (grant) => (
              <span className="flex flex-wrap items-center gap-2">
                <span className="font-medium break-all">{nameOf(grant)}</span>
                {grant.user === null && <Badge>{words.kinds.team}</Badge>}
              </span>
            ),
          },
          {
            key: 'role',
            head: words.role,
            cell: (grant) => (
              <SelectField
                hideLabel
                label={`${words.role}: ${nameOf(grant)}`}
                value={grant.role}
                disabled={change.busy}
                choices={ROLES.map((value) => ({ value, label: words.roles[value] }))}
                onValue={(role) => change.run({ grant, role })}
              />
            ),
          },
          { key: 'since', head: words.since, cell: (grant) => <Ago at={grant.createdAt} /> },
          {
            key: 'actions',
            head: words.actions,
            hideHead: true,
            end: true,
            cell: (grant) => (
              <Button
                small
                onClick={() => {
                  remove.reset();
                  setRemoved(grant);
                }}
              >
                {words.remove}
                <span className="sr-only"> {nameOf(grant)}</span>
              </Button>
            ),
          },
        ]}
      />
      <FormProblem problem={change.problem} />
      {removed !== undefined && (
        <ConfirmDialog
          open
          onClose={() => setRemoved(undefined)}
          title={words.removeTitle(nameOf(removed))}
          action={words.remove}
          busy={remove.busy}
          problem={remove.problem}
          onConfirm={() => remove.run(removed)}
        >
          <p>{words.removeWhat}</p>
        </ConfirmDialog>
      )}
    </>
  );
}

function GiveRole({ repository }: { repository: string }) {
  const words = useWords(settingsWords);
  const [kind, setKind] = useState<Kind>('user');
  const [name, setName] = useState('');
  const [role, setRole] = useState<GrantInfo['role']>('read');
  const give = useAction(
    () => server.grants.set({ repository }, kind === 'user' ? { user: name.trim() } : { team: name.trim() }, role),
    async () => {
      await queries.invalidateQueries({ queryKey: grantsKey(repository) });
      setName('');
    },
  );
  const problem = fieldProblem(give.problem, kind);
  return (
    <Form
      action={words.give}
      busy={give.busy}
      disabled={name.trim() === ''}
      problem={problem === undefined ? give.problem : null}
      onSend={() => give.run(undefined)}
      extra={<Saved shown={give.result !== undefined} text={words.given(nameOfResult(give.result))} />}
    >
      <div className="grid gap-4 sm:grid-cols-[8rem_1fr_1fr]">
        <SelectField
          label={words.whoKind}
          value={kind}
          onValue={setKind}
          choices={(['user', 'team'] as const).map((value) => ({ value, label: words.kinds[value] }))}
        />
        <TextField
          label={words[kind]}
          problem={problem}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <SelectField
          label={words.role}
          value={role}
          onValue={setRole}
          choices={ROLES.map((value) => ({ value, label: words.roles[value] }))}
        />
      </div>
    </Form>
  );
}

function nameOfResult(grant: GrantInfo | undefined): string {
  return grant === undefined ? '' : nameOf(grant);
}
