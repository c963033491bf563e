import { useState } from 'react';
import { InvitationList } from '../invitations/invitation-list.tsx';
import { invitationWords } from '../invitations/invitation-words.ts';
import { InviteDialog } from '../invitations/invite-dialog.tsx';
import { Button } from '../kit/button.tsx';
import { useWords } from '../kit/words.tsx';
import { Administration } from './administration.tsx';

export function InvitationsPage() {
  const words = useWords(invitationWords);
  const [open, setOpen] = useState(false);
  return (
    <Administration
      current="invitations"
      title={words.title}
      description={words.what}
      actions={
        <Button kind="primary" onClick={() => setOpen(true)}>
          {words.invite}
        </Button>
      }
    >
      {() => (
        <>
          <InvitationList />
          {open && <InviteDialog onClose={() => setOpen(false)} />}
        </>
      )}
    </Administration>
  );
}
