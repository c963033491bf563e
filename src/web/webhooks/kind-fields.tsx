import type { ReactNode } from 'react';
import { eventWords } from '../events/event-words.ts';
import { ASKED_KINDS, GROUPS, kindsOfGroup } from '../events/kinds.ts';
import { CheckField, SelectField } from '../kit/field.tsx';
import { useWords } from '../kit/words.tsx';
import type { KindChoice } from './kind-choice.ts';
import { webhookWords } from './webhook-words.ts';

/** Everything, or groups and kinds; and what must be asked for by name. */
export function KindFields({
  choice,
  problem,
  onChange,
}: {
  choice: KindChoice;
  problem: string | undefined;
  onChange: (choice: KindChoice) => void;
}) {
  const words = useWords(webhookWords);
  const kinds = useWords(eventWords);
  const { everything, chosen } = choice;
  const toggle = (kind: string, wanted: boolean) => {
    const next = new Set(chosen);
    if (wanted) next.add(kind);
    else next.delete(kind);
    onChange({ everything, chosen: next });
  };
  const check = (kind: string, label: string, included = false) => (
    <CheckField
      key={kind}
      label={label}
      checked={included || chosen.has(kind)}
      disabled={included}
      onChange={(event) => toggle(kind, event.target.checked)}
    />
  );
  return (
    <>
      <SelectField
        label={words.events}
        problem={problem}
        value={everything ? 'everything' : 'chosen'}
        onValue={(value) => onChange({ everything: value === 'everything', chosen })}
        choices={(['everything', 'chosen'] as const).map((value) => ({ value, label: words[value] }))}
      />
      <div className="grid gap-4 sm:grid-cols-2">
        {!everything &&
          GROUPS.map((group) => (
            <Group key={group} title={kinds.groups[group]}>
              {check(`${group}.*`, words.allOf)}
              {kindsOfGroup(group)
                .filter((kind) => !ASKED_KINDS.includes(kind))
                .map((kind) => check(kind, kinds.kinds[kind], chosen.has(`${group}.*`)))}
            </Group>
          ))}
        <Group title={words.asked}>{ASKED_KINDS.map((kind) => check(kind, kinds.kinds[kind]))}</Group>
      </div>
    </>
  );
}

function Group({ title, children }: { title: string; children: ReactNode }) {
  return (
    <fieldset className="grid min-w-0 content-start gap-1.5">
      <legend className="mb-1 text-sm font-medium">{title}</legend>
      {children}
    </fieldset>
  );
}
