import { type ReactNode, useState } from 'react';
import { PasswordField, TextField } from '../kit/field.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { sessionChanged } from '../session.tsx';
import { AccountProblem } from './refusals.tsx';
import { gettingInWords } from './words.ts';

export interface NewAccount {
  username: string;
  password: string;
  email?: string;
}

/**
 * Who one is to be; then one is logged in.
 *
 * @param make makes the account
 * @param onDone the account is there, and logged in if that worked
 * @param children fields before the others
 */
export function NewAccountForm({
  action,
  emailHint,
  ready = true,
  make,
  onDone,
  children,
}: {
  action: string;
  emailHint: string;
  ready?: boolean;
  make: (account: NewAccount) => Promise<unknown>;
  onDone: () => Promise<void>;
  children?: (problem: unknown) => ReactNode;
}) {
  const words = useWords(gettingInWords);
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [email, setEmail] = useState('');
  const { run, busy, problem } = useAction(async () => {
    const name = username.trim();
    await make({ username: name, password, ...(email.trim() === '' ? {} : { email: email.trim() }) });
    await server.sessions.signIn({ username: name, password });
    await sessionChanged();
    await onDone();
  });
  return (
    <Form
      action={action}
      busy={busy}
      problem={null}
      disabled={!ready || username.trim() === '' || password === ''}
      onSend={() => run()}
    >
      {children?.(problem)}
      <TextField
        label={words.username}
        hint={words.usernameHint}
        name="username"
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        required
        value={username}
        problem={fieldProblem(problem, 'username')}
        onChange={(event) => setUsername(event.target.value)}
      />
      <PasswordField
        label={words.password}
        hint={words.newPasswordHint}
        name="password"
        autoComplete="new-password"
        required
        minLength={8}
        maxLength={256}
        value={password}
        problem={fieldProblem(problem, 'password')}
        onChange={(event) => setPassword(event.target.value)}
      />
      <TextField
        label={words.email}
        hint={emailHint}
        name="email"
        type="email"
        autoComplete="email"
        value={email}
        problem={fieldProblem(problem, 'email')}
        onChange={(event) => setEmail(event.target.value)}
      />
      <AccountProblem problem={problem} fields={['username', 'password', 'email']} />
    </Form>
  );
}
