import { lazy, type ReactNode, Suspense, useState } from 'react';
import { Button } from './button.tsx';
import type { DialogProps } from './dialog-props.ts';
import { TextField } from './field.tsx';
import { FormProblem } from './form.tsx';
import { kitWords } from './kit-words.ts';
import { useWords } from './words.tsx';

const DialogWindow = lazy(async () => ({ default: (await import('./dialog-window.tsx')).DialogWindow }));

/** A window over the page: focus goes in and comes back, Escape closes it. It is loaded when the first one is opened. */
export function Dialog(props: DialogProps) {
  const [used, setUsed] = useState(props.open);
  if (props.open && !used) setUsed(true);
  if (!used) return null;
  return (
    <Suspense>
      <DialogWindow {...props} />
    </Suspense>
  );
}

/**
 * Asks before something that can't be taken back.
 *
 * @param confirm what must be typed first, e.g. the name of what is deleted
 * @param disabled while something else is missing
 */
export function ConfirmDialog({
  open,
  onClose,
  title,
  children,
  action,
  confirm,
  danger = true,
  busy = false,
  disabled = false,
  problem,
  onConfirm,
}: {
  open: boolean;
  onClose: () => void;
  title: string;
  children?: ReactNode;
  action: string;
  confirm?: string;
  danger?: boolean;
  busy?: boolean;
  disabled?: boolean;
  problem?: unknown;
  onConfirm: () => void;
}) {
  const words = useWords(kitWords);
  const [typed, setTyped] = useState('');
  const ready = !disabled && (confirm === undefined || typed === confirm);
  const close = () => {
    setTyped('');
    onClose();
  };
  return (
    <Dialog
      open={open}
      onClose={close}
      title={title}
      footer={
        <>
          <Button onClick={close}>{words.cancel}</Button>
          <Button kind={danger ? 'danger' : 'primary'} disabled={!ready} busy={busy} onClick={onConfirm}>
            {action}
          </Button>
        </>
      }
    >
      <div className="grid gap-4">
        {children}
        {confirm !== undefined && (
          <TextField
            label={words.confirmName(confirm)}
            value={typed}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            onChange={(event) => setTyped(event.target.value)}
          />
        )}
        <FormProblem problem={problem} />
      </div>
    </Dialog>
  );
}
