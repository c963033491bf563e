import { Link, useNavigate } from '@tanstack/react-router';
import { Building2 } from 'lucide-react';
import { useState } from 'react';
import type { OrganizationInfo } from '../../api/organizations.ts';
import { Badge } from '../kit/badge.tsx';
import { Button, ButtonLink } from '../kit/button.tsx';
import { Dialog } from '../kit/dialog.tsx';
import { TextArea, TextField } from '../kit/field.tsx';
import { Ago } from '../kit/figures.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { ShowMore, useListed } from '../kit/listed.tsx';
import { Card, Page, Section } from '../kit/page.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { LoggedIn } from '../session.tsx';
import { organizationWords } from './words.ts';

export function OrganizationsPage() {
  const words = useWords(organizationWords);
  const [open, setOpen] = useState(false);
  return (
    <LoggedIn>
      {({ username }) => (
        <Page
          title={words.title}
          description={words.what}
          actions={
            <Button kind="primary" onClick={() => setOpen(true)}>
              {words.add}
            </Button>
          }
        >
          <Section title={words.yours}>
            <Mine />
          </Section>
          <Section title={words.own}>
            <Card className="flex flex-wrap items-center justify-between gap-3">
              <p className="min-w-0 break-words">{words.ownWhat(username)}</p>
              <ButtonLink to="/o/$namespace/$part" params={{ namespace: username, part: 'robots' }}>
                {words.ownLink(username)}
              </ButtonLink>
            </Card>
          </Section>
          {open && <CreateOrganization onClose={() => setOpen(false)} />}
        </Page>
      )}
    </LoggedIn>
  );
}

function Mine() {
  const words = useWords(organizationWords);
  const listed = useListed(['organizations', 'mine'], () => server.organizations.list());
  const columns: Column<OrganizationInfo>[] = [
    {
      key: 'name',
      head: words.name,
      cell: ({ name, displayName }) => (
        <>
          <Link to="/o/$namespace" params={{ namespace: name }} className="font-medium break-all text-accent underline">
            {name}
          </Link>
          {displayName !== name && <span className="block text-sm break-words text-muted">{displayName}</span>}
        </>
      ),
    },
    { key: 'description', head: words.description, cell: ({ description }) => description },
    {
      key: 'role',
      head: words.role,
      cell: ({ role }) =>
        role !== null && <Badge tone={role === 'owner' ? 'accent' : 'neutral'}>{words.roles[role]}</Badge>,
    },
    { key: 'created', head: words.created, cell: ({ createdAt }) => <Ago at={createdAt} /> },
  ];
  return (
    <Loaded query={listed.query} rows={3}>
      {({ entries, more }) =>
        entries.length === 0 ? (
          <EmptyState title={words.none} icon={<Building2 className="size-7 text-muted" aria-hidden="true" />}>
            {words.noneWhat}
          </EmptyState>
        ) : (
          <>
            <Table label={words.yours} columns={columns} rows={entries} rowKey={({ name }) => name} />
            <ShowMore more={more} busy={listed.busy} onMore={listed.showMore} />
          </>
        )
      }
    </Loaded>
  );
}

function CreateOrganization({ onClose }: { onClose: () => void }) {
  const words = useWords(organizationWords);
  const navigate = useNavigate();
  const [name, setName] = useState('');
  const [displayName, setDisplayName] = useState('');
  const [description, setDescription] = useState('');
  const create = useAction(
    () =>
      server.organizations.create({
        name: name.trim(),
        ...(displayName.trim() === '' ? {} : { displayName: displayName.trim() }),
        ...(description.trim() === '' ? {} : { description: description.trim() }),
      }),
    async (made) => {
      await queries.invalidateQueries({ queryKey: ['organizations'] });
      await navigate({ to: '/o/$namespace', params: { namespace: made.name } });
    },
  );
  return (
    <Dialog open onClose={onClose} title={words.add} description={words.what}>
      <Form action={words.create} busy={create.busy} problem={create.problem} onSend={() => create.run(undefined)}>
        <TextField
          label={words.name}
          hint={words.nameHint}
          problem={fieldProblem(create.problem, 'name')}
          required
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <TextField
          label={words.displayName}
          problem={fieldProblem(create.problem, 'displayName')}
          maxLength={100}
          value={displayName}
          onChange={(event) => setDisplayName(event.target.value)}
        />
        <TextArea
          label={words.description}
          problem={fieldProblem(create.problem, 'description')}
          maxLength={1000}
          value={description}
          onChange={(event) => setDescription(event.target.value)}
        />
      </Form>
    </Dialog>
  );
}
