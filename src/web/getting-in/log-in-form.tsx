import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { ApiError } from '../../client/errors.ts';
import type { SignInResult } from '../../client/sessions.ts';
import { Button, buttonClass } from '../kit/button.tsx';
import { classes } from '../kit/classes.ts';
import { PasswordField, TextField } from '../kit/field.tsx';
import { Form, useAction } from '../kit/form.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { LogInProblem } from './refusals.tsx';
import { gettingInWords } from './words.ts';

/**
 * Username and password, then the second factor where there is one; or a log-in provider.
 *
 * @param username of the one who must log in, when it is not to be chosen
 * @param next where a log-in provider's answer leads, a path of this address
 * @param newTab whether a provider's page opens beside this one, which must stay
 * @param onDone somebody is logged in; the form is busy until it has ended
 */
export function LogInForm({
  username,
  next,
  newTab = false,
  onDone,
}: {
  username?: string;
  next: string;
  newTab?: boolean;
  onDone: () => Promise<void>;
}) {
  const [second, setSecond] = useState(false);
  const took = async ({ twoFactorRequired }: SignInResult) => {
    if (twoFactorRequired) setSecond(true);
    else await onDone();
  };
  if (second) return <SecondStep onDone={onDone} onStartOver={() => setSecond(false)} />;
  return (
    <div className="grid gap-5">
      <PasswordStep {...(username === undefined ? {} : { username })} onTaken={took} />
      <Providers next={next} newTab={newTab} />
    </div>
  );
}

function PasswordStep({
  username: fixed,
  onTaken,
}: {
  username?: string;
  onTaken: (result: SignInResult) => Promise<void>;
}) {
  const words = useWords(gettingInWords);
  const [typed, setTyped] = useState('');
  const [password, setPassword] = useState('');
  const username = fixed ?? typed;
  const signIn = useAction(async () => {
    await onTaken(await server.sessions.signIn({ username: username.trim(), password }));
  });
  return (
    <Form
      action={words.logIn}
      busy={signIn.busy}
      problem={null}
      disabled={username.trim() === '' || password === ''}
      onSend={() => signIn.run()}
    >
      <TextField
        label={words.username}
        name="username"
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        value={username}
        readOnly={fixed !== undefined}
        autoFocus={fixed === undefined}
        onChange={(event) => setTyped(event.target.value)}
      />
      <PasswordField
        label={words.password}
        name="password"
        autoComplete="current-password"
        value={password}
        autoFocus={fixed !== undefined}
        onChange={(event) => setPassword(event.target.value)}
      />
      <LogInProblem problem={signIn.problem} wrong={words.wrongPassword} />
    </Form>
  );
}

function SecondStep({ onDone, onStartOver }: { onDone: () => Promise<void>; onStartOver: () => void }) {
  const words = useWords(gettingInWords);
  const [how, setHow] = useState<'code' | 'backup'>('code');
  const [code, setCode] = useState('');
  const signIn = useAction(async () => {
    if (how === 'code') await server.sessions.signInCode(code);
    else await server.sessions.signInBackupCode(code.trim());
    await onDone();
  });
  const choose = (other: typeof how) => {
    signIn.reset();
    setCode('');
    setHow(other);
  };
  const app = how === 'code';
  return (
    <Form
      action={words.logIn}
      busy={signIn.busy}
      problem={null}
      disabled={code.trim() === ''}
      onSend={() => signIn.run()}
      extra={
        <>
          <Button kind="quiet" onClick={() => choose(app ? 'backup' : 'code')}>
            {app ? words.useBackup : words.useApp}
          </Button>
          <Button kind="quiet" onClick={onStartOver}>
            {words.startOver}
          </Button>
        </>
      }
    >
      <p>{app ? words.codeWhat : words.backupWhat}</p>
      <TextField
        key={how}
        label={app ? words.code : words.backupCode}
        name="code"
        autoComplete="one-time-code"
        inputMode={app ? 'numeric' : 'text'}
        autoCapitalize="none"
        spellCheck={false}
        className="font-mono"
        value={code}
        autoFocus
        onChange={(event) => setCode(event.target.value)}
      />
      <LogInProblem problem={secondProblem(signIn.problem)} wrong={app ? words.wrongCode : words.wrongBackupCode} />
      <p className="text-sm text-muted">{words.noCodes}</p>
    </Form>
  );
}

/** A log-in that took too long is refused with 401 too, in words of its own. */
function secondProblem(problem: unknown): unknown {
  if (!(problem instanceof ApiError) || problem.status !== 401 || problem.detail.startsWith('code: ')) return problem;
  return new ApiError({ status: 400, code: problem.code, detail: problem.detail });
}

function Providers({ next, newTab }: { next: string; newTab: boolean }) {
  const words = useWords(gettingInWords);
  const providers = useQuery({ queryKey: ['ways'], queryFn: () => server.sessions.ways(), staleTime: 60_000 }).data
    ?.providers;
  if (providers === undefined || providers.length === 0) return null;
  return (
    <div className="grid gap-3">
      <Or>{words.or}</Or>
      {providers.map(({ id, name }) => (
        <a
          key={id}
          href={server.sessions.providerAddress(id, next)}
          className={classes(buttonClass('secondary'), 'w-full')}
          {...(newTab ? { target: '_blank', rel: 'noopener' } : {})}
        >
          <span className="truncate">{words.signInWith(name)}</span>
          {newTab && <span className="text-sm text-muted">{words.newTab}</span>}
        </a>
      ))}
      {newTab && <p className="text-sm text-muted">{words.comeBack}</p>}
    </div>
  );
}

function Or({ children }: { children: ReactNode }) {
  return (
    <p className="flex items-center gap-3 text-sm text-muted before:flex-1 before:border-t before:border-line after:flex-1 after:border-t after:border-line">
      {children}
    </p>
  );
}
