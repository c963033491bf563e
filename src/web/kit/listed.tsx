import { type Query, type UseQueryResult, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from './button.tsx';
import { kitWords } from './kit-words.ts';
import { take } from './take.ts';
import { useWords } from './words.tsx';

interface Page<Entry> {
  entries: Entry[];
  more: boolean;
}

/** The first entries of a list of the server, as many as are wanted so far. */
export interface Listed<Entry> {
  query: UseQueryResult<Page<Entry>>;
  showMore: () => void;
  /** Whether more are on their way. */
  busy: boolean;
}

/**
 * A list that grows by `step` entries when more are asked for. All that is shown is of one moment: it is read anew from its beginning.
 *
 * @param key everything that the list depends on; another one begins another list
 * @param list what the client gives, at most so many
 * @param options.again ms after which it is read again, for what changes by itself
 */
export function useListed<Entry>(
  key: readonly unknown[],
  list: (limit: number) => AsyncIterable<Entry>,
  { step = 100, again }: { step?: number; again?: (entries: readonly Entry[]) => number | undefined } = {},
): Listed<Entry> {
  const name = JSON.stringify(key);
  const [wanted, setWanted] = useState({ name, count: step });
  const count = wanted.name === name ? wanted.count : step;
  const query = useQuery({
    queryKey: [...key, { count }],
    queryFn: async () => {
      const entries = await take(list(count + 1), count + 1);
      return { entries: entries.slice(0, count), more: entries.length > count };
    },
    placeholderData: (before, beforeQuery) =>
      JSON.stringify(beforeQuery?.queryKey.slice(0, -1)) === name ? before : undefined,
    ...(again === undefined
      ? {}
      : { refetchInterval: ({ state }: Query<Page<Entry>>) => again(state.data?.entries ?? []) ?? false }),
  });
  return {
    query,
    showMore: () => setWanted({ name, count: count + step }),
    busy: query.isPlaceholderData,
  };
}

/** What of the entries that were loaded has what is typed in it, so many at a time. */
export function useFound<Entry>(listed: Listed<Entry>, textOf: (entry: Entry) => string, step = 100) {
  const [typed, setTyped] = useState('');
  const [shown, setShown] = useState(step);
  const { entries = [], more = false } = listed.query.data ?? {};
  const wanted = typed.trim().toLowerCase();
  const found = wanted === '' ? entries : entries.filter((entry) => textOf(entry).toLowerCase().includes(wanted));
  return {
    typed,
    type: (text: string) => {
      setTyped(text);
      setShown(step);
    },
    rows: found.slice(0, shown),
    more: found.length > shown || more,
    /** How many were searched, when there are others that were not. */
    searched: more && wanted !== '' ? entries.length : undefined,
    showMore: () => {
      setShown(shown + step);
      if (found.length <= shown + step) listed.showMore();
    },
    busy: listed.busy,
  };
}

export function ShowMore({ more, busy, onMore }: { more: boolean; busy: boolean; onMore: () => void }) {
  const words = useWords(kitWords);
  if (!more) return null;
  return (
    <div className="mt-3 flex justify-center">
      <Button busy={busy} onClick={onMore}>
        {words.more}
      </Button>
    </div>
  );
}
