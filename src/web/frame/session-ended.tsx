import { lazy, Suspense } from 'react';
import { sessionEnded } from '../server.ts';
import { useSignal } from '../signal.ts';

const LogInAgain = lazy(async () => ({ default: (await import('../getting-in/log-in-again.tsx')).LogInAgain }));

/** A session that ended in the middle of things: the page and what was typed stay, and a window asks to log in again. */
export function SessionEnded() {
  if (!useSignal(sessionEnded)) return null;
  return (
    <Suspense>
      <LogInAgain />
    </Suspense>
  );
}
