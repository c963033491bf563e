import { KeySquare } from 'lucide-react';
import { useState } from 'react';
import type { GrantInfo } from '../../api/grants.ts';
import type { GrantSubject } from '../../client/grants.ts';
import { Button } from '../kit/button.tsx';
import { ConfirmDialog, Dialog } from '../kit/dialog.tsx';
import { SelectField, TextField } from '../kit/field.tsx';
import { Ago } from '../kit/figures.tsx';
import { Form, FormProblem, fieldProblem, useAction } from '../kit/form.tsx';
import { ShowMore, useListed } from '../kit/listed.tsx';
import { Section } from '../kit/page.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { organizationWords } from './words.ts';

type Role = GrantInfo['role'];
const ROLES = ['read', 'write', 'admin'] as const;

/** Who may do what in all repositories of a user or an organization. */
export function Roles({ namespace, kind }: { namespace: string; kind: 'organization' | 'user' }) {
  const words = useWords(organizationWords);
  const [giving, setGiving] = useState(false);
  const [taking, setTaking] = useState<GrantInfo>();
  const listed = useListed(['grants', namespace], () => server.grants.list({ namespace }));
  const changed = () => queries.invalidateQueries({ queryKey: ['grants', namespace] });
  const set = useAction(
    ({ grant, role }: { grant: GrantInfo; role: Role }) => server.grants.set({ namespace }, subjectOf(grant), role),
    changed,
  );
  const take = useAction(
    (grant: GrantInfo) => server.grants.remove({ namespace }, subjectOf(grant)),
    async () => {
      await changed();
      setTaking(undefined);
    },
  );
  const columns: Column<GrantInfo>[] = [
    {
      key: 'to',
      head: words.grantTo,
      cell: (grant) => (
        <>
          <span className="font-medium break-all">{nameOf(grant)}</span>{' '}
          {grant.team !== null && <span className="text-sm text-muted">({words.team})</span>}
        </>
      ),
    },
    {
      key: 'role',
      head: words.grantRole,
      cell: (grant) => (
        <SelectField
          label={words.roleOf(nameOf(grant))}
          hideLabel
          value={grant.role}
          disabled={set.busy}
          onValue={(role) => set.run({ grant, role })}
          choices={ROLES.map((value) => ({ value, label: words.repositoryRoles[value] }))}
        />
      ),
    },
    { key: 'since', head: words.since, cell: ({ createdAt }) => <Ago at={createdAt} /> },
    {
      key: 'take',
      head: words.actions,
      hideHead: true,
      end: true,
      cell: (grant) => (
        <Button
          small
          aria-label={words.grantTakeOf(nameOf(grant))}
          onClick={() => {
            take.reset();
            setTaking(grant);
          }}
        >
          {words.grantTake}
        </Button>
      ),
    },
  ];
  return (
    <Section
      title={words.parts.roles}
      description={words.rolesWhat}
      actions={
        <Button kind="primary" onClick={() => setGiving(true)}>
          {words.grantAdd}
        </Button>
      }
    >
      <FormProblem problem={set.problem} />
      <Loaded query={listed.query} rows={3}>
        {({ entries, more }) =>
          entries.length === 0 ? (
            <EmptyState title={words.noGrants} icon={<KeySquare className="size-7 text-muted" aria-hidden="true" />}>
              {words.noGrantsWhat[kind]}
            </EmptyState>
          ) : (
            <>
              <Table
                label={words.parts.roles}
                columns={columns}
                rows={entries}
                rowKey={({ user, team }) => `${user ?? ''}/${team ?? ''}`}
              />
              <ShowMore more={more} busy={listed.busy} onMore={listed.showMore} />
            </>
          )
        }
      </Loaded>
      {giving && <GiveRole namespace={namespace} teams={kind === 'organization'} onClose={() => setGiving(false)} />}
      {taking !== undefined && (
        <ConfirmDialog
          open
          onClose={() => setTaking(undefined)}
          title={words.grantTakeOf(nameOf(taking))}
          action={words.grantTake}
          busy={take.busy}
          problem={take.problem}
          onConfirm={() => take.run(taking)}
        >
          <p>{words.grantTakeWhat}</p>
        </ConfirmDialog>
      )}
    </Section>
  );
}

function subjectOf({ user, team }: GrantInfo): GrantSubject {
  return team === null ? { user: user ?? '' } : { team };
}

function nameOf({ user, team }: GrantInfo): string {
  return team ?? user ?? '';
}

function GiveRole({ namespace, teams, onClose }: { namespace: string; teams: boolean; onClose: () => void }) {
  const words = useWords(organizationWords);
  const [kind, setKind] = useState<'user' | 'team'>(teams ? 'team' : 'user');
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('write');
  const give = useAction(
    () => server.grants.set({ namespace }, kind === 'team' ? { team: name.trim() } : { user: name.trim() }, role),
    async () => {
      await queries.invalidateQueries({ queryKey: ['grants', namespace] });
      onClose();
    },
  );
  return (
    <Dialog open onClose={onClose} title={words.grantAdd} description={words.rolesWhat}>
      <Form
        action={words.give}
        busy={give.busy}
        problem={give.problem}
        disabled={name.trim() === ''}
        onSend={() => give.run(undefined)}
      >
        {teams && (
          <SelectField
            label={words.grantTo}
            value={kind}
            onValue={setKind}
            choices={(['team', 'user'] as const).map((value) => ({ value, label: words.grantKinds[value] }))}
          />
        )}
        <TextField
          label={kind === 'team' ? words.team : words.username}
          problem={fieldProblem(give.problem, kind)}
          required
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <SelectField
          label={words.grantRole}
          value={role}
          onValue={setRole}
          choices={ROLES.map((value) => ({ value, label: words.repositoryRoles[value] }))}
        />
      </Form>
    </Dialog>
  );
}
