import { lazy, type ReactNode, Suspense, useState } from 'react';
import type { TwoFactorSecret } from '../../client/sessions.ts';
import { Badge } from '../kit/badge.tsx';
import { Button, buttonClass } from '../kit/button.tsx';
import { CopyButton, CopyLine } from '../kit/copy.tsx';
import { Dialog } from '../kit/dialog.tsx';
import { PasswordField, TextField } from '../kit/field.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { Notice } from '../kit/page.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, SESSION_KEY, server } from '../server.ts';
import type { SessionUser } from '../session.tsx';
import { securityWords } from './security-words.ts';

const QrCode = lazy(() => import('./qr-code.tsx'));

/** What is asked for before something is done. */
type Asked = 'on' | 'off' | 'renew';

/** @param password whether the account has one, which is asked for again */
export function TwoFactor({ user, password }: { user: SessionUser; password: boolean }) {
  const words = useWords(securityWords);
  const [asked, setAsked] = useState<Asked>();
  const [secret, setSecret] = useState<TwoFactorSecret>();
  const [codes, setCodes] = useState<readonly string[]>();
  const close = () => setAsked(undefined);
  if (codes !== undefined) return <BackupCodes user={user} codes={codes} onKept={() => setCodes(undefined)} />;
  if (secret !== undefined) {
    return (
      <Enrolment
        secret={secret}
        onCancel={() => setSecret(undefined)}
        onConfirmed={() => {
          setCodes(secret.backupCodes);
          setSecret(undefined);
        }}
      />
    );
  }
  return (
    <div className="flex flex-wrap items-center gap-3">
      <Badge tone={user.twoFactor ? 'good' : 'neutral'}>{user.twoFactor ? words.on : words.off}</Badge>
      <span className="flex-1" />
      {user.twoFactor ? (
        <>
          <Button onClick={() => setAsked('renew')}>{words.renew}</Button>
          <Button kind="danger" onClick={() => setAsked('off')}>
            {words.turnOff}
          </Button>
        </>
      ) : (
        <Button kind="primary" onClick={() => setAsked('on')}>
          {words.turnOn}
        </Button>
      )}
      <Confirmation
        {...{ password, username: user.username }}
        open={asked === 'on'}
        onClose={close}
        title={words.confirmTitle}
        action={words.goOn}
        work={async (confirm) => setSecret(await server.sessions.startTwoFactor(confirm))}
      />
      <Confirmation
        {...{ password, username: user.username }}
        open={asked === 'renew'}
        onClose={close}
        title={words.renewTitle}
        action={words.renew}
        work={async (confirm) => setCodes(await server.sessions.renewBackupCodes(confirm))}
      >
        {words.renewWhat}
      </Confirmation>
      <Confirmation
        {...{ password, username: user.username }}
        open={asked === 'off'}
        onClose={close}
        title={words.turnOffTitle}
        action={words.turnOff}
        work={async (confirm) => {
          await server.sessions.endTwoFactor(confirm);
          await queries.invalidateQueries({ queryKey: SESSION_KEY });
        }}
      >
        {words.turnOffWhat}
      </Confirmation>
    </div>
  );
}

/** A window that asks for the password before something is done. */
function Confirmation({
  open,
  onClose,
  title,
  action,
  password,
  username,
  work,
  children,
}: {
  open: boolean;
  onClose: () => void;
  title: string;
  action: string;
  password: boolean;
  username: string;
  work: (confirm: { password?: string }) => Promise<void>;
  children?: ReactNode;
}) {
  const words = useWords(securityWords);
  const [typed, setTyped] = useState('');
  const close = () => {
    setTyped('');
    reset();
    onClose();
  };
  const { run, busy, problem, reset } = useAction(
    () => work(password ? { password: typed } : {}),
    () => close(),
  );
  const ofField = fieldProblem(problem, 'password');
  return (
    <Dialog open={open} onClose={close} title={title}>
      <Form
        action={action}
        busy={busy}
        problem={ofField === undefined ? problem : null}
        disabled={password && typed === ''}
        onSend={() => run()}
        extra={<Button onClick={close}>{words.cancel}</Button>}
      >
        {children !== undefined && <p>{children}</p>}
        {password && (
          <>
            <input type="text" autoComplete="username" value={username} readOnly hidden />
            <PasswordField
              label={words.confirmPassword}
              name="password"
              autoComplete="current-password"
              value={typed}
              problem={ofField}
              autoFocus
              onChange={(event) => setTyped(event.target.value)}
            />
          </>
        )}
      </Form>
    </Dialog>
  );
}

/** The secret for the app, and the code that shows that it has it. */
function Enrolment({
  secret,
  onCancel,
  onConfirmed,
}: {
  secret: TwoFactorSecret;
  onCancel: () => void;
  onConfirmed: () => void;
}) {
  const words = useWords(securityWords);
  const [code, setCode] = useState('');
  const confirm = useAction(
    () => server.sessions.confirmTwoFactor(code),
    async () => {
      onConfirmed();
      await queries.invalidateQueries({ queryKey: SESSION_KEY });
    },
  );
  const ofField = fieldProblem(confirm.problem, 'code');
  return (
    <Form
      action={words.confirm}
      busy={confirm.busy}
      problem={ofField === undefined ? confirm.problem : null}
      disabled={code.trim() === ''}
      onSend={() => confirm.run()}
      extra={<Button onClick={onCancel}>{words.cancel}</Button>}
    >
      <h3 className="font-semibold">{words.scanTitle}</h3>
      <div className="flex flex-wrap items-center gap-5">
        <div className="size-52 overflow-hidden rounded-md border border-line">
          <Suspense>
            <QrCode text={secret.uri} label={words.qr} />
          </Suspense>
        </div>
        <div className="grid min-w-0 gap-1">
          <p className="text-sm text-muted">{words.secret}</p>
          <CopyLine text={secret.secret} label={words.secret} />
        </div>
      </div>
      <h3 className="font-semibold">{words.typeTitle}</h3>
      <TextField
        label={words.code}
        name="code"
        autoComplete="one-time-code"
        inputMode="numeric"
        spellCheck={false}
        className="max-w-52 font-mono"
        value={code}
        problem={ofField}
        autoFocus
        onChange={(event) => setCode(event.target.value)}
      />
    </Form>
  );
}

function BackupCodes({ user, codes, onKept }: { user: SessionUser; codes: readonly string[]; onKept: () => void }) {
  const words = useWords(securityWords);
  const text = codes.join('\n');
  const file = `${words.fileHead(location.host, user.username)}\n\n${text}\n`;
  return (
    <div className="grid gap-4">
      <Notice tone="warn" title={words.codesTitle}>
        <p>{words.codesWhat}</p>
      </Notice>
      <ul aria-label={words.codes} className="grid grid-cols-2 gap-x-6 gap-y-1 font-mono sm:grid-cols-3">
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
      <div className="flex flex-wrap items-center gap-2">
        <CopyButton text={text} label={words.copyCodes} />
        <a
          className={buttonClass('secondary', true)}
          download={`berth-${user.username}-backup-codes.txt`}
          href={`data:text/plain;charset=utf-8,${encodeURIComponent(file)}`}
        >
          {words.download}
        </a>
        <span className="flex-1" />
        <Button kind="primary" onClick={onKept}>
          {words.kept}
        </Button>
      </div>
    </div>
  );
}
