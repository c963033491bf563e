import { useState } from 'react';
import type { TeamMemberInfo } from '../../client/teams.ts';
import { Button } from '../kit/button.tsx';
import { Dialog } from '../kit/dialog.tsx';
import { TextField } from '../kit/field.tsx';
import { Form, FormProblem, fieldProblem, useAction } from '../kit/form.tsx';
import { ShowMore, useListed } from '../kit/listed.tsx';
import { Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { organizationWords } from './words.ts';

export function TeamMembers({
  organization,
  team,
  mayChange,
  onClose,
}: {
  organization: string;
  team: string;
  mayChange: boolean;
  onClose: () => void;
}) {
  const words = useWords(organizationWords);
  const [username, setUsername] = useState('');
  const listed = useListed(['teams', organization, team, 'members'], () => server.teams.members(organization, team));
  const changed = () => queries.invalidateQueries({ queryKey: ['teams', organization] });
  const add = useAction(
    (name: string) => server.teams.addMember(organization, team, name),
    async () => {
      setUsername('');
      await changed();
    },
  );
  const remove = useAction((name: string) => server.teams.removeMember(organization, team, name), changed);
  const columns: Column<TeamMemberInfo>[] = [
    {
      key: 'user',
      head: words.user,
      cell: ({ username: member, name }) => (
        <>
          <span className="font-medium break-all">{member}</span>
          {name !== member && <span className="block text-sm break-words text-muted">{name}</span>}
        </>
      ),
    },
    ...(mayChange
      ? [
          {
            key: 'remove',
            head: words.actions,
            hideHead: true,
            end: true,
            cell: ({ username: member }: TeamMemberInfo) => (
              <Button
                small
                disabled={remove.busy}
                aria-label={words.removeOf(member)}
                onClick={() => remove.run(member)}
              >
                {words.remove}
              </Button>
            ),
          },
        ]
      : []),
  ];
  return (
    <Dialog open onClose={onClose} title={words.membersOf(team)}>
      <div className="grid gap-4">
        <Loaded query={listed.query} rows={2}>
          {({ entries, more }) =>
            entries.length === 0 ? (
              <p className="text-muted">{words.noTeamMembers}</p>
            ) : (
              <div>
                <Table
                  label={words.membersOf(team)}
                  columns={columns}
                  rows={entries}
                  rowKey={({ username: member }) => member}
                />
                <ShowMore more={more} busy={listed.busy} onMore={listed.showMore} />
              </div>
            )
          }
        </Loaded>
        <FormProblem problem={remove.problem} />
        {mayChange && (
          <Form
            action={words.addIt}
            busy={add.busy}
            problem={add.problem}
            disabled={username.trim() === ''}
            onSend={() => add.run(username.trim())}
          >
            <TextField
              label={words.username}
              hint={words.teamMemberHint}
              problem={fieldProblem(add.problem, 'username')}
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              value={username}
              onChange={(event) => setUsername(event.target.value)}
            />
          </Form>
        )}
      </div>
    </Dialog>
  );
}
