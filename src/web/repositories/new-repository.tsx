import { Plus } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { Button } from '../kit/button.tsx';
import { Dialog } from '../kit/dialog.tsx';
import { Skeleton } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { listWords } from './words.ts';

const NewRepositoryForm = lazy(async () => ({
  default: (await import('./new-repository-form.tsx')).NewRepositoryForm,
}));

/** A button, and the form that it opens; afterwards the new repository is shown. */
export function NewRepository({ username, namespace }: { username: string; namespace?: string | undefined }) {
  const words = useWords(listWords);
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button kind="primary" onClick={() => setOpen(true)}>
        <Plus className="size-4" aria-hidden="true" />
        {words.newRepository}
      </Button>
      <Dialog
        open={open}
        onClose={() => setOpen(false)}
        title={words.newRepository}
        description={words.newRepositoryWhat}
      >
        <Suspense fallback={<Skeleton rows={5} height="h-16" />}>
          <NewRepositoryForm username={username} namespace={namespace} />
        </Suspense>
      </Dialog>
    </>
  );
}
