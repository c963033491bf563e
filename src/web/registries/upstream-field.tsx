import type { UpstreamInfo } from '../../api/upstreams.ts';
import { SelectField } from '../kit/field.tsx';
import { useWords } from '../kit/words.tsx';
import { registriesWords } from './registries-words.ts';

/** Which of the registries. */
export function UpstreamField({
  upstreams,
  problem,
  value,
  onValue,
}: {
  upstreams: readonly UpstreamInfo[];
  problem: string | undefined;
  value: string;
  onValue: (name: string) => void;
}) {
  const words = useWords(registriesWords);
  return (
    <SelectField
      label={words.upstream}
      problem={problem}
      value={value}
      onValue={onValue}
      choices={upstreams.map(({ name, address }) => ({ value: name, label: `${name} (${address})` }))}
    />
  );
}
