import { useNavigate } from '@tanstack/react-router';
import { Trash2 } from 'lucide-react';
import { useState } from 'react';
import type { ImageInfo } from '../../api/images.ts';
import { ApiError } from '../../client/errors.ts';
import { Button } from '../kit/button.tsx';
import { shortDigest } from '../kit/copy.tsx';
import { ConfirmDialog } from '../kit/dialog.tsx';
import { useAction } from '../kit/form.tsx';
import { useWords } from '../kit/words.tsx';
import { repositoryLink } from '../places.ts';
import { queries, server } from '../server.ts';
import { usersInRefusal } from './usage-reason.ts';
import { ReasonText } from './usage-section.tsx';
import { imageWords } from './words.ts';

export function DeleteImage({ image }: { image: ImageInfo }) {
  const words = useWords(imageWords);
  const navigate = useNavigate();
  const [open, setOpen] = useState(false);
  const deletion = useAction(
    () => server.images.delete(image.repository, image.digest),
    async () => {
      // Gone before the next page asks for what is left.
      await navigate({ ...repositoryLink(image.repository, { view: 'tags' }), replace: true });
      await queries.invalidateQueries();
    },
  );
  const { problem } = deletion;
  const users = problem instanceof ApiError ? usersInRefusal(problem.detail) : undefined;
  return (
    <>
      <Button
        onClick={() => {
          deletion.reset();
          setOpen(true);
        }}
      >
        <Trash2 className="size-4" aria-hidden="true" />
        {words.delete}
      </Button>
      <ConfirmDialog
        open={open}
        onClose={() => setOpen(false)}
        title={words.deleteTitle}
        action={words.deleteAction}
        busy={deletion.busy}
        problem={users === undefined ? problem : undefined}
        onConfirm={() => deletion.run(undefined)}
      >
        <p className="break-words">{words.deleteWhat(shortDigest(image.digest))}</p>
        {image.tags.length > 0 && (
          <div>
            <p>{words.deleteTags}</p>
            <ul className="mt-1 flex max-h-40 flex-wrap gap-x-3 overflow-y-auto font-mono text-sm">
              {image.tags.map((tag) => (
                <li key={tag} className="break-all">
                  {tag}
                </li>
              ))}
            </ul>
          </div>
        )}
        {image.kind === 'index' && <p className="text-sm text-muted">{words.deletePlatforms}</p>}
        {users !== undefined && (
          <div role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-sm text-bad">
            <p>{words.inUse}</p>
            <ul className="mt-1 list-disc pl-5">
              {users.map((user) => (
                <li key={user}>
                  <ReasonText text={user} />
                </li>
              ))}
            </ul>
          </div>
        )}
      </ConfirmDialog>
    </>
  );
}
