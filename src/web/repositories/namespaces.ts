import { useQuery } from '@tanstack/react-query';
import { take } from '../kit/take.ts';
import { server } from '../server.ts';

/** As many as a list of choices is of use for. */
const MOST_ORGANIZATIONS = 200;

/** The user's own namespace and those of its organizations. */
export function useNamespaces(username: string | undefined): string[] {
  const organizations = useQuery({
    queryKey: ['organizations', 'names'],
    queryFn: async () => (await take(server.organizations.list(), MOST_ORGANIZATIONS)).map(({ name }) => name),
    enabled: username !== undefined,
    staleTime: 60_000,
  });
  return username === undefined ? [] : [username, ...(organizations.data ?? [])];
}
