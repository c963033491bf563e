import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import type { RepositorySummary } from '../../api/repositories.ts';
import { SelectField, TextField } from '../kit/field.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { useWords } from '../kit/words.tsx';
import { repositoryLink } from '../places.ts';
import { queries, server } from '../server.ts';
import { useNamespaces } from './namespaces.ts';
import { listWords } from './words.ts';

export function NewRepositoryForm({ username, namespace }: { username: string; namespace: string | undefined }) {
  const words = useWords(listWords);
  const navigate = useNavigate();
  const namespaces = useNamespaces(username);
  const [chosen, setChosen] = useState(namespace ?? username);
  const [name, setName] = useState('');
  const [visibility, setVisibility] = useState<RepositorySummary['visibility']>('private');
  const [description, setDescription] = useState('');
  const create = useAction(
    () => server.repositories.create({ name: `${chosen}/${name.trim()}`, visibility, description }),
    async (made) => {
      await navigate(repositoryLink(made.name));
      await queries.invalidateQueries({ queryKey: ['repositories'] });
    },
  );
  const problem = fieldProblem(create.problem, 'name');
  return (
    <Form
      action={words.create}
      busy={create.busy}
      problem={problem === undefined ? create.problem : null}
      disabled={name.trim() === ''}
      onSend={() => create.run(undefined)}
    >
      <SelectField
        label={words.where}
        value={chosen}
        onValue={setChosen}
        choices={[...new Set([...namespaces, chosen])].map((value) => ({ value, label: value }))}
      />
      <TextField
        label={words.name}
        hint={words.nameHint}
        problem={problem}
        required
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        maxLength={255}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <SelectField
        label={words.visibility}
        value={visibility}
        onValue={setVisibility}
        choices={[
          { value: 'private', label: words.visibilityWhat.private },
          { value: 'public', label: words.visibilityWhat.public },
        ]}
      />
      <TextField
        label={words.description}
        hint={words.descriptionHint}
        maxLength={1000}
        value={description}
        onChange={(event) => setDescription(event.target.value)}
      />
    </Form>
  );
}
