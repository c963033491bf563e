import { Send } from 'lucide-react';
import { useState } from 'react';
import type { DeliveryInfo, WebhookInfo } from '../../api/webhooks.ts';
import { useKindName } from '../events/kinds.ts';
import { Badge } from '../kit/badge.tsx';
import { Button } from '../kit/button.tsx';
import { SelectField } from '../kit/field.tsx';
import { Ago } from '../kit/figures.tsx';
import { ShowMore, useListed } from '../kit/listed.tsx';
import { Section } from '../kit/page.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useLanguage, useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { askedAgain } from './webhook-state.tsx';
import { deliveryWords } from './webhook-words.ts';

const SHOWS = ['all', 'pending', 'delivered', 'failed'] as const;

/** What was sent and what waits. @param onLook told of the delivery that somebody wants to see */
export function Deliveries({ webhook, onLook }: { webhook: WebhookInfo; onLook: (delivery: string) => void }) {
  const words = useWords(deliveryWords);
  const [show, setShow] = useState<(typeof SHOWS)[number]>('all');
  const state = show === 'all' ? undefined : show;
  const listed = useListed(
    ['webhooks', 'deliveries', webhook.id, { state }],
    (limit) => server.webhooks.deliveries(webhook.id, state === undefined ? {} : { state }, limit),
    { step: 20, again: (deliveries) => askedAgain(deliveries.some((delivery) => delivery.state === 'pending')) },
  );
  return (
    <Section title={words.title} description={words.what}>
      <div className="mb-3 max-w-60">
        <SelectField
          hideLabel
          label={words.show}
          value={show}
          onValue={setShow}
          choices={SHOWS.map((value) => ({ value, label: words.states[value] }))}
        />
      </div>
      <Loaded query={listed.query} rows={4}>
        {({ entries, more }) =>
          entries.length === 0 ? (
            <EmptyState
              title={show === 'all' ? words.none : words.noMatch}
              icon={<Send className="size-7 text-muted" aria-hidden="true" />}
            >
              {show === 'all' ? words.noneWhat : undefined}
            </EmptyState>
          ) : (
            <>
              <DeliveryTable deliveries={entries} onLook={onLook} />
              <ShowMore more={more} busy={listed.busy} onMore={listed.showMore} />
            </>
          )
        }
      </Loaded>
    </Section>
  );
}

function DeliveryTable({
  deliveries,
  onLook,
}: {
  deliveries: readonly DeliveryInfo[];
  onLook: (delivery: string) => void;
}) {
  const words = useWords(deliveryWords);
  const { language } = useLanguage();
  const nameOf = useKindName();
  const columns: Column<DeliveryInfo>[] = [
    { key: 'at', head: words.at, cell: ({ createdAt }) => <Ago at={createdAt} /> },
    {
      key: 'event',
      head: words.event,
      cell: ({ kind, subject }) => (
        <>
          {kind === null ? <span className="text-muted">{words.gone}</span> : <span title={kind}>{nameOf(kind)}</span>}
          {subject !== null && <span className="block text-sm break-all text-muted">{subject}</span>}
        </>
      ),
    },
    { key: 'state', head: words.state, cell: ({ state }) => <DeliveryState state={state} /> },
    {
      key: 'attempts',
      head: words.attempts,
      end: true,
      cell: ({ attempts }) => <span className="tabular-nums">{attempts.toLocaleString(language)}</span>,
    },
    { key: 'answer', head: words.answer, cell: (delivery) => <Answer {...delivery} /> },
    {
      key: 'took',
      head: words.took,
      end: true,
      cell: ({ durationMs }) =>
        durationMs === null ? '–' : <span className="whitespace-nowrap tabular-nums">{words.ms(durationMs)}</span>,
    },
    {
      key: 'look',
      head: words.look,
      hideHead: true,
      end: true,
      cell: ({ id, subject, kind }) => (
        <Button
          small
          aria-label={words.lookAt(subject ?? (kind === null ? words.gone : nameOf(kind)))}
          onClick={() => onLook(id)}
        >
          {words.look}
        </Button>
      ),
    },
  ];
  return <Table label={words.title} columns={columns} rows={deliveries} rowKey={({ id }) => id} />;
}

export function DeliveryState({ state }: { state: DeliveryInfo['state'] }) {
  const words = useWords(deliveryWords);
  const tones = { pending: 'accent', delivered: 'good', failed: 'bad' } as const;
  return <Badge tone={tones[state]}>{words.states[state]}</Badge>;
}

/** The status that an attempt was answered with, and why it was no success. */
export function Answer({ status, error }: { status: number | null; error: string | null }) {
  if (status === null && error === null) return '–';
  return (
    <>
      {status !== null && <span className="tabular-nums">{status}</span>}
      {error !== null && <span className="block max-w-64 text-sm break-words text-muted">{error}</span>}
    </>
  );
}
