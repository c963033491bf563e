import { useQuery } from '@tanstack/react-query';
import { queries, server } from '../server.ts';

export function useUpstreams() {
  return useQuery({ queryKey: ['registries', 'upstreams'], queryFn: () => server.upstreams.list() });
}

/** Caches and mirrors are named in the list of upstreams: what changes one changes both. */
export function registriesChanged(): Promise<void> {
  return queries.invalidateQueries({ queryKey: ['registries'] });
}
