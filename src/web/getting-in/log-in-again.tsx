import { useEffect, useState } from 'react';
import type { SessionInfo } from '../../client/sessions.ts';
import { Button } from '../kit/button.tsx';
import { Dialog } from '../kit/dialog.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, SESSION_KEY, server, sessionEnded } from '../server.ts';
import { useUser } from '../session.tsx';
import { LogInForm } from './log-in-form.tsx';
import { gettingInWords } from './words.ts';

/**
 * Over a page whose session has ended: who was logged in logs in again, and goes on where it was. Closed without that, it comes back with
 * the next request that is refused.
 */
export function LogInAgain() {
  const words = useWords(gettingInWords);
  const before = useUser();
  const [other, setOther] = useState<string>();
  useEffect(() => {
    // In another tab of this browser.
    const look = () => {
      if (document.visibilityState === 'visible') void takeUp(before?.id).then(setOther, () => {});
    };
    document.addEventListener('visibilitychange', look);
    window.addEventListener('focus', look);
    return () => {
      document.removeEventListener('visibilitychange', look);
      window.removeEventListener('focus', look);
    };
  }, [before?.id]);
  if (before == null) return null;
  return (
    <Dialog
      open
      onClose={() => sessionEnded.set(false)}
      title={words.sessionEnded}
      description={other === undefined ? words.sessionEndedWhat : words.otherUser(other, before.username)}
      footer={
        <Button kind="quiet" onClick={() => location.assign(other === undefined ? '/login' : '/')}>
          {other === undefined ? words.someoneElse : words.goOnAs(other)}
        </Button>
      }
    >
      <LogInForm username={before.username} next="/" newTab onDone={async () => setOther(await takeUp(before.id))} />
    </Dialog>
  );
}

/** Goes on when who was logged in is again. @returns the name of somebody else who is; undefined for nobody */
async function takeUp(id: string | undefined): Promise<string | undefined> {
  const now = await server.sessions.current();
  if (now.user === null) return undefined;
  if (now.user.id !== id) return now.user.username;
  queries.setQueryData<SessionInfo>(SESSION_KEY, now);
  sessionEnded.set(false);
  await queries.invalidateQueries();
  return undefined;
}
