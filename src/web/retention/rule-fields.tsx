import { Button } from '../kit/button.tsx';
import { CheckField, TextField } from '../kit/field.tsx';
import { useWords } from '../kit/words.tsx';
import type { RuleDraft } from './draft.ts';
import { retentionWords } from './retention-words.ts';

export function RuleFields({
  number,
  rule,
  problem,
  onChange,
  onRemove,
}: {
  number: number;
  rule: RuleDraft;
  problem: string | undefined;
  onChange: (rule: RuleDraft) => void;
  onRemove: () => void;
}) {
  const words = useWords(retentionWords);
  const text = (field: 'keepLast' | 'pushedWithin' | 'pulledWithin', hint: string) => (
    <TextField
      label={words[field]}
      hint={hint}
      autoComplete="off"
      autoCapitalize="none"
      inputMode={field === 'keepLast' ? 'numeric' : 'text'}
      value={rule[field]}
      onChange={(event) => onChange({ ...rule, [field]: event.target.value })}
    />
  );
  return (
    <fieldset className="grid gap-3 rounded-lg border border-line p-4">
      <legend className="px-1 font-medium">{words.rule(number)}</legend>
      <TextField
        label={words.match}
        hint={words.matchHint}
        problem={problem}
        className="font-mono"
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        value={rule.match}
        onChange={(event) => onChange({ ...rule, match: event.target.value })}
      />
      <CheckField
        label={words.always}
        checked={rule.always}
        onChange={(event) => onChange({ ...rule, always: event.target.checked })}
      />
      {!rule.always && (
        <div className="grid gap-3 sm:grid-cols-3">
          {text('keepLast', words.keepLastHint)}
          {text('pushedWithin', words.ageHint)}
          {text('pulledWithin', words.ageHint)}
        </div>
      )}
      <div>
        <Button small onClick={onRemove}>
          {words.removeRule(number)}
        </Button>
      </div>
    </fieldset>
  );
}
