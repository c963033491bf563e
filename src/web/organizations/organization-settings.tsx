import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import type { OrganizationInfo } from '../../api/organizations.ts';
import { DeletionChoice, ready, useFate } from '../deletion/deletion.tsx';
import { Button } from '../kit/button.tsx';
import { ConfirmDialog } from '../kit/dialog.tsx';
import { TextArea, TextField } from '../kit/field.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { Card, Section } from '../kit/page.tsx';
import { Loaded } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { organizationWords } from './words.ts';

export function OrganizationSettings({ organization }: { organization: OrganizationInfo }) {
  const words = useWords(organizationWords);
  const { name } = organization;
  const [displayName, setDisplayName] = useState(organization.displayName);
  const [description, setDescription] = useState(organization.description);
  const [deleting, setDeleting] = useState(false);
  const save = useAction(
    () => server.organizations.change(name, { displayName: displayName.trim(), description: description.trim() }),
    () => queries.invalidateQueries({ queryKey: ['organizations'] }),
  );
  return (
    <>
      <Section title={words.parts.settings}>
        <Card className="max-w-2xl">
          <Form
            action={words.settingsSave}
            busy={save.busy}
            problem={save.problem}
            onSend={() => save.run(undefined)}
            extra={
              <span role="status" className="text-good">
                {save.result !== undefined && words.saved}
              </span>
            }
          >
            <TextField
              label={words.displayName}
              problem={fieldProblem(save.problem, 'displayName')}
              maxLength={100}
              value={displayName}
              onChange={(event) => {
                setDisplayName(event.target.value);
                save.reset();
              }}
            />
            <TextArea
              label={words.description}
              problem={fieldProblem(save.problem, 'description')}
              maxLength={1000}
              value={description}
              onChange={(event) => {
                setDescription(event.target.value);
                save.reset();
              }}
            />
          </Form>
        </Card>
      </Section>
      <Section title={words.danger} description={words.dangerWhat}>
        <Button kind="danger" onClick={() => setDeleting(true)}>
          {words.deleteTitle(name)}
        </Button>
        {deleting && <DeleteOrganization name={name} onClose={() => setDeleting(false)} />}
      </Section>
    </>
  );
}

function DeleteOrganization({ name, onClose }: { name: string; onClose: () => void }) {
  const words = useWords(organizationWords);
  const navigate = useNavigate();
  const fate = useFate();
  const deletion = useQuery({
    queryKey: ['organizations', 'deletion', name],
    queryFn: () => server.organizations.deletion(name),
    staleTime: 0,
  });
  const remove = useAction(
    () => {
      const moved = deletion.data?.repositories.length !== 0 && fate.chosen !== 'delete';
      return server.organizations.delete(name, moved ? fate.transferTo.trim() : undefined);
    },
    async () => {
      await navigate({ to: '/organizations' });
      queries.removeQueries({ queryKey: ['organizations', 'one', name] });
      queries.removeQueries({ queryKey: ['organizations', 'deletion', name] });
      await queries.invalidateQueries({ queryKey: ['organizations'] });
    },
  );
  return (
    <ConfirmDialog
      open
      onClose={onClose}
      title={words.deleteTitle(name)}
      action={words.delete}
      confirm={name}
      disabled={!ready(deletion.data, fate.chosen)}
      busy={remove.busy}
      problem={remove.problem}
      onConfirm={() => remove.run(undefined)}
    >
      <p>
        {words.dangerWhat} {words.deleted}
      </p>
      <Loaded query={deletion} rows={2}>
        {(known) => <DeletionChoice deletion={known} mayRemove={false} {...fate} />}
      </Loaded>
    </ConfirmDialog>
  );
}
