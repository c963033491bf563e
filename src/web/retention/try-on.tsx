import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { RetentionPolicyInfo } from '../../api/retention.ts';
import { SelectField } from '../kit/field.tsx';
import { Loaded } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { Preview } from './preview.tsx';
import { retentionWords } from './retention-words.ts';

/** What a policy would do in one repository of those that it is for. @param namespace undefined: the whole instance */
export function TryOn({ namespace, policy }: { namespace: string | undefined; policy: RetentionPolicyInfo }) {
  const words = useWords(retentionWords);
  const [chosen, setChosen] = useState<string>();
  const found = useQuery({
    queryKey: ['repositories', 'of', namespace ?? null, 'first'],
    queryFn: () => server.repositories.page({ ...(namespace === undefined ? {} : { namespace }), n: '100' }),
  });
  return (
    <Loaded query={found} rows={1}>
      {({ repositories }) => {
        const names = repositories.map(({ name }) => name);
        const repository = names.find((name) => name === chosen) ?? names[0];
        if (repository === undefined) return <p className="text-muted">{words.noRepository}</p>;
        return (
          <div className="grid gap-4">
            <SelectField
              label={words.tryOn}
              hint={words.tryOnHint}
              value={repository}
              onValue={setChosen}
              choices={names.map((value) => ({ value, label: value }))}
            />
            <Preview repository={repository} policy={policy} />
          </div>
        );
      }}
    </Loaded>
  );
}
