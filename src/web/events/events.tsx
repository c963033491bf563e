import { Link } from '@tanstack/react-router';
import { Activity } from 'lucide-react';
import { useState } from 'react';
import type { EventInfo } from '../../api/events.ts';
import { CheckField, type Choice, SelectField } from '../kit/field.tsx';
import { Ago } from '../kit/figures.tsx';
import { ShowMore, useListed } from '../kit/listed.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { eventWords } from './event-words.ts';
import { GROUPS, kindsOfGroup, useKindName } from './kinds.ts';
import { subjectLink } from './subject-link.ts';

export type EventPlace = { repository: string } | { namespace: string } | 'instance';

const FOLLOW_MS = 2_000;
const ALL = 'all';

/** What happened to what the viewer may read, newest first, and what happens while one looks. */
export function Events({ place }: { place: EventPlace }) {
  const words = useWords(eventWords);
  const [kind, setKind] = useState(ALL);
  const [following, setFollowing] = useState(true);
  const filter = { ...(place === 'instance' ? {} : place), ...(kind === ALL ? {} : { kind }) };
  const listed = useListed(['events', filter], (limit) => server.events.list(filter, limit, 'newest'), {
    step: 50,
    again: () => (following ? FOLLOW_MS : undefined),
  });
  return (
    <>
      {place !== 'instance' && (
        <p className="mb-4 text-muted">{'repository' in place ? words.what.repository : words.what.namespace}</p>
      )}
      <div className="mb-4 flex flex-wrap items-end gap-x-6 gap-y-3">
        <div className="w-full max-w-xs">
          <SelectField label={words.show} value={kind} onValue={setKind} choices={useKindChoices()} />
        </div>
        <div className="sm:py-2">
          <CheckField
            label={words.follow}
            title={words.followWhat}
            checked={following}
            onChange={(event) => setFollowing(event.target.checked)}
          />
        </div>
      </div>
      <Loaded query={listed.query} rows={8}>
        {({ entries, more }) =>
          entries.length === 0 ? (
            <EmptyState
              title={kind === ALL ? words.none : words.noMatch}
              icon={<Activity className="size-7 text-muted" aria-hidden="true" />}
            >
              {kind === ALL ? words.noneWhat : words.noMatchWhat}
            </EmptyState>
          ) : (
            <>
              <EventTable events={entries} />
              <ShowMore more={more} busy={listed.busy} onMore={listed.showMore} />
            </>
          )
        }
      </Loaded>
    </>
  );
}

function useKindChoices(): Choice<string>[] {
  const words = useWords(eventWords);
  return [
    { value: ALL, label: words.all },
    ...GROUPS.flatMap((group) => [
      { value: `${group}.*`, label: words.allOf(words.groups[group]) },
      ...kindsOfGroup(group).map((kind) => ({ value: kind as string, label: words.kinds[kind] })),
    ]),
  ];
}

function EventTable({ events }: { events: readonly EventInfo[] }) {
  const words = useWords(eventWords);
  const nameOf = useKindName();
  const columns: Column<EventInfo>[] = [
    { key: 'at', head: words.at, cell: ({ at }) => <Ago at={at} /> },
    { key: 'kind', head: words.kind, cell: ({ kind }) => <span title={kind}>{nameOf(kind)}</span> },
    { key: 'subject', head: words.subject, cell: (event) => <Subject event={event} /> },
    { key: 'actor', head: words.actor, cell: ({ actor }) => <span className="break-all">{actor}</span> },
    {
      key: 'details',
      head: words.details,
      hideHead: true,
      cell: ({ kind, data }) => (
        <details>
          <summary className="cursor-pointer text-sm text-accent">{words.details}</summary>
          <pre className="mt-1 max-w-80 rounded-md bg-sunken p-2 font-mono text-xs break-all whitespace-pre-wrap">
            {JSON.stringify({ kind, ...data }, null, 2)}
          </pre>
        </details>
      ),
    },
  ];
  return <Table label={words.title} columns={columns} rows={events} rowKey={({ id }) => id} />;
}

function Subject({ event }: { event: EventInfo }) {
  const link = subjectLink(event);
  const { subject } = event;
  // Of a digest its beginning tells it from others; all of it is among the details.
  const shown = subject.replace(/(@sha256:[0-9a-f]{12})[0-9a-f]{52}$/, '$1');
  if (link === undefined) return <span className="break-all">{shown}</span>;
  return (
    <Link {...link} title={subject} className="break-all text-accent underline">
      {shown}
    </Link>
  );
}
