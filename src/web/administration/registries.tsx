import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Network } from 'lucide-react';
import type { CacheInfo } from '../../api/caches.ts';
import type { UpstreamInfo } from '../../api/upstreams.ts';
import { Button } from '../kit/button.tsx';
import { classes } from '../kit/classes.ts';
import { CodeBlock } from '../kit/copy.tsx';
import { FormProblem, useAction } from '../kit/form.tsx';
import { Section } from '../kit/page.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useLanguage, useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { Administration } from './administration.tsx';
import { Mirrors } from './mirrors.tsx';
import { registriesWords } from './registries-words.ts';

export function RegistriesPage() {
  const words = useWords(registriesWords);
  return (
    <Administration current="registries" title={words.title} description={words.what}>
      {() => (
        <>
          <Upstreams />
          <Caches />
          <Mirrors />
        </>
      )}
    </Administration>
  );
}

function Upstreams() {
  const words = useWords(registriesWords);
  const found = useQuery({ queryKey: ['registries', 'upstreams'], queryFn: () => server.upstreams.list() });
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
      key: 'check',
      head: words.actions,
      hideHead: true,
      end: true,
      cell: ({ name }) => <Check name={name} />,
    },
  ];
  return (
    <Section title={words.upstreams} description={words.upstreamsWhat}>
      <Loaded query={found} rows={2}>
        {(upstreams) =>
          upstreams.length === 0 ? (
            <EmptyState title={words.noUpstreams} icon={<Network className="size-7 text-muted" aria-hidden="true" />}>
              <p>{words.noUpstreamsWhat}</p>
              <div className="w-full min-w-0 text-left">
                <CodeBlock label={words.addCommand} code="berth upstream create hub docker.io" />
              </div>
            </EmptyState>
          ) : (
            <Table label={words.upstreams} columns={columns} rows={upstreams} rowKey={({ name }) => name} />
          )
        }
      </Loaded>
    </Section>
  );
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

function Caches() {
  const words = useWords(registriesWords);
  const { language } = useLanguage();
  const found = useQuery({ queryKey: ['registries', 'caches'], queryFn: () => server.caches.list() });
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
    { key: 'fresh', head: words.fresh, cell: ({ freshSeconds }) => words.seconds(freshSeconds) },
    {
      key: 'pulled',
      head: words.pulled,
      end: true,
      cell: ({ repositories }) => <span className="tabular-nums">{repositories.toLocaleString(language)}</span>,
    },
  ];
  return (
    <Section title={words.caches} description={words.cachesWhat}>
      <Loaded query={found} rows={1}>
        {(caches) =>
          caches.length === 0 ? (
            <p className="text-muted">{words.noCaches}</p>
          ) : (
            <Table label={words.caches} columns={columns} rows={caches} rowKey={({ prefix }) => prefix} />
          )
        }
      </Loaded>
    </Section>
  );
}
