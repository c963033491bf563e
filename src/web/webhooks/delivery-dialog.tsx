import { useQuery } from '@tanstack/react-query';
import type { DeliveryDetails, WebhookInfo } from '../../api/webhooks.ts';
import { useKindName } from '../events/kinds.ts';
import { visibleText } from '../images/visible-text.ts';
import { Button } from '../kit/button.tsx';
import { CodeBlock } from '../kit/copy.tsx';
import { Dialog } from '../kit/dialog.tsx';
import { Moment } from '../kit/figures.tsx';
import { FormProblem, useAction } from '../kit/form.tsx';
import { Loaded } from '../kit/states.tsx';
import { Facts } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { Answer, DeliveryState } from './deliveries.tsx';
import { askedAgain } from './webhook-state.tsx';
import { deliveryWords } from './webhook-words.ts';

/** One delivery: what was sent, what each attempt was answered, and the way to send it again. */
export function DeliveryDialog({
  webhook,
  delivery,
  onClose,
}: {
  webhook: WebhookInfo;
  delivery: string;
  onClose: () => void;
}) {
  const words = useWords(deliveryWords);
  const found = useQuery({
    queryKey: ['webhooks', 'delivery', webhook.id, delivery],
    queryFn: () => server.webhooks.delivery(webhook.id, delivery),
    refetchInterval: ({ state }) => askedAgain(state.data?.state === 'pending'),
  });
  const again = useAction(
    () => server.webhooks.redeliver(webhook.id, delivery),
    () => queries.invalidateQueries({ queryKey: ['webhooks'] }),
  );
  return (
    <Dialog
      wide
      open
      onClose={onClose}
      title={words.one}
      footer={
        <Button
          kind="primary"
          busy={again.busy}
          disabled={!webhook.enabled || found.data === undefined || found.data.state === 'pending'}
          onClick={() => again.run()}
        >
          {words.redeliver}
        </Button>
      }
    >
      <div className="grid gap-4">
        <FormProblem problem={again.problem} />
        <Loaded query={found} rows={5}>
          {(details) => <Details details={details} />}
        </Loaded>
      </div>
    </Dialog>
  );
}

function Details({ details }: { details: DeliveryDetails }) {
  const words = useWords(deliveryWords);
  const nameOf = useKindName();
  const { id, kind, subject, state, attempts, createdAt, finishedAt, body, log } = details;
  return (
    <>
      <Facts
        facts={[
          [words.state, <DeliveryState key="state" state={state} />],
          [words.event, kind === null ? words.gone : [nameOf(kind), subject].filter(Boolean).join(' · ')],
          [
            words.id,
            <code key="id" className="font-mono text-sm break-all">
              {id}
            </code>,
          ],
          [words.at, <Moment key="at" at={createdAt} />],
          ...(finishedAt === null ? [] : [[words.finished, <Moment key="finished" at={finishedAt} />] as const]),
          [words.attempts, String(attempts)],
        ]}
      />
      <section className="grid gap-2">
        <h3 className="font-semibold">{words.body}</h3>
        {body === null ? (
          <p className="text-muted">{words.notYet}</p>
        ) : (
          <CodeBlock label={words.body} code={visibleText(indented(body))} />
        )}
      </section>
      {log.length > 0 && (
        <section className="grid gap-2">
          <h3 className="font-semibold">{words.log(log.length)}</h3>
          <ol className="grid gap-3">
            {log.map((attempt) => (
              <li key={attempt.at} className="grid min-w-0 gap-2 rounded-lg border border-line p-3">
                <Attempt attempt={attempt} />
              </li>
            ))}
          </ol>
        </section>
      )}
    </>
  );
}

function Attempt({ attempt }: { attempt: DeliveryDetails['log'][number] }) {
  const words = useWords(deliveryWords);
  const { at, durationMs, status, response, headers } = attempt;
  return (
    <>
      <div className="flex flex-wrap items-baseline gap-x-4 gap-y-1">
        <Moment at={at} />
        <span className="tabular-nums">{words.ms(durationMs)}</span>
        <Answer {...attempt} />
      </div>
      {response === null ? (
        <p className="text-sm text-muted">{words.hidden}</p>
      ) : response === '' ? (
        status !== null && <p className="text-sm text-muted">{words.noResponse}</p>
      ) : (
        <CodeBlock label={words.response} code={visibleText(response)} />
      )}
      <details>
        <summary className="cursor-pointer text-sm text-accent">{words.headers}</summary>
        <pre className="mt-1 rounded-md bg-sunken p-2 font-mono text-xs break-all whitespace-pre-wrap">
          {Object.entries(headers)
            .map(([name, value]) => `${name}: ${value}`)
            .join('\n')}
        </pre>
      </details>
    </>
  );
}

/** JSON on several lines; anything else as it is. */
function indented(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
