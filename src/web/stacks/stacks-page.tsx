import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { Button } from '../kit/button.tsx';
import { CodeBlock } from '../kit/copy.tsx';
import { Dialog } from '../kit/dialog.tsx';
import { SelectField, TextArea, TextField } from '../kit/field.tsx';
import { Ago } from '../kit/figures.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { ShowMore, useListed } from '../kit/listed.tsx';
import { Page } from '../kit/page.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { Table } from '../kit/table.tsx';
import { take } from '../kit/take.ts';
import { useWords } from '../kit/words.tsx';
import { stackLink, stackParts } from '../places.ts';
import { queries, server } from '../server.ts';
import { LoggedIn, type SessionUser } from '../session.tsx';
import { EnvironmentChip } from './environment-chip.tsx';
import { listWords } from './list-words.ts';
import { STACKS_KEY } from './queries.ts';
import { stackWords } from './words.ts';

const STEP = 50;
/** Owners that one may choose among. */
const MOST_OWNERS = 200;

export function StacksPage() {
  return <LoggedIn>{(user) => <StackList user={user} />}</LoggedIn>;
}

/** The stacks that one may see, and where each runs. */
function StackList({ user }: { user: SessionUser }) {
  const words = useWords(listWords);
  const names = useWords(stackWords);
  const [making, setMaking] = useState(false);
  const listed = useListed(STACKS_KEY, (limit) => server.stacks.list(limit), { step: STEP });
  return (
    <Page
      title={names.stacks}
      description={words.what}
      actions={
        <Button kind="primary" onClick={() => setMaking(true)}>
          {words.newStack}
        </Button>
      }
    >
      <Loaded query={listed.query}>
        {({ entries, more }) =>
          entries.length === 0 ? (
            <EmptyState title={words.none}>
              <p>{words.noneWhat}</p>
              <div className="w-full text-left">
                <CodeBlock label={words.command} code={'berth stack create shop --file compose.yaml'} />
              </div>
            </EmptyState>
          ) : (
            <>
              <Table
                label={names.stacks}
                rows={entries}
                rowKey={({ name }) => name}
                columns={[
                  {
                    key: 'name',
                    head: words.stack,
                    cell: ({ name }) => (
                      <Link className="font-medium text-accent underline" {...stackLink(name)}>
                        {name}
                      </Link>
                    ),
                  },
                  {
                    key: 'services',
                    head: words.services,
                    cell: ({ services }) => (
                      <span className="break-words">{services.map(({ name }) => name).join(', ')}</span>
                    ),
                  },
                  {
                    key: 'environments',
                    head: words.environments,
                    cell: ({ name, environments }) =>
                      environments.length === 0 ? (
                        <span className="text-muted">{words.noEnvironments}</span>
                      ) : (
                        <span className="flex flex-wrap gap-x-4 gap-y-1">
                          {environments.map((environment) => (
                            <EnvironmentChip key={environment} place={{ ...stackParts(name), name, environment }} />
                          ))}
                        </span>
                      ),
                  },
                  { key: 'changed', head: words.changed, cell: ({ updatedAt }) => <Ago at={updatedAt} /> },
                ]}
              />
              <ShowMore more={more} busy={listed.busy} onMore={listed.showMore} />
            </>
          )
        }
      </Loaded>
      {making && <NewStackDialog user={user} onClose={() => setMaking(false)} />}
    </Page>
  );
}

function NewStackDialog({ user, onClose }: { user: SessionUser; onClose: () => void }) {
  const words = useWords(listWords);
  const navigate = useNavigate();
  const [namespace, setNamespace] = useState(user.username);
  const [name, setName] = useState('');
  const [file, setFile] = useState('');
  const organizations = useQuery({
    queryKey: ['organizations', 'mine', MOST_OWNERS],
    queryFn: () => take(server.organizations.list(), MOST_OWNERS),
  });
  const owners = [user.username, ...(organizations.data ?? []).map((one) => one.name)];
  const make = useAction(
    () => server.stacks.create(namespace, { name, file }),
    async (stack) => {
      await queries.invalidateQueries({ queryKey: STACKS_KEY });
      await navigate({ to: '/s/$namespace/$stack', params: stackParts(stack.name) });
    },
  );
  return (
    <Dialog open wide onClose={onClose} title={words.newStack} description={words.newStackWhat}>
      <Form onSend={() => make.run(undefined)} action={words.make} busy={make.busy} problem={make.problem}>
        <div className="grid gap-4 sm:grid-cols-2">
          <SelectField
            label={words.namespace}
            choices={owners.map((owner) => ({ value: owner, label: owner }))}
            value={namespace}
            onValue={setNamespace}
          />
          <TextField
            label={words.name}
            hint={words.nameHint}
            problem={fieldProblem(make.problem, 'name')}
            value={name}
            required
            maxLength={40}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            onChange={(event) => setName(event.target.value)}
          />
        </div>
        <ComposeField file={file} onFile={setFile} problem={fieldProblem(make.problem, 'file')} />
      </Form>
    </Dialog>
  );
}

/** A compose file to write, or to choose from the disk. */
export function ComposeField({
  file,
  onFile,
  problem,
}: {
  file: string;
  onFile: (file: string) => void;
  problem: string | undefined;
}) {
  const words = useWords(listWords);
  const example = `services:\n  web:\n    image: ${location.host}/OWNER/web:latest\n    restart: unless-stopped\n    ports: ["8080:80"]\n`;
  return (
    <div className="grid gap-2">
      <TextArea
        label={words.file}
        hint={words.fileHint}
        problem={problem}
        value={file}
        required
        rows={14}
        className="font-mono text-sm"
        placeholder={example}
        autoCapitalize="none"
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => onFile(event.target.value)}
      />
      <div>
        <label className="inline-flex min-h-10 cursor-pointer items-center rounded-md border border-edge bg-surface px-4 font-medium hover:bg-hover has-focus-visible:outline-2 has-focus-visible:outline-accent">
          {words.choose}
          <input
            type="file"
            accept=".yaml,.yml"
            className="sr-only"
            onChange={async (event) => {
              const chosen = event.target.files?.[0];
              event.target.value = '';
              if (chosen !== undefined) onFile(await chosen.text());
            }}
          />
        </label>
      </div>
    </div>
  );
}
