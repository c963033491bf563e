import { useState } from 'react';
import { InvitationList } from '../invitations/invitation-list.tsx';
import { invitationWords } from '../invitations/invitation-words.ts';
import { InviteDialog } from '../invitations/invite-dialog.tsx';
import { Button } from '../kit/button.tsx';
import { Section } from '../kit/page.tsx';
import { useWords } from '../kit/words.tsx';

export function OrganizationInvitations({ organization }: { organization: string }) {
  const words = useWords(invitationWords);
  const [open, setOpen] = useState(false);
  return (
    <Section
      title={words.title}
      description={words.what}
      actions={
        <Button kind="primary" onClick={() => setOpen(true)}>
          {words.invite}
        </Button>
      }
    >
      <InvitationList organization={organization} />
      {open && <InviteDialog organization={organization} onClose={() => setOpen(false)} />}
    </Section>
  );
}
