import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { Dialog } from '../kit/dialog.tsx';
import { Loaded, Skeleton } from '../kit/states.tsx';
import { server } from '../server.ts';
import { inOneLine } from './pushed-text.tsx';

/** A config or a layer of a manifest. */
export interface ContentPlace {
  /** The manifest's digest. */
  reference: string;
  digest: string;
  title: string;
}

const ContentView = lazy(async () => ({ default: (await import('./content-view.tsx')).ContentView }));

/** What a part holds, to be read. */
export function ContentDialog({
  repository,
  place,
  open,
  onClose,
}: {
  repository: string;
  place: ContentPlace;
  open: boolean;
  onClose: () => void;
}) {
  const content = useQuery({
    queryKey: ['image-content', repository, place.reference, place.digest],
    queryFn: () => server.images.content(repository, place.reference, place.digest),
    // Named by its digest, it is never another.
    staleTime: Number.POSITIVE_INFINITY,
    enabled: open,
  });
  return (
    <Dialog open={open} onClose={onClose} title={inOneLine(place.title)} wide>
      <Loaded query={content} rows={6}>
        {(read) => (
          <Suspense fallback={<Skeleton rows={6} />}>
            <ContentView key={place.digest} repository={repository} digest={place.digest} content={read} />
          </Suspense>
        )}
      </Loaded>
    </Dialog>
  );
}
