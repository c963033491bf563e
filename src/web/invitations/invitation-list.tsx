import { Mail } from 'lucide-react';
import { useState } from 'react';
import type { InvitationInfo } from '../../api/invitations.ts';
import { Badge } from '../kit/badge.tsx';
import { Button } from '../kit/button.tsx';
import { ConfirmDialog } from '../kit/dialog.tsx';
import { Ago, useNow } from '../kit/figures.tsx';
import { useAction } from '../kit/form.tsx';
import { ShowMore, useListed } from '../kit/listed.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { invitationWords } from './invitation-words.ts';

/** @param organization only those into it; without it all of the registry's */
export function InvitationList({ organization }: { organization?: string }) {
  const words = useWords(invitationWords);
  const now = useNow();
  const [leaving, setLeaving] = useState<InvitationInfo>();
  const listed = useListed(['invitations', organization ?? null], () => server.invitations.list(organization));
  const withdraw = useAction(
    (id: string) => server.invitations.revoke(id),
    async () => {
      await queries.invalidateQueries({ queryKey: ['invitations'] });
      setLeaving(undefined);
    },
  );
  const whom = (invitation: InvitationInfo) => invitation.email ?? words.anyone;
  const columns: Column<InvitationInfo>[] = [
    { key: 'for', head: words.forWhom, cell: (invitation) => <span className="break-all">{whom(invitation)}</span> },
    {
      key: 'into',
      head: words.into,
      cell: ({ organization: into, role }) =>
        into === null ? (
          <span className="text-muted">{words.none}</span>
        ) : (
          `${into}${role === null ? '' : ` (${words.roleNames[role]})`}`
        ),
    },
    { key: 'by', head: words.by, cell: ({ createdBy }) => createdBy },
    {
      key: 'state',
      head: words.state,
      cell: ({ usedAt, usedBy, expiresAt }) => {
        if (usedAt !== null) return <Badge tone="good">{words.used(usedBy ?? '?')}</Badge>;
        if (Date.parse(expiresAt) <= now) return <Badge>{words.expired}</Badge>;
        return <Badge tone="accent">{words.open}</Badge>;
      },
    },
    { key: 'until', head: words.until, cell: ({ expiresAt }) => <Ago at={expiresAt} /> },
    {
      key: 'withdraw',
      head: words.withdraw,
      hideHead: true,
      end: true,
      cell: (invitation) =>
        invitation.usedAt === null && (
          <Button
            small
            aria-label={words.withdrawOf(whom(invitation))}
            onClick={() => {
              withdraw.reset();
              setLeaving(invitation);
            }}
          >
            {words.withdraw}
          </Button>
        ),
    },
  ];
  return (
    <>
      <Loaded query={listed.query}>
        {({ entries, more }) =>
          entries.length === 0 ? (
            <EmptyState title={words.empty} icon={<Mail className="size-7 text-muted" aria-hidden="true" />}>
              {words.emptyWhat}
            </EmptyState>
          ) : (
            <>
              <Table label={words.title} columns={columns} rows={entries} rowKey={({ id }) => id} />
              <ShowMore more={more} busy={listed.busy} onMore={listed.showMore} />
            </>
          )
        }
      </Loaded>
      {leaving !== undefined && (
        <ConfirmDialog
          open
          onClose={() => setLeaving(undefined)}
          title={words.withdrawOf(whom(leaving))}
          action={words.withdraw}
          busy={withdraw.busy}
          problem={withdraw.problem}
          onConfirm={() => withdraw.run(leaving.id)}
        >
          <p>{words.withdrawWhat}</p>
        </ConfirmDialog>
      )}
    </>
  );
}
