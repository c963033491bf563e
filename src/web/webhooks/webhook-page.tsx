import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { WebhookInfo } from '../../api/webhooks.ts';
import { Ago, Moment } from '../kit/figures.tsx';
import { Card, Notice, Page } from '../kit/page.tsx';
import { Loaded } from '../kit/states.tsx';
import { Facts } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { LoggedIn } from '../session.tsx';
import { Deliveries } from './deliveries.tsx';
import { DeliveryDialog } from './delivery-dialog.tsx';
import { KindNames } from './kind-names.tsx';
import { placeLink, placeOf } from './place.ts';
import { WebhookActions } from './webhook-actions.tsx';
import { askedAgain, useDisabledReason, WebhookState } from './webhook-state.tsx';
import { webhookWords } from './webhook-words.ts';

const route = getRouteApi('/webhooks/$webhook');

export function WebhookPage() {
  const { webhook } = route.useParams();
  return <LoggedIn>{() => <OneWebhook key={webhook} id={webhook} />}</LoggedIn>;
}

function OneWebhook({ id }: { id: string }) {
  const words = useWords(webhookWords);
  const { delivery } = route.useSearch();
  const navigate = route.useNavigate();
  const found = useQuery({
    queryKey: ['webhooks', 'one', id],
    queryFn: () => server.webhooks.get(id),
    refetchInterval: ({ state }) => askedAgain((state.data?.pending ?? 0) > 0),
  });
  const { data } = found;
  const look = (next: string | undefined) =>
    void navigate({ search: next === undefined ? {} : { delivery: next }, resetScroll: false });
  return (
    <Page
      title={data?.url ?? words.title}
      above={data !== undefined && <WayBack webhook={data} />}
      description={data?.description || undefined}
      actions={data !== undefined && <WebhookActions webhook={data} onTested={look} />}
    >
      <Loaded query={found} rows={6}>
        {(webhook) => (
          <>
            <Trouble webhook={webhook} />
            <WebhookFacts webhook={webhook} />
            <Deliveries webhook={webhook} onLook={look} />
            {delivery !== undefined && (
              <DeliveryDialog webhook={webhook} delivery={delivery} onClose={() => look(undefined)} />
            )}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function WayBack({ webhook }: { webhook: WebhookInfo }) {
  const words = useWords(webhookWords);
  const { name } = webhook.scope;
  return (
    <Link {...placeLink(placeOf(webhook))} className="inline-block py-1 break-all underline">
      {name === null ? words.title : `${words.title} · ${name}`}
    </Link>
  );
}

function Trouble({ webhook }: { webhook: WebhookInfo }) {
  const words = useWords(webhookWords);
  const reason = useDisabledReason();
  const { enabled, failingSince, retryAt } = webhook;
  if (enabled && failingSince === null) return null;
  return (
    <div className="mb-5">
      {!enabled ? (
        <Notice tone="bad" title={words.disabledTitle}>
          <p>{words.disabledWhat(reason(webhook))}</p>
        </Notice>
      ) : (
        <Notice tone="warn">
          <p className="text-base font-semibold">
            {words.failingTitle} {failingSince !== null && <Moment at={failingSince} />}
          </p>
          <p>{words.failingWhat}</p>
          {retryAt !== null && (
            <p>
              {words.nextTry} <Moment at={retryAt} />
            </p>
          )}
        </Notice>
      )}
    </div>
  );
}

function WebhookFacts({ webhook }: { webhook: WebhookInfo }) {
  const words = useWords(webhookWords);
  return (
    <Card className="mb-8">
      <Facts
        facts={[
          [words.state, <WebhookState key="state" webhook={webhook} />],
          [words.shape, words.shapes[webhook.shape]],
          [words.events, <KindNames key="events" events={webhook.events} />],
          [words.authorization, webhook.hasAuthorization ? words.sent : words.notSent],
          [
            words.made,
            <span key="made">
              <Ago at={webhook.createdAt} /> {words.by(webhook.createdBy)}
            </span>,
          ],
        ]}
      />
      {webhook.anyAddress && <p className="mt-3 text-sm text-muted">{words.anyAddress}</p>}
    </Card>
  );
}
