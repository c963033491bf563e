import { useState } from 'react';
import { Button } from '../kit/button.tsx';
import { CodeBlock } from '../kit/copy.tsx';
import { Dialog } from '../kit/dialog.tsx';
import { SelectField, TextField } from '../kit/field.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { Notice } from '../kit/page.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { invitationWords } from './invitation-words.ts';

type Role = 'member' | 'owner';

/** Makes an invitation; its link is shown once. @param organization the only one that it may be into */
export function InviteDialog({ onClose, organization: fixed }: { onClose: () => void; organization?: string }) {
  const words = useWords(invitationWords);
  const [email, setEmail] = useState('');
  const [into, setInto] = useState(fixed ?? '');
  const [role, setRole] = useState<Role>('member');
  const [days, setDays] = useState('7');
  const organization = into.trim();
  const create = useAction(
    () =>
      server.invitations.create({
        ...(email.trim() === '' ? {} : { email: email.trim() }),
        ...(organization === '' ? {} : { organization, role }),
        expiresInDays: Number(days),
      }),
    () => queries.invalidateQueries({ queryKey: ['invitations'] }),
  );
  const made = create.result;
  if (made !== undefined) {
    return (
      <Dialog
        open
        onClose={onClose}
        title={words.made}
        footer={
          <Button kind="primary" onClick={onClose}>
            {words.done}
          </Button>
        }
      >
        <div className="grid gap-4">
          <Notice tone="warn">{words.madeWhat}</Notice>
          <CodeBlock label={words.link} code={location.origin + made.path} />
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog open onClose={onClose} title={words.invite} description={words.what}>
      <Form action={words.make} busy={create.busy} problem={create.problem} onSend={() => create.run(undefined)}>
        <TextField
          label={words.email}
          hint={words.emailHint}
          type="email"
          autoComplete="off"
          value={email}
          problem={fieldProblem(create.problem, 'email')}
          onChange={(event) => setEmail(event.target.value)}
        />
        {fixed === undefined && (
          <TextField
            label={words.organization}
            hint={words.organizationHint}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            value={into}
            problem={fieldProblem(create.problem, 'organization')}
            onChange={(event) => setInto(event.target.value)}
          />
        )}
        {organization !== '' && (
          <SelectField
            label={words.role}
            value={role}
            onValue={setRole}
            choices={(['member', 'owner'] as const).map((value) => ({ value, label: words.roles[value] }))}
          />
        )}
        <TextField
          label={words.days}
          hint={words.daysHint}
          type="number"
          min={1}
          max={30}
          required
          value={days}
          problem={fieldProblem(create.problem, 'expiresInDays')}
          onChange={(event) => setDays(event.target.value)}
        />
      </Form>
    </Dialog>
  );
}
