import { Link } from '@tanstack/react-router';
import { Building2 } from 'lucide-react';
import type { OrganizationInfo } from '../../api/organizations.ts';
import { ButtonLink } from '../kit/button.tsx';
import { TextField } from '../kit/field.tsx';
import { Ago } from '../kit/figures.tsx';
import { ShowMore, useFound, useListed } from '../kit/listed.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { Administration } from './administration.tsx';
import { administrationWords } from './words.ts';

export function AllOrganizationsPage() {
  const words = useWords(administrationWords);
  return (
    <Administration current="organizations" title={words.organizationsTitle} description={words.organizationsWhat}>
      {() => <Organizations />}
    </Administration>
  );
}

function Organizations() {
  const words = useWords(administrationWords);
  const listed = useListed(['organizations', 'all'], () => server.organizations.list(true), { step: 1_000 });
  const found = useFound(listed, ({ name, displayName }) => `${name} ${displayName}`);
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
    { key: 'created', head: words.created, cell: ({ createdAt }) => <Ago at={createdAt} /> },
  ];
  return (
    <Loaded query={listed.query}>
      {({ entries }) =>
        entries.length === 0 ? (
          <EmptyState
            title={words.noOrganizations}
            icon={<Building2 className="size-7 text-muted" aria-hidden="true" />}
          >
            <p>{words.noOrganizationsWhat}</p>
            <ButtonLink to="/organizations">{words.makeOrganization}</ButtonLink>
          </EmptyState>
        ) : (
          <>
            <div className="mb-4 max-w-md">
              <TextField
                label={words.find}
                type="search"
                value={found.typed}
                autoCapitalize="none"
                spellCheck={false}
                onChange={(event) => found.type(event.target.value)}
                hint={found.searched === undefined ? undefined : words.onlyLoaded(found.searched)}
              />
            </div>
            {found.rows.length === 0 ? (
              <EmptyState title={words.noneFound}>{words.noneFoundWhat}</EmptyState>
            ) : (
              <Table label={words.organizationsTitle} columns={columns} rows={found.rows} rowKey={({ name }) => name} />
            )}
            <ShowMore more={found.more} busy={found.busy} onMore={found.showMore} />
          </>
        )
      }
    </Loaded>
  );
}
