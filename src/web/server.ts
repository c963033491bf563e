import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import { ApiError, ServerUnreachableError } from '../client/errors.ts';
import { ManagementClient } from '../client/management.ts';
import { Signal } from './signal.ts';

/** The API of the server that this page came from; the browser adds the session's cookie. */
export const server = new ManagementClient(location.origin);

/** Whether the last requests found nobody there. */
export const connectionLost = new Signal(false);

/** Whether a session that was there is there no more. */
export const sessionEnded = new Signal(false);

function observed(error: unknown): void {
  if (error instanceof ServerUnreachableError) connectionLost.set(true);
  else connectionLost.set(false);
  if (error instanceof ApiError && error.status === 401 && queries.getQueryData<Session>(SESSION_KEY)?.user != null) {
    sessionEnded.set(true);
  }
}

type Session = Awaited<ReturnType<typeof server.sessions.current>>;

export const SESSION_KEY = ['session'] as const;

/**
 * What is known of the server. What is shown stays shown while the server is away, and is asked for again by itself; only what might
 * come of another attempt is tried again.
 */
export const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError: observed, onSuccess: () => connectionLost.set(false) }),
  mutationCache: new MutationCache({ onError: observed, onSuccess: () => connectionLost.set(false) }),
  defaultOptions: {
    queries: {
      networkMode: 'always',
      staleTime: 5_000,
      retry: (failures, error) => failures < 2 && !(error instanceof ApiError && error.status < 500),
      retryDelay: (failures) => Math.min(500 * 2 ** failures, 4_000),
      // Until the server is back; then everything is asked for as its page says.
      refetchInterval: (query) => (query.state.error instanceof ServerUnreachableError ? 3_000 : false),
      refetchOnReconnect: true,
    },
    // What changes something is never sent twice by itself.
    // What it answered, a token perhaps, is kept no longer than it is shown.
    mutations: { networkMode: 'always', retry: false, gcTime: 0 },
  },
});
