import { EllipsisVertical, Users } from 'lucide-react';
import { useState } from 'react';
import type { UserInfo } from '../../api/users.ts';
import { Badge } from '../kit/badge.tsx';
import { Button } from '../kit/button.tsx';
import { TextField } from '../kit/field.tsx';
import { Ago } from '../kit/figures.tsx';
import { ShowMore, useFound, useListed } from '../kit/listed.tsx';
import { Menu } from '../kit/menu.tsx';
import { Notice } from '../kit/page.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { Administration } from './administration.tsx';
import { CreateUser } from './create-user.tsx';
import { type UserAction, UserDialog } from './user-dialogs.tsx';
import { userWords } from './user-words.ts';
import { administrationWords } from './words.ts';

/** So many are searched by typing. */
const LOADED = 1_000;

export function UsersPage() {
  const words = useWords(userWords);
  const [open, setOpen] = useState<'create' | { user: UserInfo; action: UserAction }>();
  const [done, setDone] = useState<string>();
  const close = (said?: string) => {
    setOpen(undefined);
    if (said !== undefined) setDone(said);
  };
  return (
    <Administration
      current="users"
      title={words.title}
      actions={
        <Button kind="primary" onClick={() => setOpen('create')}>
          {words.add}
        </Button>
      }
    >
      {(self) => (
        <>
          <div role="status" className="mb-4 empty:mb-0">
            {done !== undefined && <Notice tone="good">{done}</Notice>}
          </div>
          <UserTable self={self.username} onAction={(user, action) => setOpen({ user, action })} />
          {open === 'create' && <CreateUser onClose={close} />}
          {typeof open === 'object' && <UserDialog {...open} onClose={close} />}
        </>
      )}
    </Administration>
  );
}

function UserTable({ self, onAction }: { self: string; onAction: (user: UserInfo, action: UserAction) => void }) {
  const words = useWords(userWords);
  const shared = useWords(administrationWords);
  const listed = useListed(['users'], () => server.users.list(), { step: LOADED });
  const found = useFound(listed, ({ username, name, email }) => `${username} ${name} ${email ?? ''}`);
  const columns: Column<UserInfo>[] = [
    {
      key: 'user',
      head: words.user,
      cell: ({ username, name }) => (
        <>
          <span className="font-medium break-all">{username}</span>
          {username === self && <span className="text-muted"> ({words.you})</span>}
          {name !== username && <span className="block text-sm break-words text-muted">{name}</span>}
        </>
      ),
    },
    {
      key: 'email',
      head: words.email,
      cell: ({ email }) =>
        email === null ? (
          <span className="text-muted">{words.noEmail}</span>
        ) : (
          <span className="break-all">{email}</span>
        ),
    },
    {
      key: 'state',
      head: words.state,
      cell: ({ administrator, twoFactor, disabledAt }) => (
        <span className="flex flex-wrap gap-1">
          {administrator && <Badge tone="accent">{words.administrator}</Badge>}
          {twoFactor && <Badge tone="good">{words.twoFactor}</Badge>}
          {disabledAt !== null && <Badge tone="bad">{words.disabled}</Badge>}
        </span>
      ),
    },
    { key: 'created', head: words.created, cell: ({ createdAt }) => <Ago at={createdAt} /> },
    {
      key: 'actions',
      head: words.actions,
      hideHead: true,
      end: true,
      cell: (user) => (
        <Menu
          label={words.actionsFor(user.username)}
          className="ml-auto grid size-10 place-items-center rounded-md hover:bg-hover max-sm:ml-0"
          trigger={<EllipsisVertical className="size-5" aria-hidden="true" />}
          entries={actionsOf(user).map(({ action, danger }) => ({
            label: labelOf(action),
            ...(danger ? { danger } : {}),
            onSelect: () => onAction(user, action),
          }))}
        />
      ),
    },
  ];
  function labelOf(action: UserAction): string {
    const labels: Record<UserAction, string> = {
      edit: words.edit,
      password: words.setPassword,
      twoFactor: words.resetTwoFactor,
      promote: words.makeAdministrator,
      demote: words.demote,
      disable: words.disable,
      enable: words.enable,
      delete: words.delete,
    };
    return labels[action];
  }
  return (
    <>
      <div className="mb-4 max-w-md">
        <TextField
          label={shared.find}
          type="search"
          value={found.typed}
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => found.type(event.target.value)}
          hint={found.searched === undefined ? undefined : shared.onlyLoaded(found.searched)}
        />
      </div>
      <Loaded query={listed.query}>
        {() => (
          <>
            {found.rows.length === 0 ? (
              <EmptyState title={shared.noneFound} icon={<Users className="size-7 text-muted" aria-hidden="true" />}>
                {shared.noneFoundWhat}
              </EmptyState>
            ) : (
              <Table label={words.title} columns={columns} rows={found.rows} rowKey={({ username }) => username} />
            )}
            <ShowMore more={found.more} busy={found.busy} onMore={found.showMore} />
          </>
        )}
      </Loaded>
    </>
  );
}

function actionsOf({ administrator, twoFactor, disabledAt }: UserInfo): { action: UserAction; danger?: boolean }[] {
  return [
    { action: 'edit' },
    { action: 'password' },
    ...(twoFactor ? [{ action: 'twoFactor' as const }] : []),
    { action: administrator ? 'demote' : 'promote' },
    { action: disabledAt === null ? 'disable' : 'enable' },
    { action: 'delete', danger: true },
  ];
}
