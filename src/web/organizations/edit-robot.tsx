import { useState } from 'react';
import type { RobotInfo } from '../../api/robots.ts';
import { Dialog } from '../kit/dialog.tsx';
import { SelectField, TextArea, TextField } from '../kit/field.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { robotWords } from './robot-words.ts';
import { organizationWords } from './words.ts';

const ROLES = ['read', 'write', 'admin'] as const;

/** Makes a robot, or changes the one that is given. */
export function EditRobot({
  namespace,
  robot,
  onClose,
  onMade,
}: {
  namespace: string;
  robot?: RobotInfo;
  onClose: () => void;
  onMade: (robot: RobotInfo) => void;
}) {
  const words = useWords(robotWords);
  const shared = useWords(organizationWords);
  const [name, setName] = useState('');
  const [description, setDescription] = useState(robot?.description ?? '');
  const [role, setRole] = useState<RobotInfo['role']>(robot?.role ?? 'write');
  const [repository, setRepository] = useState('');
  const save = useAction(
    () => {
      const wanted = { description: description.trim(), role };
      if (robot !== undefined) return server.robots.change(namespace, robot.name, wanted);
      const only = repository.trim() === '' ? {} : { repository: repository.trim() };
      return server.robots.create(namespace, { name: name.trim(), ...wanted, ...only });
    },
    async (made) => {
      await queries.invalidateQueries({ queryKey: ['robots', namespace] });
      onMade(made);
    },
  );
  const problem = (field: string) => fieldProblem(save.problem, field);
  return (
    <Dialog
      open
      onClose={onClose}
      title={robot === undefined ? words.add : words.editTitle(robot.username)}
      description={words.what}
    >
      <Form
        action={robot === undefined ? words.create : words.save}
        busy={save.busy}
        problem={save.problem}
        onSend={() => save.run(undefined)}
      >
        {robot === undefined && (
          <TextField
            label={words.name}
            hint={words.nameHint(namespace)}
            problem={problem('name')}
            required
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        )}
        <SelectField
          label={words.role}
          problem={problem('role')}
          value={role}
          onValue={setRole}
          choices={ROLES.map((value) => ({ value, label: shared.repositoryRoles[value] }))}
        />
        {robot === undefined && (
          <TextField
            label={words.where}
            hint={words.whereHint}
            problem={problem('repository')}
            placeholder={`${namespace}/app`}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            value={repository}
            onChange={(event) => setRepository(event.target.value)}
          />
        )}
        <TextArea
          label={words.description}
          problem={problem('description')}
          maxLength={1000}
          value={description}
          onChange={(event) => setDescription(event.target.value)}
        />
      </Form>
    </Dialog>
  );
}
