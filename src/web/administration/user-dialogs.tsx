import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { UserInfo } from '../../api/users.ts';
import { DeletionChoice, ready, useFate } from '../deletion/deletion.tsx';
import { ConfirmDialog, Dialog } from '../kit/dialog.tsx';
import { PasswordField, TextField } from '../kit/field.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { Loaded } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { userWords } from './user-words.ts';

export type UserAction = 'edit' | 'password' | 'twoFactor' | 'promote' | 'demote' | 'disable' | 'enable' | 'delete';

interface Props {
  user: UserInfo;
  /** With what is to be said when it was done. */
  onClose: (said?: string) => void;
}

/** What can be done to a user, one window each. */
export function UserDialog({ action, ...props }: Props & { action: UserAction }) {
  switch (action) {
    case 'edit':
      return <Edit {...props} />;
    case 'password':
      return <SetPassword {...props} />;
    case 'delete':
      return <Delete {...props} />;
    default:
      return <Confirm action={action} {...props} />;
  }
}

type Plain = Exclude<UserAction, 'edit' | 'password' | 'delete'>;

function Confirm({ user: { username }, action, onClose }: Props & { action: Plain }) {
  const words = useWords(userWords);
  const work: Record<Plain, () => Promise<unknown>> = {
    promote: () => server.users.change(username, { administrator: true }),
    demote: () => server.users.change(username, { administrator: false }),
    disable: () => server.users.disable(username),
    enable: () => server.users.enable(username),
    twoFactor: () => server.users.resetTwoFactor(username),
  };
  const texts: Record<Plain, { title: string; what: string; action: string; danger: boolean }> = {
    promote: {
      title: words.promoteTitle(username),
      what: words.promoteWhat,
      action: words.makeAdministrator,
      danger: false,
    },
    demote: { title: words.demoteTitle(username), what: words.demoteWhat, action: words.demote, danger: true },
    disable: { title: words.disableTitle(username), what: words.disableWhat, action: words.disable, danger: true },
    enable: { title: words.enableTitle(username), what: words.enableWhat, action: words.enable, danger: false },
    twoFactor: {
      title: words.resetTitle(username),
      what: words.resetWhat,
      action: words.resetTwoFactor,
      danger: true,
    },
  };
  const run = useAction(
    () => work[action](),
    async () => {
      await queries.invalidateQueries({ queryKey: ['users'] });
      onClose(words.done[action](username));
    },
  );
  const text = texts[action];
  return (
    <ConfirmDialog
      open
      onClose={() => onClose()}
      title={text.title}
      action={text.action}
      danger={text.danger}
      busy={run.busy}
      problem={run.problem}
      onConfirm={() => run.run(undefined)}
    >
      <p>{text.what}</p>
    </ConfirmDialog>
  );
}

function Edit({ user, onClose }: Props) {
  const words = useWords(userWords);
  const [name, setName] = useState(user.name);
  const [email, setEmail] = useState(user.email ?? '');
  const save = useAction(
    () => server.users.change(user.username, { name: name.trim(), email: email.trim() === '' ? null : email.trim() }),
    async () => {
      await queries.invalidateQueries({ queryKey: ['users'] });
      onClose(words.done.edit(user.username));
    },
  );
  return (
    <Dialog open onClose={() => onClose()} title={words.editTitle(user.username)}>
      <Form action={words.save} busy={save.busy} problem={save.problem} onSend={() => save.run(undefined)}>
        <TextField
          label={words.name}
          problem={fieldProblem(save.problem, 'name')}
          required
          maxLength={100}
          autoComplete="off"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <TextField
          label={words.email}
          problem={fieldProblem(save.problem, 'email')}
          type="email"
          autoComplete="off"
          value={email}
          onChange={(event) => setEmail(event.target.value)}
        />
      </Form>
    </Dialog>
  );
}

function SetPassword({ user: { username }, onClose }: Props) {
  const words = useWords(userWords);
  const [password, setPassword] = useState('');
  const set = useAction(
    () => server.users.setPassword(username, password),
    () => onClose(words.done.password(username)),
  );
  return (
    <Dialog open onClose={() => onClose()} title={words.passwordTitle(username)} description={words.passwordWhat}>
      <Form action={words.set} busy={set.busy} problem={set.problem} onSend={() => set.run(undefined)}>
        <PasswordField
          label={words.newPassword}
          hint={words.passwordHint}
          problem={fieldProblem(set.problem, 'password')}
          required
          minLength={8}
          maxLength={256}
          autoComplete="new-password"
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
      </Form>
    </Dialog>
  );
}

function Delete({ user: { username }, onClose }: Props) {
  const words = useWords(userWords);
  const fate = useFate();
  const deletion = useQuery({
    queryKey: ['users', username, 'deletion'],
    queryFn: () => server.users.deletion(username),
    staleTime: 0,
  });
  const remove = useAction(
    () => server.users.delete(username, deletion.data?.repositories.length === 0 ? undefined : fate.chosen),
    async () => {
      onClose(words.done.delete(username));
      queries.removeQueries({ queryKey: ['users', username] });
      await queries.invalidateQueries({ queryKey: ['users'] });
    },
  );
  return (
    <ConfirmDialog
      open
      onClose={() => onClose()}
      title={words.deleteTitle(username)}
      action={words.delete}
      confirm={username}
      disabled={!ready(deletion.data, fate.chosen)}
      busy={remove.busy}
      problem={remove.problem}
      onConfirm={() => remove.run(undefined)}
    >
      <p>{words.deleteWhat}</p>
      <Loaded query={deletion} rows={2}>
        {(known) => <DeletionChoice deletion={known} mayRemove {...fate} />}
      </Loaded>
    </ConfirmDialog>
  );
}
