import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { RobotInfo } from '../../api/robots.ts';
import type { TokenInfo } from '../../api/tokens.ts';
import type { NewToken } from '../../client/tokens.ts';
import { registryHost } from '../../doctor/registry-host.ts';
import { Button } from '../kit/button.tsx';
import { CodeBlock } from '../kit/copy.tsx';
import { ConfirmDialog, Dialog } from '../kit/dialog.tsx';
import { SelectField, TextField } from '../kit/field.tsx';
import { Ago } from '../kit/figures.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { Notice } from '../kit/page.tsx';
import { Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { robotWords } from './robot-words.ts';

/** The tokens of a robot; the secret of a new one is shown once. */
export function RobotTokens({
  namespace,
  robot,
  onClose,
}: {
  namespace: string;
  robot: RobotInfo;
  onClose: () => void;
}) {
  const words = useWords(robotWords);
  const [made, setMade] = useState<NewToken>();
  const [adding, setAdding] = useState(false);
  const [revoking, setRevoking] = useState<TokenInfo>();
  const key = ['robots', namespace, robot.name, 'tokens'];
  const tokens = useQuery({ queryKey: key, queryFn: () => server.robots.tokens(namespace, robot.name) });
  const revoke = useAction(
    (id: string) => server.robots.revokeToken(namespace, robot.name, id),
    async () => {
      await queries.invalidateQueries({ queryKey: key });
      setRevoking(undefined);
    },
  );
  if (made !== undefined) {
    return <NewSecret username={robot.username} secret={made.secret} onClose={() => setMade(undefined)} />;
  }
  if (adding) {
    return (
      <AddToken
        namespace={namespace}
        robot={robot}
        onClose={() => setAdding(false)}
        onMade={async (token) => {
          setMade(token);
          setAdding(false);
          await queries.invalidateQueries({ queryKey: key });
        }}
      />
    );
  }
  if (revoking !== undefined) {
    return (
      <ConfirmDialog
        open
        onClose={() => setRevoking(undefined)}
        title={words.revokeOf(revoking.name)}
        action={words.revoke}
        busy={revoke.busy}
        problem={revoke.problem}
        onConfirm={() => revoke.run(revoking.id)}
      >
        <p>{words.revokeWhat}</p>
      </ConfirmDialog>
    );
  }
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={words.tokensOf(robot.username)}
      footer={
        <>
          <Button onClick={onClose}>{words.done}</Button>
          <Button kind="primary" onClick={() => setAdding(true)}>
            {words.tokenAdd}
          </Button>
        </>
      }
    >
      <Loaded query={tokens} rows={2}>
        {(known) =>
          known.length === 0 ? (
            <p className="text-muted">{words.noTokens}</p>
          ) : (
            <TokenTable
              tokens={known}
              onRevoke={(token) => {
                revoke.reset();
                setRevoking(token);
              }}
            />
          )
        }
      </Loaded>
    </Dialog>
  );
}

function TokenTable({ tokens, onRevoke }: { tokens: readonly TokenInfo[]; onRevoke: (token: TokenInfo) => void }) {
  const words = useWords(robotWords);
  const columns: Column<TokenInfo>[] = [
    { key: 'name', head: words.tokenName, cell: ({ name }) => <span className="font-medium break-words">{name}</span> },
    { key: 'level', head: words.allows, cell: ({ level }) => words.levels[level] },
    {
      key: 'expires',
      head: words.expiresAt,
      cell: ({ expiresAt }) => (expiresAt === null ? words.ever : <Ago at={expiresAt} />),
    },
    {
      key: 'used',
      head: words.used,
      cell: ({ lastUsedAt, lastUsedFrom }) => (
        <>
          <Ago at={lastUsedAt} />{' '}
          {lastUsedFrom !== null && <span className="text-sm">{words.usedFrom(lastUsedFrom)}</span>}
        </>
      ),
    },
    {
      key: 'revoke',
      head: words.revoke,
      hideHead: true,
      end: true,
      cell: (token) => (
        <Button small aria-label={words.revokeOf(token.name)} onClick={() => onRevoke(token)}>
          {words.revoke}
        </Button>
      ),
    },
  ];
  return <Table label={words.tokens} columns={columns} rows={tokens} rowKey={({ id }) => id} />;
}

const LIFETIMES = { d30: 30, d90: 90, d365: 365, never: null } as const;
const LEVELS = ['read', 'write', 'delete', 'admin'] as const;
const DAY_MS = 86_400_000;

function AddToken({
  namespace,
  robot,
  onClose,
  onMade,
}: {
  namespace: string;
  robot: RobotInfo;
  onClose: () => void;
  onMade: (token: NewToken) => Promise<void>;
}) {
  const words = useWords(robotWords);
  const [name, setName] = useState('');
  const [level, setLevel] = useState<TokenInfo['level']>(robot.role === 'read' ? 'read' : 'write');
  const [lifetime, setLifetime] = useState<keyof typeof LIFETIMES>('d90');
  const create = useAction(() => {
    const days = LIFETIMES[lifetime];
    const expiresAt = days === null ? null : new Date(Date.now() + days * DAY_MS).toISOString();
    return server.robots.createToken(namespace, robot.name, { name: name.trim(), level, expiresAt });
  }, onMade);
  return (
    <Dialog open onClose={onClose} title={words.tokenAdd} description={words.tokensOf(robot.username)}>
      <Form
        action={words.tokenCreate}
        busy={create.busy}
        problem={create.problem}
        disabled={name.trim() === ''}
        onSend={() => create.run(undefined)}
      >
        <TextField
          label={words.tokenName}
          hint={words.tokenNameHint}
          problem={fieldProblem(create.problem, 'name')}
          required
          maxLength={100}
          autoComplete="off"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <SelectField
          label={words.level}
          problem={fieldProblem(create.problem, 'level')}
          value={level}
          onValue={setLevel}
          choices={LEVELS.map((value) => ({ value, label: words.levels[value] }))}
        />
        <SelectField
          label={words.expires}
          value={lifetime}
          onValue={setLifetime}
          choices={(['d30', 'd90', 'd365', 'never'] as const).map((value) => ({
            value,
            label: words.lifetimes[value],
          }))}
        />
      </Form>
    </Dialog>
  );
}

function NewSecret({ username, secret, onClose }: { username: string; secret: string; onClose: () => void }) {
  const words = useWords(robotWords);
  return (
    <Dialog
      open
      onClose={onClose}
      title={words.made}
      footer={
        <Button kind="primary" onClick={onClose}>
          {words.back}
        </Button>
      }
    >
      <div className="grid gap-4">
        <Notice tone="warn">{words.madeWhat}</Notice>
        <div>
          <p className="mb-1 text-sm font-medium">{words.secret}</p>
          <CodeBlock label={words.secret} code={secret} />
        </div>
        <div>
          <p className="mb-1 text-sm font-medium">{words.loginWith}</p>
          <CodeBlock
            label={words.loginWith}
            code={`echo '${secret}' | docker login -u '${username}' --password-stdin ${registryHost(location)}`}
          />
        </div>
      </div>
    </Dialog>
  );
}
