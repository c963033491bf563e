import { useState } from 'react';
import type { RepositoryInfo } from '../../api/repositories.ts';
import { SelectField, TextField } from '../kit/field.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { Card, Notice, Section } from '../kit/page.tsx';
import { useWords } from '../kit/words.tsx';
import { Retention } from '../retention/retention.tsx';
import { queries, server } from '../server.ts';
import { Webhooks } from '../webhooks/webhooks.tsx';
import { repositoryKey } from './repository-query.ts';
import { Saved } from './saved.tsx';
import { RepositoryAccess } from './settings-access.tsx';
import { DeleteRepository } from './settings-delete.tsx';
import { ImmutableTags } from './settings-immutable.tsx';
import { RepositoryName } from './settings-name.tsx';
import { settingsWords } from './settings-words.ts';

/** What who administers a repository may change. */
export function Settings({ repository }: { repository: RepositoryInfo }) {
  return (
    <div className="max-w-3xl">
      <General repository={repository} />
      <ImmutableTags repository={repository.name} />
      <Retention place={{ repository: repository.name }} />
      <RepositoryAccess repository={repository.name} />
      <Webhooks place={{ repository: repository.name }} />
      <RepositoryName repository={repository.name} />
      <DeleteRepository repository={repository.name} />
    </div>
  );
}

function General({ repository }: { repository: RepositoryInfo }) {
  const words = useWords(settingsWords);
  const { name } = repository;
  const [description, setDescription] = useState(repository.description);
  const [visibility, setVisibility] = useState(repository.visibility);
  const save = useAction(
    () =>
      server.repositories.change(name, {
        // What was not changed here is left as it is: somebody else may have changed it meanwhile.
        ...(description === repository.description ? {} : { description }),
        ...(visibility === repository.visibility ? {} : { visibility }),
      }),
    async (changed) => {
      queries.setQueryData(repositoryKey(name), changed);
      await queries.invalidateQueries({ queryKey: ['repositories'] });
    },
  );
  const unchanged = description === repository.description && visibility === repository.visibility;
  const problem = fieldProblem(save.problem, 'description');
  return (
    <Section title={words.general}>
      <Card>
        <Form
          action={words.save}
          busy={save.busy}
          disabled={unchanged}
          problem={problem === undefined ? save.problem : null}
          onSend={() => save.run(undefined)}
          extra={<Saved shown={unchanged && save.result !== undefined} />}
        >
          <TextField
            label={words.description}
            hint={words.descriptionHint}
            problem={problem}
            maxLength={1000}
            value={description}
            onChange={(event) => setDescription(event.target.value)}
          />
          <SelectField
            label={words.visibility}
            value={visibility}
            onValue={setVisibility}
            choices={(['private', 'public'] as const).map((value) => ({ value, label: words.visibilityWhat[value] }))}
          />
          {visibility !== repository.visibility && (
            <Notice tone="warn">
              <p>{visibility === 'public' ? words.goesPublic : words.goesPrivate}</p>
            </Notice>
          )}
        </Form>
      </Card>
    </Section>
  );
}
