import { useState } from 'react';
import { Button } from '../kit/button.tsx';
import { ConfirmDialog } from '../kit/dialog.tsx';
import { useAction } from '../kit/form.tsx';
import { Section } from '../kit/page.tsx';

/** The end of a page of settings: deletes what they are of, after its name was typed. */
export function DeleteSection({
  title,
  what,
  name,
  remove: work,
  onDeleted,
}: {
  title: string;
  what: string;
  name: string;
  remove: () => Promise<void>;
  onDeleted: () => Promise<void>;
}) {
  const [open, setOpen] = useState(false);
  const remove = useAction(work, onDeleted);
  return (
    <Section title={title} description={what}>
      <Button kind="danger" onClick={() => setOpen(true)}>
        {title}
      </Button>
      <ConfirmDialog
        open={open}
        onClose={() => {
          setOpen(false);
          remove.reset();
        }}
        title={title}
        action={title}
        confirm={name}
        busy={remove.busy}
        problem={remove.problem}
        onConfirm={() => remove.run(undefined)}
      >
        <p>{what}</p>
      </ConfirmDialog>
    </Section>
  );
}
