import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { Button } from '../kit/button.tsx';
import { ConfirmDialog } from '../kit/dialog.tsx';
import { TextField } from '../kit/field.tsx';
import { Ago } from '../kit/figures.tsx';
import { Form, useAction } from '../kit/form.tsx';
import { Card, Section } from '../kit/page.tsx';
import { Loaded } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { repositoryLink } from '../places.ts';
import { queries, server } from '../server.ts';
import { repositoryKey } from './repository-query.ts';
import { settingsWords } from './settings-words.ts';

/** Another name, and those that it had. */
export function RepositoryName({ repository }: { repository: string }) {
  const words = useWords(settingsWords);
  return (
    <Section title={words.nameTitle} description={words.nameWhat}>
      <Card>
        <Rename repository={repository} />
      </Card>
      <div className="mt-4">
        <Section level={3} title={words.former} description={words.formerWhat}>
          <FormerNames repository={repository} />
        </Section>
      </div>
    </Section>
  );
}

function namespaceIn(name: string): string {
  return name.slice(0, Math.max(0, name.indexOf('/')));
}

function Rename({ repository }: { repository: string }) {
  const words = useWords(settingsWords);
  const navigate = useNavigate();
  const [name, setName] = useState(repository);
  const [asked, setAsked] = useState(false);
  const to = name.trim();
  const rename = useAction(
    () => server.repositories.rename(repository, to),
    async (renamed) => {
      setAsked(false);
      queries.setQueryData(repositoryKey(renamed.name), renamed);
      await navigate({ ...repositoryLink(renamed.name, { view: 'settings' }), replace: true });
      queries.removeQueries({ queryKey: repositoryKey(repository) });
      await queries.invalidateQueries({ queryKey: ['repositories'] });
    },
  );
  const transfer = namespaceIn(to) !== namespaceIn(repository);
  return (
    <Form
      action={words.rename}
      busy={rename.busy}
      disabled={to === '' || to === repository}
      problem={null}
      onSend={() => {
        rename.reset();
        setAsked(true);
      }}
    >
      <TextField
        label={words.newName}
        hint={words.newNameHint}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        maxLength={255}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <ConfirmDialog
        open={asked}
        onClose={() => setAsked(false)}
        title={words.renameTitle(repository, to)}
        action={words.rename}
        danger={false}
        busy={rename.busy}
        problem={rename.problem}
        onConfirm={() => rename.run(undefined)}
      >
        <p>{words.renameWhat}</p>
        {transfer && <p>{words.renameTransfer(namespaceIn(to))}</p>}
      </ConfirmDialog>
    </Form>
  );
}

function FormerNames({ repository }: { repository: string }) {
  const words = useWords(settingsWords);
  const key = [...repositoryKey(repository), 'former-names'] as const;
  const [freed, setFreed] = useState<string>();
  const names = useQuery({ queryKey: key, queryFn: () => server.repositories.formerNames(repository) });
  const free = useAction(
    (name: string) => server.repositories.removeFormerName(repository, name),
    async () => {
      await queries.invalidateQueries({ queryKey: key });
      setFreed(undefined);
    },
  );
  return (
    <>
      <Loaded query={names} rows={1}>
        {(list) =>
          list.length === 0 ? (
            <p className="text-muted">{words.noFormer}</p>
          ) : (
            <ul aria-label={words.former} className="divide-y divide-line rounded-lg border border-line bg-surface">
              {list.map(({ name, since }) => (
                <li key={name} className="flex flex-wrap items-center gap-3 px-4 py-2">
                  <code className="min-w-0 flex-1 font-mono text-sm break-all">{name}</code>
                  <span className="text-sm text-muted">
                    {words.formerSince} <Ago at={since} />
                  </span>
                  <Button
                    small
                    onClick={() => {
                      free.reset();
                      setFreed(name);
                    }}
                  >
                    {words.free}
                    <span className="sr-only"> {name}</span>
                  </Button>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
      {freed !== undefined && (
        <ConfirmDialog
          open
          onClose={() => setFreed(undefined)}
          title={words.freeTitle(freed)}
          action={words.free}
          busy={free.busy}
          problem={free.problem}
          onConfirm={() => free.run(freed)}
        >
          <p>{words.freeWhat}</p>
        </ConfirmDialog>
      )}
    </>
  );
}
