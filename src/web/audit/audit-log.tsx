import { useState } from 'react';
import type { AuditLineInfo } from '../../api/audit.ts';
import type { AuditFilter } from '../../client/audit.ts';
import { Badge } from '../kit/badge.tsx';
import { Button } from '../kit/button.tsx';
import { SelectField, TextField } from '../kit/field.tsx';
import { Ago } from '../kit/figures.tsx';
import { ShowMore, useListed } from '../kit/listed.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { auditWords } from './audit-words.ts';
import { withoutMissing } from './filter.ts';

/** Lines of an audit log, filtered by the server. @param name of the log among those that are kept, e.g. `['audit', 'acme']` */
export function AuditLog({
  name,
  filter,
  onFilter,
  list,
}: {
  name: readonly string[];
  filter: AuditFilter;
  onFilter: (filter: AuditFilter) => void;
  list: (filter: AuditFilter, limit: number) => AsyncIterable<AuditLineInfo>;
}) {
  const words = useWords(auditWords);
  const listed = useListed([...name, filter], (limit) => list(filter, limit), { step: 50 });
  const filtered = Object.values(filter).some((value) => value !== undefined);
  return (
    <>
      <details open={filtered || wide()} className="mb-4">
        <summary className="mb-2 min-h-8 cursor-pointer font-medium">{words.filter}</summary>
        <FilterForm key={JSON.stringify(filter)} filter={filter} filtered={filtered} onFilter={onFilter} />
      </details>
      <Loaded query={listed.query} rows={10}>
        {({ entries, more }) =>
          entries.length === 0 ? (
            <EmptyState title={filtered ? words.noMatch : words.empty}>
              {filtered ? words.noMatchWhat : words.emptyWhat}
            </EmptyState>
          ) : (
            <>
              <Lines lines={entries} />
              <ShowMore more={more} busy={listed.busy} onMore={listed.showMore} />
            </>
          )
        }
      </Loaded>
    </>
  );
}

/** Where the form would push the lines off the screen, it is opened by hand. */
function wide(): boolean {
  return matchMedia('(min-width: 40rem)').matches;
}

function Lines({ lines }: { lines: readonly AuditLineInfo[] }) {
  const words = useWords(auditWords);
  const columns: Column<AuditLineInfo>[] = [
    { key: 'at', head: words.at, cell: ({ at }) => <Ago at={at} /> },
    { key: 'actor', head: words.actor, cell: ({ actor }) => <span className="break-all">{actor}</span> },
    { key: 'action', head: words.action, cell: ({ action }) => <code className="font-mono text-sm">{action}</code> },
    { key: 'subject', head: words.subject, cell: ({ subject }) => <span className="break-all">{subject}</span> },
    {
      key: 'outcome',
      head: words.outcome,
      cell: ({ outcome }) => <Badge tone={outcome === 'done' ? 'neutral' : 'warn'}>{words.outcomes[outcome]}</Badge>,
    },
    { key: 'source', head: words.source, cell: ({ source }) => <span className="text-sm break-all">{source}</span> },
    {
      key: 'detail',
      head: words.details,
      cell: ({ detail }) =>
        detail === null ? null : (
          <details>
            <summary className="cursor-pointer text-sm text-accent">{words.details}</summary>
            <pre className="mt-1 max-w-72 rounded-md bg-sunken p-2 font-mono text-xs break-all whitespace-pre-wrap">
              {JSON.stringify(detail, null, 2)}
            </pre>
          </details>
        ),
    },
  ];
  return <Table label={words.lines} columns={columns} rows={lines} rowKey={({ id }) => id} />;
}

function FilterForm({
  filter,
  filtered,
  onFilter,
}: {
  filter: AuditFilter;
  filtered: boolean;
  onFilter: (filter: AuditFilter) => void;
}) {
  const words = useWords(auditWords);
  const [actor, setActor] = useState(filter.actor ?? '');
  const [action, setAction] = useState(filter.action ?? '');
  const [subject, setSubject] = useState(filter.subject ?? '');
  const [outcome, setOutcome] = useState<'any' | 'done' | 'refused'>(filter.outcome ?? 'any');
  const [since, setSince] = useState(localTime(filter.since));
  const [until, setUntil] = useState(localTime(filter.until));
  const apply = () => {
    const wanted: AuditFilter = {
      actor: actor.trim() || undefined,
      action: action.trim() || undefined,
      subject: subject.trim() || undefined,
      outcome: outcome === 'any' ? undefined : outcome,
      since: wholeTime(since),
      until: wholeTime(until),
    };
    onFilter(withoutMissing(wanted));
  };
  return (
    <form
      aria-label={words.filter}
      className="grid gap-3 sm:grid-cols-2 lg:grid-cols-3"
      onSubmit={(event) => {
        event.preventDefault();
        apply();
      }}
    >
      <TextField
        label={words.actor}
        hint={words.actorHint}
        value={actor}
        onChange={(event) => setActor(event.target.value)}
        autoCapitalize="none"
        spellCheck={false}
      />
      <TextField
        label={words.action}
        hint={words.actionHint}
        value={action}
        onChange={(event) => setAction(event.target.value)}
        autoCapitalize="none"
        spellCheck={false}
      />
      <TextField
        label={words.subject}
        hint={words.subjectHint}
        value={subject}
        onChange={(event) => setSubject(event.target.value)}
        autoCapitalize="none"
        spellCheck={false}
      />
      <SelectField
        label={words.outcome}
        value={outcome}
        onValue={setOutcome}
        choices={(['any', 'done', 'refused'] as const).map((value) => ({ value, label: words.outcomes[value] }))}
      />
      <TextField
        label={words.since}
        type="datetime-local"
        value={since}
        onChange={(event) => setSince(event.target.value)}
      />
      <TextField
        label={words.until}
        type="datetime-local"
        value={until}
        onChange={(event) => setUntil(event.target.value)}
      />
      <div className="flex flex-wrap gap-2 sm:col-span-full">
        <Button type="submit" kind="primary">
          {words.apply}
        </Button>
        {filtered && <Button onClick={() => onFilter({})}>{words.clear}</Button>}
      </div>
    </form>
  );
}

/** For the browser's field of a time, in the time zone of who looks. '' for none. */
function localTime(at: string | undefined): string {
  if (at === undefined) return '';
  const time = new Date(at);
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function wholeTime(local: string): string | undefined {
  return local === '' ? undefined : new Date(local).toISOString();
}
