import type { UseQueryResult } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { CircleAlert, SearchX } from 'lucide-react';
import type { ReactNode } from 'react';
import { ApiError } from '../../client/errors.ts';
import { Button, ButtonLink } from './button.tsx';
import { useProblemText } from './form.tsx';
import { kitWords } from './kit-words.ts';
import { useWords } from './words.tsx';

/** Grey bars in place of what comes, as high as it will be. Nothing jumps. */
export function Skeleton({ rows = 5, height = 'h-12' }: { rows?: number; height?: string }) {
  const words = useWords(kitWords);
  return (
    <div role="status" className="grid gap-2">
      <span className="sr-only">{words.loading}</span>
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
        <div key={row} className={`${height} animate-pulse rounded-md bg-sunken`} aria-hidden="true" />
      ))}
    </div>
  );
}

/** Nothing is here yet: what it would be, and how to get it. */
export function EmptyState({ title, children, icon }: { title: string; children?: ReactNode; icon?: ReactNode }) {
  return (
    <div className="grid justify-items-center gap-3 rounded-lg border border-dashed border-line px-6 py-10 text-center">
      {icon ?? <SearchX className="size-7 text-muted" aria-hidden="true" />}
      <p className="font-semibold">{title}</p>
      {children !== undefined && <div className="grid max-w-xl justify-items-center gap-3 text-muted">{children}</div>}
    </div>
  );
}

/** Why nothing is shown, and what to do. */
export function ErrorState({ problem, onRetry }: { problem: unknown; onRetry?: (() => void) | undefined }) {
  const words = useWords(kitWords);
  const text = useProblemText();
  const { title, what, logIn } = explain(problem);
  function explain(error: unknown): { title: string; what: string; logIn?: boolean } {
    if (!(error instanceof ApiError) || error.status >= 500) return { title: text(error), what: '' };
    if (error.status === 401) return { title: words.loginNeeded, what: '', logIn: true };
    if (error.status === 403) return { title: words.notAllowed, what: words.notAllowedWhat };
    if (error.status === 404) return { title: words.notFound, what: `${error.detail}. ${words.notFoundWhat}` };
    if (error.status === 429) return { title: words.tooMany, what: '' };
    return { title: error.detail, what: '' };
  }
  return (
    <div
      role="alert"
      className="grid justify-items-center gap-3 rounded-lg border border-line bg-surface px-6 py-10 text-center"
    >
      <CircleAlert className="size-7 text-bad" aria-hidden="true" />
      <p className="max-w-xl font-semibold break-words">{title}</p>
      {what !== '' && <p className="max-w-xl text-muted break-words">{what}</p>}
      <div className="flex flex-wrap justify-center gap-2">
        {onRetry !== undefined && <Button onClick={onRetry}>{words.retry}</Button>}
        {logIn && (
          <ButtonLink to="/login" search={{ next: location.pathname + location.search }}>
            {words.logIn}
          </ButtonLink>
        )}
        <Link to="/" className="inline-flex min-h-10 items-center px-2 text-accent underline">
          {words.home}
        </Link>
      </div>
    </div>
  );
}

/** What a query brings, or bars while it waits, or why it failed. Data that is there stays while the server is away. */
export function Loaded<Data>({
  query,
  children,
  rows,
  height,
}: {
  query: UseQueryResult<Data>;
  children: (data: Data) => ReactNode;
  rows?: number;
  height?: string;
}) {
  if (query.data !== undefined) return children(query.data);
  if (query.error !== null) return <ErrorState problem={query.error} onRetry={() => void query.refetch()} />;
  return <Skeleton {...(rows === undefined ? {} : { rows })} {...(height === undefined ? {} : { height })} />;
}
