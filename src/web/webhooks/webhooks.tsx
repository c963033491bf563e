import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Webhook } from 'lucide-react';
import { useState } from 'react';
import type { WebhookInfo } from '../../api/webhooks.ts';
import { Button } from '../kit/button.tsx';
import { Dialog } from '../kit/dialog.tsx';
import { useAction } from '../kit/form.tsx';
import { Section } from '../kit/page.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { KindNames } from './kind-names.tsx';
import type { WebhookPlace } from './place.ts';
import { SecretDialog } from './secret-dialog.tsx';
import { WebhookForm, type WebhookWishes } from './webhook-form.tsx';
import { askedAgain, WebhookState } from './webhook-state.tsx';
import { webhookWords } from './webhook-words.ts';

/** The webhooks of a repository, of a user's or an organization's namespace, or of the instance. */
export function Webhooks({ place }: { place: WebhookPlace }) {
  const words = useWords(webhookWords);
  const [making, setMaking] = useState(false);
  const [secret, setSecret] = useState<string>();
  const found = useQuery({
    queryKey: ['webhooks', 'list', place],
    queryFn: () => server.webhooks.list(place === 'instance' ? {} : place),
    refetchInterval: ({ state }) => askedAgain(state.data?.some(({ pending }) => pending > 0) ?? false),
  });
  const add = (
    <Button kind="primary" onClick={() => setMaking(true)}>
      {words.add}
    </Button>
  );
  const kind = place === 'instance' ? 'instance' : 'repository' in place ? 'repository' : 'namespace';
  return (
    <Section
      title={words.title}
      description={words.what[kind]}
      actions={found.data !== undefined && found.data.length > 0 && add}
    >
      <Loaded query={found} rows={2}>
        {(webhooks) =>
          webhooks.length === 0 ? (
            <EmptyState title={words.none} icon={<Webhook className="size-7 text-muted" aria-hidden="true" />}>
              <p>{words.noneWhat}</p>
              {add}
            </EmptyState>
          ) : (
            <WebhookTable webhooks={webhooks} />
          )
        }
      </Loaded>
      <Dialog wide open={making} onClose={() => setMaking(false)} title={words.add}>
        <NewWebhook
          place={place}
          onMade={(made) => {
            setMaking(false);
            setSecret(made);
          }}
        />
      </Dialog>
      {secret !== undefined && <SecretDialog shown={{ secret }} onClose={() => setSecret(undefined)} />}
    </Section>
  );
}

function NewWebhook({ place, onMade }: { place: WebhookPlace; onMade: (secret: string) => void }) {
  const words = useWords(webhookWords);
  const make = useAction(
    ({ authorization, ...wishes }: WebhookWishes) =>
      server.webhooks.create({
        ...(place === 'instance' ? {} : place),
        ...wishes,
        ...(authorization == null ? {} : { authorization }),
      }),
    async ({ secret }) => {
      onMade(secret);
      await queries.invalidateQueries({ queryKey: ['webhooks', 'list'] });
    },
  );
  return <WebhookForm action={words.create} busy={make.busy} problem={make.problem} onSend={make.run} />;
}

function WebhookTable({ webhooks }: { webhooks: readonly WebhookInfo[] }) {
  const words = useWords(webhookWords);
  const columns: Column<WebhookInfo>[] = [
    {
      key: 'url',
      head: words.url,
      cell: ({ id, url, description }) => (
        <>
          <Link
            to="/webhooks/$webhook"
            params={{ webhook: id }}
            className="font-medium break-all text-accent underline"
          >
            {url}
          </Link>
          {description !== '' && <span className="block text-sm break-words text-muted">{description}</span>}
        </>
      ),
    },
    { key: 'shape', head: words.shape, cell: ({ shape }) => words.shapes[shape] },
    { key: 'events', head: words.events, cell: ({ events }) => <KindNames events={events} most={3} /> },
    { key: 'state', head: words.state, cell: (webhook) => <WebhookState webhook={webhook} /> },
  ];
  return <Table label={words.title} columns={columns} rows={webhooks} rowKey={({ id }) => id} />;
}
