import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { TagInfo } from '../../api/tags.ts';
import { shortDigest } from '../kit/copy.tsx';
import { ConfirmDialog, Dialog } from '../kit/dialog.tsx';
import { Ago } from '../kit/figures.tsx';
import { useAction } from '../kit/form.tsx';
import { Loaded } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { repositoryLink } from '../places.ts';
import { queries, server } from '../server.ts';
import { SearchField } from './search-field.tsx';
import { tagsChanged } from './tag-list.ts';
import { tagWords } from './tag-words.ts';

export function DeleteTag({ repository, tag, onClose }: { repository: string; tag: TagInfo; onClose: () => void }) {
  const words = useWords(tagWords);
  const remove = useAction(
    () => server.tags.delete(repository, tag.name),
    async () => {
      await tagsChanged(queries, repository);
      onClose();
    },
  );
  return (
    <ConfirmDialog
      open
      onClose={onClose}
      title={words.deleteTitle(tag.name)}
      action={words.deleteAction}
      busy={remove.busy}
      problem={remove.problem}
      onConfirm={() => remove.run(undefined)}
    >
      <p>{words.deleteWhat(shortDigest(tag.digest))}</p>
    </ConfirmDialog>
  );
}

const CHOICES = 10;

/** Chooses what a tag is compared with. */
export function CompareTag({ repository, tag, onClose }: { repository: string; tag: string; onClose: () => void }) {
  const words = useWords(tagWords);
  const [filter, setFilter] = useState('');
  const others = useQuery({
    queryKey: ['tags', repository, 'to-compare', filter],
    queryFn: async () => {
      const query = { sort: 'updated', order: 'desc', n: String(CHOICES + 1) } as const;
      return (await server.tags.page(repository, { ...query, ...(filter && { q: filter }) })).tags;
    },
    placeholderData: keepPreviousData,
  });
  return (
    <Dialog open onClose={onClose} title={words.compareTitle(tag)} description={words.compareWhat}>
      <div className="grid gap-3">
        <SearchField
          label={words.filter}
          clear={words.clearFilter}
          value={filter}
          onValue={setFilter}
          busy={others.isPlaceholderData}
        />
        <Loaded query={others} rows={CHOICES} height="h-10">
          {(list) => {
            const choices = list.filter(({ name }) => name !== tag).slice(0, CHOICES);
            if (choices.length === 0) return <p className="text-muted">{words.compareNothing}</p>;
            return (
              <ul aria-label={words.compareWhat} className="divide-y divide-line">
                {choices.map((other) => (
                  <li key={other.name} className="flex items-center gap-3">
                    <Link
                      {...repositoryLink(repository, { view: 'compare', from: other.name, to: tag })}
                      className="min-w-0 flex-1 py-2.5 break-all text-accent underline"
                    >
                      {other.name}
                    </Link>
                    <span className="shrink-0 text-sm text-muted">
                      <Ago at={other.updatedAt} />
                    </span>
                  </li>
                ))}
              </ul>
            );
          }}
        </Loaded>
      </div>
    </Dialog>
  );
}
