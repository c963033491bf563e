import { UsersRound } from 'lucide-react';
import { useState } from 'react';
import type { TeamInfo } from '../../api/organizations.ts';
import { Button } from '../kit/button.tsx';
import { ConfirmDialog, Dialog } from '../kit/dialog.tsx';
import { TextArea, TextField } from '../kit/field.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { ShowMore, useListed } from '../kit/listed.tsx';
import { Section } from '../kit/page.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { TeamMembers } from './team-members.tsx';
import { organizationWords } from './words.ts';

type Open = { view: 'create' } | { view: 'members' | 'edit' | 'delete'; team: TeamInfo };

export function Teams({ organization, mayChange }: { organization: string; mayChange: boolean }) {
  const words = useWords(organizationWords);
  const [open, setOpen] = useState<Open>();
  const close = () => setOpen(undefined);
  const listed = useListed(['teams', organization], () => server.teams.list(organization));
  const columns: Column<TeamInfo>[] = [
    {
      key: 'team',
      head: words.team,
      cell: ({ name, description }) => (
        <>
          <span className="font-medium break-all">{name}</span>
          {description !== '' && <span className="block text-sm break-words text-muted">{description}</span>}
        </>
      ),
    },
    {
      key: 'members',
      head: words.members,
      cell: (team) => (
        <Button
          small
          aria-label={words.membersIn(team.members, team.name)}
          onClick={() => setOpen({ view: 'members', team })}
        >
          {words.memberCount(team.members)}
        </Button>
      ),
    },
    ...(mayChange
      ? [
          {
            key: 'actions',
            head: words.actions,
            hideHead: true,
            end: true,
            cell: (team: TeamInfo) => (
              <span className="inline-flex flex-wrap gap-2">
                <Button small aria-label={words.editOf(team.name)} onClick={() => setOpen({ view: 'edit', team })}>
                  {words.edit}
                </Button>
                <Button small aria-label={words.deleteOf(team.name)} onClick={() => setOpen({ view: 'delete', team })}>
                  {words.delete}
                </Button>
              </span>
            ),
          },
        ]
      : []),
  ];
  return (
    <Section
      title={words.parts.teams}
      description={words.teamWhat}
      actions={
        mayChange && (
          <Button kind="primary" onClick={() => setOpen({ view: 'create' })}>
            {words.teamAdd}
          </Button>
        )
      }
    >
      <Loaded query={listed.query} rows={3}>
        {({ entries, more }) =>
          entries.length === 0 ? (
            <EmptyState title={words.noTeams} icon={<UsersRound className="size-7 text-muted" aria-hidden="true" />}>
              {mayChange ? words.noTeamsWhat : words.noTeamsMember}
            </EmptyState>
          ) : (
            <>
              <Table label={words.parts.teams} columns={columns} rows={entries} rowKey={({ name }) => name} />
              <ShowMore more={more} busy={listed.busy} onMore={listed.showMore} />
            </>
          )
        }
      </Loaded>
      {open?.view === 'create' && <EditTeam organization={organization} onClose={close} />}
      {open?.view === 'edit' && <EditTeam organization={organization} team={open.team} onClose={close} />}
      {open?.view === 'delete' && <DeleteTeam organization={organization} team={open.team.name} onClose={close} />}
      {open?.view === 'members' && (
        <TeamMembers organization={organization} team={open.team.name} mayChange={mayChange} onClose={close} />
      )}
    </Section>
  );
}

/** Makes a team, or changes the one that is given. */
function EditTeam({ organization, team, onClose }: { organization: string; team?: TeamInfo; onClose: () => void }) {
  const words = useWords(organizationWords);
  const [name, setName] = useState(team?.name ?? '');
  const [description, setDescription] = useState(team?.description ?? '');
  const save = useAction(
    () => {
      const wanted = { name: name.trim(), description: description.trim() };
      if (team === undefined) return server.teams.create(organization, wanted);
      return server.teams.change(organization, team.name, wanted);
    },
    async () => {
      await Promise.all([
        queries.invalidateQueries({ queryKey: ['teams', organization] }),
        queries.invalidateQueries({ queryKey: ['grants', organization] }),
      ]);
      onClose();
    },
  );
  return (
    <Dialog
      open
      onClose={onClose}
      title={team === undefined ? words.teamAdd : words.editOf(team.name)}
      description={words.teamWhat}
    >
      <Form
        action={team === undefined ? words.teamCreate : words.teamSave}
        busy={save.busy}
        problem={save.problem}
        onSend={() => save.run(undefined)}
      >
        <TextField
          label={words.teamName}
          hint={words.partHint}
          problem={fieldProblem(save.problem, 'name')}
          required
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <TextArea
          label={words.description}
          problem={fieldProblem(save.problem, 'description')}
          maxLength={1000}
          value={description}
          onChange={(event) => setDescription(event.target.value)}
        />
      </Form>
    </Dialog>
  );
}

function DeleteTeam({ organization, team, onClose }: { organization: string; team: string; onClose: () => void }) {
  const words = useWords(organizationWords);
  const remove = useAction(
    () => server.teams.delete(organization, team),
    async () => {
      await Promise.all([
        queries.invalidateQueries({ queryKey: ['teams', organization] }),
        queries.invalidateQueries({ queryKey: ['grants', organization] }),
      ]);
      onClose();
    },
  );
  return (
    <ConfirmDialog
      open
      onClose={onClose}
      title={words.deleteOf(team)}
      action={words.delete}
      busy={remove.busy}
      problem={remove.problem}
      onConfirm={() => remove.run(undefined)}
    >
      <p>{words.teamDeleteWhat}</p>
    </ConfirmDialog>
  );
}
