import { Bot, EllipsisVertical } from 'lucide-react';
import { useState } from 'react';
import type { RobotInfo } from '../../api/robots.ts';
import { Badge } from '../kit/badge.tsx';
import { Button } from '../kit/button.tsx';
import { ConfirmDialog } from '../kit/dialog.tsx';
import { Ago } from '../kit/figures.tsx';
import { useAction } from '../kit/form.tsx';
import { ShowMore, useListed } from '../kit/listed.tsx';
import { Menu } from '../kit/menu.tsx';
import { Section } from '../kit/page.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { EditRobot } from './edit-robot.tsx';
import { RobotTokens } from './robot-tokens.tsx';
import { robotWords } from './robot-words.ts';
import { organizationWords } from './words.ts';

type Open = { view: 'create' } | { view: 'tokens' | 'edit' | 'disable' | 'enable' | 'delete'; robot: RobotInfo };

/** Accounts for machines of a user or an organization. */
export function Robots({ namespace }: { namespace: string }) {
  const words = useWords(robotWords);
  const shared = useWords(organizationWords);
  const [open, setOpen] = useState<Open>();
  const close = () => setOpen(undefined);
  const listed = useListed(['robots', namespace], () => server.robots.list(namespace));
  const columns: Column<RobotInfo>[] = [
    {
      key: 'robot',
      head: words.robot,
      cell: ({ username, description, disabledAt }) => (
        <>
          <span className="font-medium break-all">{username}</span>{' '}
          {disabledAt !== null && <Badge tone="bad">{words.disabled}</Badge>}
          {description !== '' && <span className="block text-sm break-words text-muted">{description}</span>}
        </>
      ),
    },
    { key: 'role', head: words.role, cell: ({ role }) => shared.repositoryRoleNames[role] },
    {
      key: 'where',
      head: words.where,
      cell: ({ repository }) =>
        repository === null ? (
          <span className="text-muted">{words.all}</span>
        ) : (
          <span className="break-all">{repository}</span>
        ),
    },
    {
      key: 'by',
      head: words.by,
      cell: ({ createdBy, createdAt }) => (
        <>
          {createdBy}, <Ago at={createdAt} />
        </>
      ),
    },
    {
      key: 'actions',
      head: shared.actions,
      hideHead: true,
      end: true,
      cell: (robot) => (
        <span className="inline-flex items-center gap-1">
          <Button small aria-label={words.tokensOf(robot.username)} onClick={() => setOpen({ view: 'tokens', robot })}>
            {words.tokens}
          </Button>
          <Menu
            label={words.actions(robot.username)}
            trigger={<EllipsisVertical className="size-5" aria-hidden="true" />}
            entries={[
              { label: words.edit, onSelect: () => setOpen({ view: 'edit', robot }) },
              robot.disabledAt === null
                ? { label: words.disable, onSelect: () => setOpen({ view: 'disable', robot }) }
                : { label: words.enable, onSelect: () => setOpen({ view: 'enable', robot }) },
              { label: words.delete, danger: true, onSelect: () => setOpen({ view: 'delete', robot }) },
            ]}
          />
        </span>
      ),
    },
  ];
  return (
    <Section
      title={shared.parts.robots}
      description={words.what}
      actions={
        <Button kind="primary" onClick={() => setOpen({ view: 'create' })}>
          {words.add}
        </Button>
      }
    >
      <Loaded query={listed.query} rows={3}>
        {({ entries, more }) =>
          entries.length === 0 ? (
            <EmptyState title={words.none} icon={<Bot className="size-7 text-muted" aria-hidden="true" />}>
              {words.noneWhat}
            </EmptyState>
          ) : (
            <>
              <Table label={shared.parts.robots} columns={columns} rows={entries} rowKey={({ name }) => name} />
              <ShowMore more={more} busy={listed.busy} onMore={listed.showMore} />
            </>
          )
        }
      </Loaded>
      {open?.view === 'create' && (
        <EditRobot namespace={namespace} onClose={close} onMade={(robot) => setOpen({ view: 'tokens', robot })} />
      )}
      {open?.view === 'edit' && <EditRobot namespace={namespace} robot={open.robot} onClose={close} onMade={close} />}
      {open?.view === 'tokens' && <RobotTokens namespace={namespace} robot={open.robot} onClose={close} />}
      {(open?.view === 'disable' || open?.view === 'enable' || open?.view === 'delete') && (
        <ConfirmRobot namespace={namespace} action={open.view} robot={open.robot} onClose={close} />
      )}
    </Section>
  );
}

function ConfirmRobot({
  namespace,
  robot: { name, username },
  action,
  onClose,
}: {
  namespace: string;
  robot: RobotInfo;
  action: 'disable' | 'enable' | 'delete';
  onClose: () => void;
}) {
  const words = useWords(robotWords);
  const texts = {
    disable: { title: words.disableTitle(username), what: words.disableWhat, action: words.disable },
    enable: { title: words.enableTitle(username), what: words.enableWhat, action: words.enable },
    delete: { title: words.deleteTitle(username), what: words.deleteWhat, action: words.delete },
  };
  const run = useAction(
    async () => {
      if (action === 'delete') await server.robots.delete(namespace, name);
      else await server.robots.change(namespace, name, { disabled: action === 'disable' });
    },
    async () => {
      await queries.invalidateQueries({ queryKey: ['robots', namespace] });
      onClose();
    },
  );
  const text = texts[action];
  return (
    <ConfirmDialog
      open
      onClose={onClose}
      title={text.title}
      action={text.action}
      danger={action !== 'enable'}
      busy={run.busy}
      problem={run.problem}
      onConfirm={() => run.run(undefined)}
    >
      <p>{text.what}</p>
    </ConfirmDialog>
  );
}
