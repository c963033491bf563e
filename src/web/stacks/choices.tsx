import { type ReactNode, useId } from 'react';

/** One of a few ways; what belongs to the chosen one stands beneath it. */
export function Choices<Value extends string>({
  label,
  choices,
  value,
  onValue,
}: {
  label: string;
  choices: readonly { value: Value; label: string; hint?: string; disabled?: boolean; more?: ReactNode }[];
  value: Value;
  onValue: (value: Value) => void;
}) {
  const name = useId();
  return (
    <fieldset className="grid gap-2">
      <legend className="mb-1 text-sm font-medium">{label}</legend>
      {choices.map((choice) => (
        <div key={choice.value} className="rounded-md border border-line bg-surface px-3 py-2">
          <div className="flex items-start gap-2.5">
            <input
              type="radio"
              id={`${name}-${choice.value}`}
              name={name}
              className="mt-1 size-4 shrink-0 accent-accent-strong"
              checked={value === choice.value}
              disabled={choice.disabled}
              onChange={() => onValue(choice.value)}
              {...(choice.hint === undefined ? {} : { 'aria-describedby': `${name}-${choice.value}-hint` })}
            />
            <div className="min-w-0">
              <label htmlFor={`${name}-${choice.value}`} className={choice.disabled ? 'text-muted' : undefined}>
                {choice.label}
              </label>
              {choice.hint !== undefined && (
                <p id={`${name}-${choice.value}-hint`} className="text-sm text-muted break-words">
                  {choice.hint}
                </p>
              )}
            </div>
          </div>
          {value === choice.value && choice.more !== undefined && <div className="mt-3 pl-6.5">{choice.more}</div>}
        </div>
      ))}
    </fieldset>
  );
}
