import { useQuery } from '@tanstack/react-query';
import { server } from '../server.ts';

const EMPTY_REFRESH_MS = 3_000;

export function repositoryKey(name: string) {
  return ['repository', name] as const;
}

/** A repository. One that is empty is looked at again until its first push. */
export function useRepository(name: string) {
  return useQuery({
    queryKey: repositoryKey(name),
    queryFn: () => server.repositories.get(name),
    refetchInterval: ({ state }) => (state.data?.tags === 0 ? EMPTY_REFRESH_MS : false),
  });
}
