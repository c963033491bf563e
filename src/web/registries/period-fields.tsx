import { SelectField, TextField } from '../kit/field.tsx';
import { useWords } from '../kit/words.tsx';
import { PERIOD_UNITS, type PeriodDraft, type PeriodUnit, periodOf } from './period.ts';
import { registriesWords } from './registries-words.ts';

export function PeriodFields({
  label,
  hint,
  problem,
  period,
  onChange,
}: {
  label: string;
  hint: string;
  problem: string | undefined;
  period: PeriodDraft;
  onChange: (period: PeriodDraft) => void;
}) {
  const words = useWords(registriesWords);
  const wrong = period.amount !== '' && periodOf(period) === undefined ? words.periodWrong : undefined;
  return (
    <div className="grid grid-cols-[1fr_8rem] gap-3">
      <TextField
        label={label}
        hint={hint}
        problem={wrong ?? problem}
        inputMode="numeric"
        autoComplete="off"
        value={period.amount}
        onChange={(event) => onChange({ ...period, amount: event.target.value })}
      />
      <SelectField
        label={words.unit}
        value={period.unit}
        onValue={(unit) => onChange({ ...period, unit })}
        choices={(Object.keys(PERIOD_UNITS) as PeriodUnit[]).map((value) => ({ value, label: words.units[value] }))}
      />
    </div>
  );
}
