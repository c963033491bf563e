import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { isDigest } from '../../oci/digest.ts';
import { shortDigest } from '../kit/copy.tsx';
import { Dialog } from '../kit/dialog.tsx';
import { Ago } from '../kit/figures.tsx';
import { Loaded } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { SearchField } from '../repositories/search-field.tsx';
import { server } from '../server.ts';
import { compareLinkTo } from './image-link.ts';
import { imageWords } from './words.ts';

const SHOWN = 20;
/** Asked for, as some are left out. */
const ASKED = 60;
/** Tags that cosign and others make for what is said about an image (OCI Distribution 1.1 "Referrers Tag Schema"). */
const OF_STATEMENT = /^sha(256|512)-[0-9a-f]{64,128}(\.\w+)?$/;

/** Asks for another tag or digest of the repository, and goes to the comparison with it. */
export function ReferencePicker({
  repository,
  reference,
  open,
  onClose,
  place,
}: {
  repository: string;
  /** What it is compared with: it is not offered. */
  reference: string;
  open: boolean;
  onClose: () => void;
  place: (chosen: string) => { from: string; to: string };
}) {
  const words = useWords(imageWords);
  const [wanted, setWanted] = useState('');
  const text = wanted.trim();
  const tags = useQuery({
    queryKey: ['tags', repository, 'picker', text],
    queryFn: () =>
      server.tags.page(repository, {
        n: String(ASKED),
        sort: 'updated',
        order: 'desc',
        ...(text === '' ? {} : { q: text }),
      }),
    enabled: open && !isDigest(text),
    placeholderData: (before) => before,
  });
  const linkTo = (chosen: string) => {
    const { from, to } = place(chosen);
    return compareLinkTo(repository, from, to);
  };
  const row = 'flex min-h-11 flex-wrap items-center gap-x-3 px-2 hover:bg-hover rounded-md';
  return (
    <Dialog open={open} onClose={onClose} title={words.choose}>
      <div className="grid min-h-80 content-start gap-3">
        <SearchField
          label={words.searchTags}
          value={wanted}
          onValue={setWanted}
          clear={words.clear}
          busy={tags.isFetching}
          maxLength={200}
        />
        {isDigest(text) ? (
          <Link {...linkTo(text)} onClick={onClose} className={row}>
            {words.compareWith(shortDigest(text))}
          </Link>
        ) : (
          <Loaded query={tags} rows={5} height="h-11">
            {(page) => {
              const others = page.tags
                .filter(({ name }) => name !== reference && !OF_STATEMENT.test(name))
                .slice(0, SHOWN);
              if (others.length === 0) {
                return <p className="text-muted">{text === '' ? words.onlyTag : words.noTagFound}</p>;
              }
              return (
                <ul aria-label={words.tags}>
                  {others.map((tag) => (
                    <li key={tag.name}>
                      <Link {...linkTo(tag.name)} onClick={onClose} className={row}>
                        <span className="min-w-0 font-medium break-all">{tag.name}</span>
                        <span className="font-mono text-sm text-muted">{shortDigest(tag.digest)}</span>
                        <span className="text-sm text-muted">
                          <Ago at={tag.updatedAt} />
                        </span>
                      </Link>
                    </li>
                  ))}
                </ul>
              );
            }}
          </Loaded>
        )}
      </div>
    </Dialog>
  );
}
