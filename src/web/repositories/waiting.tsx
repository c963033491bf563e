import { Skeleton } from '../kit/states.tsx';

/** In place of a page that is being loaded. */
export function Waiting() {
  return (
    <div className="mx-auto w-full max-w-6xl px-4 py-6 sm:px-6">
      <Skeleton />
    </div>
  );
}
