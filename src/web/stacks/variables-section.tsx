import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { ConfigInfo } from '../../api/stacks.ts';
import { Badge } from '../kit/badge.tsx';
import { Button } from '../kit/button.tsx';
import { ConfirmDialog, Dialog } from '../kit/dialog.tsx';
import { CheckField, TextArea, TextField } from '../kit/field.tsx';
import { Ago } from '../kit/figures.tsx';
import { Form, useAction } from '../kit/form.tsx';
import { Section } from '../kit/page.tsx';
import { EmptyState } from '../kit/states.tsx';
import { Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { environmentWords } from './environment-words.ts';
import { type EnvironmentPlace, stackChanged, stackKey } from './queries.ts';
import { Fresh } from './stack-frame.tsx';
import { stackWords } from './words.ts';

type Variable = ConfigInfo['variables'][number];

/** The versions that are listed. */
const VERSIONS = 20;

/** What the compose file's variables are in this environment. Of a secret the name alone is known. */
export function VariablesSection({ place, administer }: { place: EnvironmentPlace; administer: boolean }) {
  const words = useWords(environmentWords);
  const [changing, setChanging] = useState<Variable | 'new'>();
  const [removing, setRemoving] = useState<string>();
  const config = useQuery({
    queryKey: stackKey(place, 'config', place.environment),
    queryFn: () => server.environments.config(place),
  });
  const unset = useAction(
    (name: string) => server.environments.changeConfig(place, { unset: [name] }),
    async () => {
      await stackChanged(place);
      setRemoving(undefined);
    },
  );
  return (
    <Section
      title={words.variables}
      description={config.data === undefined ? ' ' : words.variablesWhat(config.data.version)}
      actions={administer && <Button onClick={() => setChanging('new')}>{words.change}</Button>}
    >
      <Fresh query={config} rows={2}>
        {({ variables }) =>
          variables.length === 0 ? (
            <EmptyState title={words.noVariables}>{words.noVariablesWhat}</EmptyState>
          ) : (
            <Table
              label={words.variables}
              rows={variables}
              rowKey={({ name }) => name}
              columns={[
                { key: 'name', head: words.name, cell: ({ name }) => <code className="font-mono">{name}</code> },
                {
                  key: 'value',
                  head: words.value,
                  cell: ({ secret, value }) =>
                    secret ? (
                      <Badge>{words.secret}</Badge>
                    ) : (
                      <code className="font-mono text-sm break-all whitespace-pre-wrap">{value}</code>
                    ),
                },
                ...(administer
                  ? [
                      {
                        key: 'change',
                        head: words.edit,
                        hideHead: true,
                        end: true,
                        cell: (variable: Variable) => (
                          <span className="inline-flex gap-2">
                            <Button
                              small
                              aria-label={words.editOne(variable.name)}
                              onClick={() => setChanging(variable)}
                            >
                              {words.edit}
                            </Button>
                            <Button
                              small
                              aria-label={words.unsetOne(variable.name)}
                              onClick={() => setRemoving(variable.name)}
                            >
                              {words.unset}
                            </Button>
                          </span>
                        ),
                      },
                    ]
                  : []),
              ]}
            />
          )
        }
      </Fresh>
      {config.data !== undefined && config.data.version > 1 && <Versions place={place} version={config.data.version} />}
      {changing !== undefined && (
        <VariableDialog
          place={place}
          variable={changing === 'new' ? undefined : changing}
          onClose={() => setChanging(undefined)}
        />
      )}
      {removing !== undefined && (
        <ConfirmDialog
          open
          onClose={() => {
            setRemoving(undefined);
            unset.reset();
          }}
          title={words.unsetTitle(removing)}
          action={words.unset}
          busy={unset.busy}
          problem={unset.problem}
          onConfirm={() => unset.run(removing)}
        >
          <p>{words.unsetWhat}</p>
        </ConfirmDialog>
      )}
    </Section>
  );
}

function VariableDialog({
  place,
  variable,
  onClose,
}: {
  place: EnvironmentPlace;
  variable: Variable | undefined;
  onClose: () => void;
}) {
  const words = useWords(environmentWords);
  const [name, setName] = useState(variable?.name ?? '');
  const [value, setValue] = useState(variable?.value ?? '');
  const [secret, setSecret] = useState(variable?.secret ?? false);
  const [deploy, setDeploy] = useState(false);
  const set = useAction(
    () => server.environments.changeConfig(place, { set: { [name]: { value, secret } }, deploy }),
    async () => {
      await stackChanged(place);
      onClose();
    },
  );
  return (
    <Dialog open onClose={onClose} title={variable === undefined ? words.change : words.editOne(variable.name)}>
      <Form onSend={() => set.run(undefined)} action={words.set} busy={set.busy} problem={set.problem}>
        <TextField
          label={words.name}
          hint={words.nameHint}
          value={name}
          required
          readOnly={variable !== undefined}
          maxLength={200}
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => setName(event.target.value)}
        />
        <TextArea
          label={words.value}
          // What a secret was is not known: an empty one would take its place.
          required={variable?.secret === true || secret}
          value={value}
          rows={3}
          className="font-mono text-sm"
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => setValue(event.target.value)}
        />
        <CheckField label={words.secretBox} checked={secret} onChange={(event) => setSecret(event.target.checked)} />
        <CheckField label={words.deployBox} checked={deploy} onChange={(event) => setDeploy(event.target.checked)} />
      </Form>
    </Dialog>
  );
}

function Versions({ place, version }: { place: EnvironmentPlace; version: number }) {
  const words = useWords(environmentWords);
  const names = useWords(stackWords);
  const [open, setOpen] = useState(false);
  const versions = useQuery({
    queryKey: stackKey(place, 'config-versions', place.environment, version),
    queryFn: () => server.environments.configVersions(place),
    enabled: open,
  });
  return (
    <details className="mt-3" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="min-h-10 cursor-pointer py-2">{words.versions}</summary>
      <Fresh query={versions} rows={2} height="h-8">
        {(list) => (
          <ol className="grid gap-1 text-sm">
            {list.slice(0, VERSIONS).map((entry) => (
              <li key={entry.version}>
                {words.versionBy(entry.version, entry.createdBy ?? names.automation)}{' '}
                {entry.createdAt !== null && <Ago at={entry.createdAt} />} ·{' '}
                {words.variableCount(entry.variables.length)}
              </li>
            ))}
          </ol>
        )}
      </Fresh>
    </details>
  );
}
