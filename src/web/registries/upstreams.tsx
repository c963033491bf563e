import { Network } from 'lucide-react';
import { useState } from 'react';
import type { UpstreamInfo } from '../../api/upstreams.ts';
import { Button } from '../kit/button.tsx';
import { classes } from '../kit/classes.ts';
import { FormProblem, useAction } from '../kit/form.tsx';
import { Section } from '../kit/page.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { useUpstreams } from './queries.ts';
import { registriesWords } from './registries-words.ts';
import { RemoveDialog } from './remove-dialog.tsx';
import { RowMenu } from './row-menu.tsx';
import { UpstreamDialog } from './upstream-dialog.tsx';

type Open = { kind: 'add' } | { kind: 'change' | 'remove'; upstream: UpstreamInfo };

/** Other registries by name: where they are, as whom they are asked, and what uses them. */
export function Upstreams() {
  const words = useWords(registriesWords);
  const [open, setOpen] = useState<Open>();
  const close = () => setOpen(undefined);
  const found = useUpstreams();
  const add = (
    <Button kind="primary" onClick={() => setOpen({ kind: 'add' })}>
      {words.addUpstream}
    </Button>
  );
  return (
    <Section
      title={words.upstreams}
      description={words.upstreamsWhat}
      actions={found.data !== undefined && found.data.length > 0 && add}
    >
      <Loaded query={found} rows={2}>
        {(upstreams) =>
          upstreams.length === 0 ? (
            <EmptyState title={words.noUpstreams} icon={<Network className="size-7 text-muted" aria-hidden="true" />}>
              <p>{words.noUpstreamsWhat}</p>
              {add}
            </EmptyState>
          ) : (
            <UpstreamTable upstreams={upstreams} onOpen={setOpen} />
          )
        }
      </Loaded>
      {open?.kind === 'add' && <UpstreamDialog onClose={close} />}
      {open?.kind === 'change' && <UpstreamDialog upstream={open.upstream} onClose={close} />}
      {open?.kind === 'remove' && (
        <RemoveDialog
          title={words.deleteOf(open.upstream.name)}
          what={words.deleteUpstreamWhat}
          action={words.delete}
          remove={() => server.upstreams.delete(open.upstream.name)}
          onClose={close}
        />
      )}
    </Section>
  );
}

function UpstreamTable({ upstreams, onOpen }: { upstreams: readonly UpstreamInfo[]; onOpen: (open: Open) => void }) {
  const words = useWords(registriesWords);
  const columns: Column<UpstreamInfo>[] = [
    { key: 'name', head: words.name, cell: ({ name }) => <span className="font-medium break-all">{name}</span> },
    { key: 'address', head: words.address, cell: ({ address }) => <span className="break-all">{address}</span> },
    {
      key: 'user',
      head: words.user,
      cell: ({ username }) =>
        username === null ? (
          <span className="text-muted">{words.nobody}</span>
        ) : (
          <span className="break-all">{username}</span>
        ),
    },
    {
      key: 'uses',
      head: words.uses,
      cell: ({ caches, mirrors }) => {
        const uses = [...caches.map((prefix) => `${prefix}/…`), ...mirrors];
        return uses.length === 0 ? (
          <span className="text-muted">{words.unused}</span>
        ) : (
          <span className="break-words">{uses.join(', ')}</span>
        );
      },
    },
    {
      key: 'actions',
      head: words.actions,
      hideHead: true,
      end: true,
      cell: (upstream) => (
        <span className="inline-flex flex-wrap items-center gap-1 sm:justify-end">
          <Check name={upstream.name} />
          <RowMenu
            name={upstream.name}
            removal={words.delete}
            onChange={() => onOpen({ kind: 'change', upstream })}
            onRemove={() => onOpen({ kind: 'remove', upstream })}
          />
        </span>
      ),
    },
  ];
  return <Table label={words.upstreams} columns={columns} rows={upstreams} rowKey={({ name }) => name} />;
}

/** Asks the registry now; what came of it stands beside the button. */
function Check({ name }: { name: string }) {
  const words = useWords(registriesWords);
  const check = useAction(() => server.upstreams.check(name));
  const { result } = check;
  return (
    <span className="inline-flex flex-wrap items-center gap-2 sm:justify-end">
      <span role="status" className={classes('text-sm empty:hidden', result?.ok === false ? 'text-bad' : 'text-good')}>
        {result !== undefined && (result.ok ? (result.login ? words.fineLogin : words.fine) : result.why)}
      </span>
      <FormProblem problem={check.problem} />
      <Button small aria-label={words.checkOf(name)} busy={check.busy} onClick={() => check.run()}>
        {words.check}
      </Button>
    </span>
  );
}
