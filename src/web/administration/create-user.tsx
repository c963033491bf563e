import { useState } from 'react';
import { Dialog } from '../kit/dialog.tsx';
import { CheckField, PasswordField, TextField } from '../kit/field.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { userWords } from './user-words.ts';

/** @param onClose with what is to be said when the user was made */
export function CreateUser({ onClose }: { onClose: (said?: string) => void }) {
  const words = useWords(userWords);
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [name, setName] = useState('');
  const [email, setEmail] = useState('');
  const [administrator, setAdministrator] = useState(false);
  const create = useAction(
    () =>
      server.users.create({
        username: username.trim(),
        password,
        administrator,
        ...(name.trim() === '' ? {} : { name: name.trim() }),
        ...(email.trim() === '' ? {} : { email: email.trim() }),
      }),
    async (user) => {
      await queries.invalidateQueries({ queryKey: ['users'] });
      onClose(words.done.create(user.username));
    },
  );
  const problem = (field: string) => fieldProblem(create.problem, field);
  return (
    <Dialog open onClose={() => onClose()} title={words.add} description={words.addWhat}>
      <Form action={words.create} busy={create.busy} problem={create.problem} onSend={() => create.run(undefined)}>
        <TextField
          label={words.username}
          hint={words.usernameHint}
          problem={problem('username')}
          required
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={username}
          onChange={(event) => setUsername(event.target.value)}
        />
        <PasswordField
          label={words.password}
          hint={words.passwordHint}
          problem={problem('password')}
          required
          minLength={8}
          maxLength={256}
          autoComplete="new-password"
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
        <TextField
          label={words.name}
          problem={problem('name')}
          autoComplete="off"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <TextField
          label={words.email}
          problem={problem('email')}
          type="email"
          autoComplete="off"
          value={email}
          onChange={(event) => setEmail(event.target.value)}
        />
        <CheckField
          label={words.administrator}
          hint={words.administratorHint}
          checked={administrator}
          onChange={(event) => setAdministrator(event.target.checked)}
        />
      </Form>
    </Dialog>
  );
}
