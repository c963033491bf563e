import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { PasswordField } from '../kit/field.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { Card, Section } from '../kit/page.tsx';
import { Loaded } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import type { SessionUser } from '../session.tsx';
import { AccountPage, Done } from './account-page.tsx';
import { LinkedProviders, WAYS_KEY } from './linked-providers.tsx';
import { securityWords } from './security-words.ts';
import { TwoFactor } from './two-factor.tsx';

export function SecurityPage() {
  return <AccountPage part="security">{(user) => <Security user={user} />}</AccountPage>;
}

function Security({ user }: { user: SessionUser }) {
  const words = useWords(securityWords);
  const ways = useQuery({ queryKey: WAYS_KEY, queryFn: () => server.sessions.ways() });
  return (
    <div className="max-w-2xl">
      <Loaded query={ways} rows={4} height="h-28">
        {({ password, providers }) => (
          <>
            <Section title={words.password} {...(password ? { description: words.passwordWhat } : {})}>
              <Card>{password ? <PasswordForm username={user.username} /> : <p>{words.noPassword}</p>}</Card>
            </Section>
            <Section title={words.twoFactor} description={words.twoFactorWhat}>
              <Card>
                <TwoFactor user={user} password={password} />
              </Card>
            </Section>
            {providers.length > 0 && <LinkedProviders providers={providers} />}
          </>
        )}
      </Loaded>
    </div>
  );
}

function PasswordForm({ username }: { username: string }) {
  const words = useWords(securityWords);
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const change = useAction(
    async () => {
      await server.sessions.changePassword({ currentPassword: current, newPassword: next });
      return true;
    },
    async () => {
      setCurrent('');
      setNext('');
      await queries.invalidateQueries({ queryKey: ['account'] });
    },
  );
  const ofField = fieldProblem(change.problem, 'currentPassword') ?? fieldProblem(change.problem, 'newPassword');
  const typed = current !== '' || next !== '';
  return (
    <Form
      action={words.change}
      busy={change.busy}
      problem={ofField === undefined ? change.problem : null}
      disabled={current === '' || next === ''}
      onSend={() => change.run()}
      extra={<Done>{change.result && !typed && words.changed}</Done>}
    >
      {/* For password managers: whose password it is. */}
      <input type="text" autoComplete="username" value={username} readOnly hidden />
      <PasswordField
        label={words.current}
        name="current-password"
        autoComplete="current-password"
        value={current}
        problem={fieldProblem(change.problem, 'currentPassword')}
        onChange={(event) => setCurrent(event.target.value)}
      />
      <PasswordField
        label={words.next}
        hint={words.nextHint}
        name="new-password"
        autoComplete="new-password"
        minLength={8}
        maxLength={256}
        value={next}
        problem={fieldProblem(change.problem, 'newPassword')}
        onChange={(event) => setNext(event.target.value)}
      />
    </Form>
  );
}
