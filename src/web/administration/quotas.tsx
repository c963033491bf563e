import { useQuery } from '@tanstack/react-query';
import { HardDrive } from 'lucide-react';
import { useState } from 'react';
import type { NamespaceUsageInfo } from '../../api/quotas.ts';
import { Button } from '../kit/button.tsx';
import { ConfirmDialog } from '../kit/dialog.tsx';
import { Bytes, formatBytes } from '../kit/figures.tsx';
import { useAction } from '../kit/form.tsx';
import { ShowMore, useListed } from '../kit/listed.tsx';
import { Section } from '../kit/page.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { Full, UsageBar } from '../quotas/held.tsx';
import { quotaWords } from '../quotas/quota-words.ts';
import { queries, server } from '../server.ts';
import { Administration } from './administration.tsx';
import { QuotaDialog, type QuotaHolder } from './quota-dialog.tsx';

/** Names without a namespace, as the API calls them. */
const UNNAMED = '_';

export function QuotasPage() {
  const words = useWords(quotaWords);
  return (
    <Administration current="quotas" title={words.title} description={words.what}>
      {() => (
        <>
          <Default />
          <Namespaces />
        </>
      )}
    </Administration>
  );
}

function Default() {
  const words = useWords(quotaWords);
  const [changing, setChanging] = useState(false);
  const found = useQuery({ queryKey: ['quotas', 'default'], queryFn: () => server.quotas.default() });
  return (
    <Section title={words.default}>
      <Loaded query={found} rows={1}>
        {({ bytes }) => (
          <div className="flex flex-wrap items-center gap-3">
            <p>{bytes === null ? words.noDefault : words.defaultIs(formatBytes(bytes))}</p>
            <Button small onClick={() => setChanging(true)}>
              {words.changeDefault}
            </Button>
            {changing && <QuotaDialog holder={{ kind: 'default' }} bytes={bytes} onClose={() => setChanging(false)} />}
          </div>
        )}
      </Loaded>
    </Section>
  );
}

function Namespaces() {
  const words = useWords(quotaWords);
  const [setting, setSetting] = useState<{ holder: QuotaHolder; bytes: number | null }>();
  const [removing, setRemoving] = useState<string>();
  const listed = useListed(['quotas', 'list'], () => server.quotas.list());
  return (
    <Section
      title={words.namespaces}
      actions={
        <Button
          kind="primary"
          onClick={() => setSetting({ holder: { kind: 'namespace', name: undefined }, bytes: null })}
        >
          {words.set}
        </Button>
      }
    >
      <Loaded query={listed.query} rows={4}>
        {({ entries, more }) =>
          entries.length === 0 ? (
            <EmptyState title={words.none} icon={<HardDrive className="size-7 text-muted" aria-hidden="true" />}>
              {words.noneWhat}
            </EmptyState>
          ) : (
            <>
              <UsageTable
                usages={entries}
                onSet={({ namespace, quota, fromDefault }) =>
                  setSetting({ holder: { kind: 'namespace', name: namespace }, bytes: fromDefault ? null : quota })
                }
                onRemove={setRemoving}
              />
              <ShowMore more={more} busy={listed.busy} onMore={listed.showMore} />
            </>
          )
        }
      </Loaded>
      {setting !== undefined && <QuotaDialog {...setting} onClose={() => setSetting(undefined)} />}
      {removing !== undefined && <RemoveQuota namespace={removing} onClose={() => setRemoving(undefined)} />}
    </Section>
  );
}

function UsageTable({
  usages,
  onSet,
  onRemove,
}: {
  usages: readonly NamespaceUsageInfo[];
  onSet: (usage: NamespaceUsageInfo) => void;
  onRemove: (namespace: string) => void;
}) {
  const words = useWords(quotaWords);
  const columns: Column<NamespaceUsageInfo>[] = [
    {
      key: 'namespace',
      head: words.namespace,
      cell: ({ namespace }) => (
        <>
          <span className="font-medium break-all">{namespace}</span>
          {namespace === UNNAMED && <span className="text-sm text-muted"> {words.unnamed}</span>}
        </>
      ),
    },
    { key: 'holds', head: words.holds, end: true, cell: ({ used }) => <Bytes bytes={used} /> },
    {
      key: 'may',
      head: words.mayHold,
      end: true,
      cell: ({ quota, fromDefault }) =>
        quota === null ? (
          <span className="text-muted">{words.unlimited}</span>
        ) : (
          <>
            <Bytes bytes={quota} />
            {fromDefault && <span className="text-sm text-muted"> ({words.fromDefault})</span>}
          </>
        ),
    },
    {
      key: 'used',
      head: words.used,
      cell: (usage) =>
        usage.quota !== null && (
          <span className="flex w-full max-w-48 items-center gap-2">
            <span className="grow">
              <UsageBar usage={usage} />
            </span>
            <Full usage={usage} />
          </span>
        ),
    },
    {
      key: 'actions',
      head: words.actions,
      hideHead: true,
      end: true,
      cell: (usage) => (
        <span className="inline-flex items-center gap-1">
          <Button small aria-label={words.setOf(usage.namespace)} onClick={() => onSet(usage)}>
            {words.change}
          </Button>
          {usage.quota !== null && !usage.fromDefault && (
            <Button small aria-label={words.removeOf(usage.namespace)} onClick={() => onRemove(usage.namespace)}>
              {words.remove}
            </Button>
          )}
        </span>
      ),
    },
  ];
  return <Table label={words.namespaces} columns={columns} rows={usages} rowKey={({ namespace }) => namespace} />;
}

function RemoveQuota({ namespace, onClose }: { namespace: string; onClose: () => void }) {
  const words = useWords(quotaWords);
  const remove = useAction(
    () => server.quotas.remove(namespace),
    async () => {
      await queries.invalidateQueries({ queryKey: ['quotas'] });
      onClose();
    },
  );
  return (
    <ConfirmDialog
      open
      onClose={onClose}
      title={words.removeOf(namespace)}
      action={words.remove}
      busy={remove.busy}
      problem={remove.problem}
      onConfirm={() => remove.run(undefined)}
    >
      <p>{words.removeWhat}</p>
    </ConfirmDialog>
  );
}
