import { type ComponentProps, type ReactNode, useId, useState } from 'react';
import { Button } from './button.tsx';
import { classes } from './classes.ts';
import { kitWords } from './kit-words.ts';
import { useWords } from './words.tsx';

const CONTROL =
  'w-full rounded-md border bg-surface px-3 text-ink min-h-10 disabled:opacity-60 aria-invalid:border-bad border-edge';

interface FieldProps {
  label: string;
  hint?: ReactNode;
  /** What is wrong with it, as the server or the page says. */
  problem?: string | undefined;
  hideLabel?: boolean;
}

function Field({
  label,
  hint,
  problem,
  hideLabel,
  required,
  children,
}: FieldProps & {
  required?: boolean | undefined;
  children: (attributes: { id: string; 'aria-describedby'?: string; 'aria-invalid'?: true }) => ReactNode;
}) {
  const id = useId();
  const words = useWords(kitWords);
  const described = [hint !== undefined && `${id}-hint`, problem !== undefined && `${id}-problem`].filter(Boolean);
  return (
    <div className="min-w-0">
      <label htmlFor={id} className={hideLabel ? 'sr-only' : 'mb-1 block text-sm font-medium'}>
        {label}
        {required && <span className="font-normal text-muted"> ({words.required})</span>}
      </label>
      {children({
        id,
        ...(described.length > 0 ? { 'aria-describedby': described.join(' ') } : {}),
        ...(problem === undefined ? {} : { 'aria-invalid': true as const }),
      })}
      {hint !== undefined && (
        <p id={`${id}-hint`} className="mt-1 text-sm text-muted">
          {hint}
        </p>
      )}
      {problem !== undefined && (
        <p id={`${id}-problem`} className="mt-1 text-sm text-bad">
          {problem}
        </p>
      )}
    </div>
  );
}

export function TextField({
  label,
  hint,
  problem,
  hideLabel,
  className,
  ...rest
}: FieldProps & ComponentProps<'input'>) {
  return (
    <Field {...{ label, hint, problem, ...(hideLabel ? { hideLabel } : {}) }} required={rest.required}>
      {(attributes) => <input type="text" className={classes(CONTROL, className)} {...attributes} {...rest} />}
    </Field>
  );
}

export function PasswordField({ label, hint, problem, ...rest }: FieldProps & Omit<ComponentProps<'input'>, 'type'>) {
  const [shown, setShown] = useState(false);
  const words = useWords(kitWords);
  return (
    <Field {...{ label, hint, problem }} required={rest.required}>
      {(attributes) => (
        <span className="relative block">
          <input type={shown ? 'text' : 'password'} className={classes(CONTROL, 'pr-20')} {...attributes} {...rest} />
          <span className="absolute inset-y-1 right-1 flex items-center">
            <Button kind="quiet" small onClick={() => setShown(!shown)} aria-pressed={shown}>
              {shown ? words.hide : words.show}
              <span className="sr-only"> {label}</span>
            </Button>
          </span>
        </span>
      )}
    </Field>
  );
}

export function TextArea({ label, hint, problem, className, ...rest }: FieldProps & ComponentProps<'textarea'>) {
  return (
    <Field {...{ label, hint, problem }} required={rest.required}>
      {(attributes) => <textarea className={classes(CONTROL, 'min-h-24 py-2', className)} {...attributes} {...rest} />}
    </Field>
  );
}

export interface Choice<Value extends string> {
  value: Value;
  label: string;
}

export function SelectField<Value extends string>({
  label,
  hint,
  problem,
  hideLabel,
  choices,
  value,
  onValue,
  ...rest
}: FieldProps &
  Omit<ComponentProps<'select'>, 'value' | 'onChange'> & {
    choices: readonly Choice<Value>[];
    value: Value;
    onValue: (value: Value) => void;
  }) {
  return (
    <Field {...{ label, hint, problem, ...(hideLabel ? { hideLabel } : {}) }} required={rest.required}>
      {(attributes) => (
        <select
          className={CONTROL}
          value={value}
          onChange={(event) => {
            const chosen = choices.find((choice) => choice.value === event.target.value);
            if (chosen !== undefined) onValue(chosen.value);
          }}
          {...attributes}
          {...rest}
        >
          {choices.map((choice) => (
            <option key={choice.value} value={choice.value}>
              {choice.label}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

export function CheckField({ label, hint, ...rest }: { label: string; hint?: string } & ComponentProps<'input'>) {
  const id = useId();
  return (
    <div className="flex items-start gap-2.5">
      <input
        type="checkbox"
        id={id}
        className="mt-1 size-4 shrink-0 accent-accent-strong"
        {...(hint === undefined ? {} : { 'aria-describedby': `${id}-hint` })}
        {...rest}
      />
      <div className="min-w-0">
        <label htmlFor={id}>{label}</label>
        {hint !== undefined && (
          <p id={`${id}-hint`} className="text-sm text-muted">
            {hint}
          </p>
        )}
      </div>
    </div>
  );
}
