import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import type { MemberInfo } from '../../api/organizations.ts';
import { Button } from '../kit/button.tsx';
import { ConfirmDialog, Dialog } from '../kit/dialog.tsx';
import { SelectField, TextField } from '../kit/field.tsx';
import { Ago } from '../kit/figures.tsx';
import { Form, FormProblem, fieldProblem, useAction } from '../kit/form.tsx';
import { ShowMore, useListed } from '../kit/listed.tsx';
import { Section } from '../kit/page.tsx';
import { Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { organizationWords } from './words.ts';

type Role = MemberInfo['role'];
const ROLES = ['member', 'owner'] as const;

export function Members({ organization, mayChange, self }: { organization: string; mayChange: boolean; self: string }) {
  const words = useWords(organizationWords);
  const navigate = useNavigate();
  const [adding, setAdding] = useState(false);
  const [leaving, setLeaving] = useState<string>();
  const listed = useListed(['members', organization], () => server.organizations.members(organization));
  const changed = () => queries.invalidateQueries({ queryKey: ['members', organization] });
  const set = useAction(
    ({ username, role }: { username: string; role: Role }) =>
      server.organizations.setMember(organization, username, role),
    async (_, { username }) => {
      await changed();
      if (username === self) await queries.invalidateQueries({ queryKey: ['organizations'] });
    },
  );
  const remove = useAction(
    (username: string) => server.organizations.removeMember(organization, username),
    async (_, username) => {
      setLeaving(undefined);
      if (username !== self) return changed();
      await navigate({ to: '/organizations' });
      queries.removeQueries({ queryKey: ['organizations', 'one', organization] });
      return queries.invalidateQueries({ queryKey: ['organizations'] });
    },
  );
  const columns: Column<MemberInfo>[] = [
    {
      key: 'user',
      head: words.user,
      cell: ({ username, name }) => (
        <>
          <span className="font-medium break-all">{username}</span>
          {name !== username && <span className="block text-sm break-words text-muted">{name}</span>}
        </>
      ),
    },
    {
      key: 'role',
      head: words.memberRole,
      cell: ({ username, role }) =>
        mayChange ? (
          <SelectField
            label={words.roleOf(username)}
            hideLabel
            value={role}
            disabled={set.busy}
            onValue={(next) => set.run({ username, role: next })}
            choices={ROLES.map((value) => ({ value, label: words.roles[value] }))}
          />
        ) : (
          words.roles[role]
        ),
    },
    { key: 'since', head: words.since, cell: ({ createdAt }) => <Ago at={createdAt} /> },
    {
      key: 'remove',
      head: words.actions,
      hideHead: true,
      end: true,
      cell: ({ username }) => {
        if (!mayChange && username !== self) return null;
        const label = username === self ? words.leave : words.remove;
        return (
          <Button
            small
            aria-label={username === self ? words.leaveTitle(organization) : words.removeOf(username)}
            onClick={() => {
              remove.reset();
              setLeaving(username);
            }}
          >
            {label}
          </Button>
        );
      },
    },
  ];
  return (
    <Section
      title={words.parts.members}
      actions={
        mayChange && (
          <Button kind="primary" onClick={() => setAdding(true)}>
            {words.memberAdd}
          </Button>
        )
      }
    >
      <FormProblem problem={set.problem} />
      <Loaded query={listed.query}>
        {({ entries, more }) => (
          <>
            <Table label={words.parts.members} columns={columns} rows={entries} rowKey={({ username }) => username} />
            <ShowMore more={more} busy={listed.busy} onMore={listed.showMore} />
          </>
        )}
      </Loaded>
      {adding && <AddMember organization={organization} onClose={() => setAdding(false)} />}
      {leaving !== undefined && (
        <ConfirmDialog
          open
          onClose={() => setLeaving(undefined)}
          title={leaving === self ? words.leaveTitle(organization) : words.removeTitle(leaving, organization)}
          action={leaving === self ? words.leave : words.remove}
          busy={remove.busy}
          problem={remove.problem}
          onConfirm={() => remove.run(leaving)}
        >
          <p>{leaving === self ? words.leaveWhat : words.removeWhat}</p>
        </ConfirmDialog>
      )}
    </Section>
  );
}

function AddMember({ organization, onClose }: { organization: string; onClose: () => void }) {
  const words = useWords(organizationWords);
  const [username, setUsername] = useState('');
  const [role, setRole] = useState<Role>('member');
  const add = useAction(
    () => server.organizations.setMember(organization, username.trim(), role),
    async () => {
      await queries.invalidateQueries({ queryKey: ['members', organization] });
      onClose();
    },
  );
  return (
    <Dialog open onClose={onClose} title={words.memberAdd} description={words.memberAddWhat}>
      <Form
        action={words.addIt}
        busy={add.busy}
        problem={add.problem}
        disabled={username.trim() === ''}
        onSend={() => add.run(undefined)}
      >
        <TextField
          label={words.username}
          problem={fieldProblem(add.problem, 'username')}
          required
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={username}
          onChange={(event) => setUsername(event.target.value)}
        />
        <SelectField
          label={words.memberRole}
          value={role}
          onValue={setRole}
          choices={ROLES.map((value) => ({ value, label: words.memberRoles[value] }))}
        />
      </Form>
    </Dialog>
  );
}
