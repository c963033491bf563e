import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { CacheInfo } from '../../api/caches.ts';
import { Button } from '../kit/button.tsx';
import { Section } from '../kit/page.tsx';
import { Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useLanguage, useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { CacheDialog } from './cache-dialog.tsx';
import { shownPeriod } from './period.ts';
import { useUpstreams } from './queries.ts';
import { registriesWords } from './registries-words.ts';
import { RemoveDialog } from './remove-dialog.tsx';
import { RowMenu } from './row-menu.tsx';

type Open = { kind: 'add' } | { kind: 'change' | 'remove'; cache: CacheInfo };

/** Prefixes below which repositories are another registry's. */
export function Caches() {
  const words = useWords(registriesWords);
  const [open, setOpen] = useState<Open>();
  const close = () => setOpen(undefined);
  const found = useQuery({ queryKey: ['registries', 'caches'], queryFn: () => server.caches.list() });
  const upstreams = useUpstreams().data ?? [];
  return (
    <Section
      title={words.caches}
      description={words.cachesWhat}
      actions={upstreams.length > 0 && <Button onClick={() => setOpen({ kind: 'add' })}>{words.addCache}</Button>}
    >
      <Loaded query={found} rows={1}>
        {(caches) =>
          caches.length === 0 ? (
            <p className="text-muted">{words.noCaches}</p>
          ) : (
            <CacheTable caches={caches} onOpen={setOpen} />
          )
        }
      </Loaded>
      {open?.kind === 'add' && <CacheDialog upstreams={upstreams} onClose={close} />}
      {open?.kind === 'change' && <CacheDialog upstreams={upstreams} cache={open.cache} onClose={close} />}
      {open?.kind === 'remove' && (
        <RemoveDialog
          title={words.endCacheOf(open.cache.prefix)}
          what={words.endCacheWhat}
          action={words.endCache}
          remove={() => server.caches.remove(open.cache.prefix)}
          onClose={close}
        />
      )}
    </Section>
  );
}

function CacheTable({ caches, onOpen }: { caches: readonly CacheInfo[]; onOpen: (open: Open) => void }) {
  const words = useWords(registriesWords);
  const { language } = useLanguage();
  const columns: Column<CacheInfo>[] = [
    {
      key: 'prefix',
      head: words.prefix,
      cell: ({ prefix }) => (
        <Link to="/repositories" search={{ q: `${prefix}/` }} className="font-medium break-all text-accent underline">
          {prefix}/
        </Link>
      ),
    },
    {
      key: 'from',
      head: words.from,
      cell: ({ address, remotePrefix }) => (
        <span className="break-all">{remotePrefix === '' ? address : `${address}/${remotePrefix}`}</span>
      ),
    },
    { key: 'fresh', head: words.fresh, cell: ({ freshSeconds }) => words.period(shownPeriod(freshSeconds)) },
    { key: 'visibility', head: words.mayPull, cell: ({ visibility }) => words.visibilities[visibility] },
    {
      key: 'pulled',
      head: words.pulled,
      end: true,
      cell: ({ repositories }) => <span className="tabular-nums">{repositories.toLocaleString(language)}</span>,
    },
    {
      key: 'actions',
      head: words.actions,
      hideHead: true,
      end: true,
      cell: (cache) => (
        <RowMenu
          name={`${cache.prefix}/`}
          removal={words.endCache}
          onChange={() => onOpen({ kind: 'change', cache })}
          onRemove={() => onOpen({ kind: 'remove', cache })}
        />
      ),
    },
  ];
  return <Table label={words.caches} columns={columns} rows={caches} rowKey={({ prefix }) => prefix} />;
}
