import { ConfirmDialog } from '../kit/dialog.tsx';
import { useAction } from '../kit/form.tsx';
import { registriesChanged } from './queries.ts';

/** Asks before an upstream, a cache or a mirror is ended. */
export function RemoveDialog({
  title,
  what,
  action,
  remove,
  onClose,
}: {
  title: string;
  /** What stays, and what does not. */
  what: string;
  action: string;
  remove: () => Promise<void>;
  onClose: () => void;
}) {
  const removal = useAction(remove, async () => {
    await registriesChanged();
    onClose();
  });
  return (
    <ConfirmDialog
      open
      onClose={onClose}
      title={title}
      action={action}
      busy={removal.busy}
      problem={removal.problem}
      onConfirm={() => removal.run()}
    >
      <p>{what}</p>
    </ConfirmDialog>
  );
}
