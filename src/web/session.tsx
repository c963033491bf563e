import { type QueryKey, useQuery } from '@tanstack/react-query';
import { useLocation, useNavigate } from '@tanstack/react-router';
import { Fragment, type ReactNode, useEffect, useState } from 'react';
import { ApiError } from '../client/errors.ts';
import type { SessionInfo } from '../client/sessions.ts';
import { ErrorState, Skeleton } from './kit/states.tsx';
import { queries, SESSION_KEY, server, sessionEnded } from './server.ts';

/** As the server would answer. */
const FORBIDDEN = new ApiError({ status: 403, code: 'DENIED', detail: 'only an administrator may see this' });

export type SessionUser = NonNullable<SessionInfo['user']>;

export function useSession() {
  return useQuery({ queryKey: SESSION_KEY, queryFn: askSession, staleTime: 60_000 });
}

/**
 * Who is logged in by now. A session that is there no more is not taken for nobody's: what is open stays, and `sessionEnded` asks to log
 * in again. Somebody else, who logged in at another tab of this browser, is shown nothing that was for the one before.
 */
async function askSession(): Promise<SessionInfo> {
  const now = await server.sessions.current();
  const before = queries.getQueryData<SessionInfo>(SESSION_KEY);
  if (before?.user == null) return now;
  sessionEnded.set(now.user === null);
  if (now.user === null) return before;
  if (now.user.id !== before.user.id) void queries.resetQueries({ predicate: isOfUser });
  return now;
}

function isOfUser({ queryKey }: { queryKey: QueryKey }): boolean {
  return queryKey[0] !== SESSION_KEY[0] && queryKey[0] !== 'instance';
}

/** Who is logged in; null for nobody, undefined while that is asked for. */
export function useUser(): SessionUser | null | undefined {
  return useSession().data?.user;
}

/** What the registry is and whom it lets in. */
export function useInstance() {
  return useQuery({ queryKey: ['instance'], queryFn: () => server.instance.get(), staleTime: 300_000 });
}

/** After a log-in, a log-out or another account: nothing that was for somebody else is kept. */
export async function sessionChanged(): Promise<void> {
  await queries.cancelQueries();
  const now = await server.sessions.current();
  queries.removeQueries({ predicate: isOfUser });
  queries.setQueryData<SessionInfo>(SESSION_KEY, now);
  sessionEnded.set(false);
}

/** For pages that are somebody's: who is not logged in is asked to, and comes back. */
export function LoggedIn({
  children,
  administrator = false,
}: {
  children: (user: SessionUser) => ReactNode;
  administrator?: boolean;
}) {
  const session = useSession();
  if (session.data === undefined) {
    if (session.error !== null) return <ErrorState problem={session.error} onRetry={() => void session.refetch()} />;
    return <Skeleton />;
  }
  const { user } = session.data;
  if (user === null) return <ToLogIn />;
  if (administrator && !user.administrator) return <ErrorState problem={FORBIDDEN} />;
  // What somebody has typed is nobody else's.
  return <Fragment key={user.id}>{children(user)}</Fragment>;
}

/** Goes to the log-in, which leads back to where this was first shown. */
function ToLogIn() {
  const { href } = useLocation();
  const [next] = useState(href);
  const navigate = useNavigate();
  useEffect(() => {
    void navigate({ to: '/login', search: { next }, replace: true });
  }, [navigate, next]);
  return <Skeleton />;
}
