import { useQuery } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { accessLevel } from '../../api/tokens.ts';
import type { NewToken } from '../../client/tokens.ts';
import { Button } from '../kit/button.tsx';
import { CodeBlock, CopyLine } from '../kit/copy.tsx';
import { Dialog } from '../kit/dialog.tsx';
import { SelectField, TextField } from '../kit/field.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { Notice } from '../kit/page.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { dayOf, EXPIRIES, type Expiry, expiresAt } from './expiry.ts';
import { tokenWords } from './token-words.ts';

type Level = (typeof accessLevel.options)[number];

const DAY_MS = 86_400_000;
const FIELDS = ['name', 'level', 'repository', 'expiresAt'] as const;

/** A window with what a new token is to be. What was typed is gone when it is closed. */
export function NewTokenDialog({
  open,
  onClose,
  onMade,
}: {
  open: boolean;
  onClose: () => void;
  onMade: (made: NewToken) => Promise<void>;
}) {
  const words = useWords(tokenWords);
  return (
    <Dialog open={open} onClose={onClose} title={words.makeTitle}>
      <NewTokenForm onMade={onMade} />
    </Dialog>
  );
}

function NewTokenForm({ onMade }: { onMade: (made: NewToken) => Promise<void> }) {
  const words = useWords(tokenWords);
  const [name, setName] = useState('');
  const [level, setLevel] = useState<Level>('write');
  const [scope, setScope] = useState<'all' | 'one'>('all');
  const [repository, setRepository] = useState('');
  const [expiry, setExpiry] = useState<Expiry>('90');
  const [date, setDate] = useState('');
  const admin = level === 'admin';
  const one = scope === 'one' && !admin;
  const ends = expiresAt(expiry, date, Date.now());
  const make = useAction(
    () =>
      server.tokens.create({
        name: name.trim(),
        level,
        ...(one ? { repository: repository.trim() } : {}),
        ...(ends === undefined ? {} : { expiresAt: ends }),
      }),
    onMade,
  );
  const ofField = FIELDS.map((field) => fieldProblem(make.problem, field)).find((text) => text !== undefined);
  return (
    <Form
      action={words.make}
      busy={make.busy}
      problem={ofField === undefined ? make.problem : null}
      disabled={name.trim() === '' || (one && repository.trim() === '') || ends === undefined}
      onSend={() => make.run()}
    >
      <TextField
        label={words.name}
        hint={words.nameHint}
        maxLength={100}
        autoComplete="off"
        autoFocus
        value={name}
        problem={fieldProblem(make.problem, 'name')}
        onChange={(event) => setName(event.target.value)}
      />
      <SelectField
        label={words.level}
        hint={`${words.levelWhat[level]} ${words.never}`}
        value={level}
        onValue={setLevel}
        problem={fieldProblem(make.problem, 'level')}
        choices={accessLevel.options.map((value) => ({ value, label: words.levelChoices[value] }))}
      />
      <SelectField
        label={words.scope}
        value={one ? 'one' : 'all'}
        onValue={setScope}
        disabled={admin}
        choices={[
          { value: 'all', label: words.allRepositories },
          { value: 'one', label: words.oneRepository },
        ]}
      />
      {one && (
        <RepositoryField
          value={repository}
          onValue={setRepository}
          problem={fieldProblem(make.problem, 'repository')}
        />
      )}
      <SelectField
        label={words.expires}
        {...(expiry === 'never' ? { hint: words.expiryWhat } : {})}
        value={expiry}
        onValue={setExpiry}
        problem={fieldProblem(make.problem, 'expiresAt')}
        choices={EXPIRIES.map((value) => ({ value, label: words.expiry[value] }))}
      />
      {expiry === 'date' && (
        <TextField
          label={words.date}
          type="date"
          min={dayOf(Date.now() + DAY_MS)}
          value={date}
          onChange={(event) => setDate(event.target.value)}
        />
      )}
    </Form>
  );
}

/** With the names of those that one may read, as one types. */
function RepositoryField({
  value,
  onValue,
  problem,
}: {
  value: string;
  onValue: (value: string) => void;
  problem: string | undefined;
}) {
  const words = useWords(tokenWords);
  const id = useId();
  const q = value.trim().slice(0, 200);
  const found = useQuery({
    queryKey: ['account', 'repositories', q],
    queryFn: () => server.repositories.page({ n: '10', ...(q === '' ? {} : { q }) }),
    placeholderData: (before) => before,
  }).data?.repositories;
  return (
    <>
      <TextField
        label={words.repositoryName}
        hint={words.repositoryHint}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        list={id}
        value={value}
        problem={problem}
        onChange={(event) => onValue(event.target.value)}
      />
      <datalist id={id}>
        {found?.map(({ name }) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </>
  );
}

/** The secret of a token that was just made, and how docker takes it. */
export function MadeTokenDialog({
  made,
  username,
  open,
  onClose,
  onCopied,
}: {
  made: NewToken;
  username: string;
  open: boolean;
  onClose: () => void;
  onCopied: () => void;
}) {
  const words = useWords(tokenWords);
  const { host } = location;
  return (
    <Dialog
      open={open}
      onClose={onClose}
      title={words.madeTitle(made.token.name)}
      footer={
        <Button kind="primary" onClick={onCopied}>
          {words.done}
        </Button>
      }
      wide
    >
      <div className="grid gap-4">
        <Notice tone="warn">{words.madeWhat}</Notice>
        <div className="grid gap-1">
          <p className="text-sm font-medium">{words.secret}</p>
          <CopyLine text={made.secret} label={words.copySecret} />
        </div>
        <div className="grid gap-1">
          <p className="text-sm font-medium">{words.dockerLogin}</p>
          <CodeBlock label={words.dockerLogin} code={`docker login -u ${username} ${host}`} />
        </div>
        <div className="grid gap-1">
          <p className="text-sm font-medium">{words.dockerLoginScript}</p>
          <CodeBlock
            label={words.dockerLoginScript}
            code={`echo "$TOKEN" | docker login -u ${username} --password-stdin ${host}`}
          />
        </div>
      </div>
    </Dialog>
  );
}
