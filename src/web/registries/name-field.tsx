import { TextField } from '../kit/field.tsx';

/** A field for a name or an address: nothing is put into it or corrected. */
export function NameField({
  onText,
  ...rest
}: {
  label: string;
  hint?: string;
  problem?: string | undefined;
  required?: boolean;
  autoFocus?: boolean;
  inputMode?: 'url' | 'decimal';
  maxLength: number;
  value: string;
  onText: (text: string) => void;
}) {
  return (
    <TextField
      {...rest}
      autoComplete="off"
      autoCapitalize="none"
      spellCheck={false}
      onChange={(event) => onText(event.target.value)}
    />
  );
}
