import { useEffect, useState } from 'react';
import { ServerUnreachableError } from '../../client/errors.ts';

/** What a query brings; while the server is away, what it last brought, also for another search. */
export function useLastKnown<Data>({ data, error }: { data: Data | undefined; error: unknown }): Data | undefined {
  const [last, setLast] = useState(data);
  useEffect(() => {
    if (data !== undefined) setLast(data);
  }, [data]);
  return data ?? (error instanceof ServerUnreachableError ? last : undefined);
}
