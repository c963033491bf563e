import type { WebhookInfo } from '../../api/webhooks.ts';
import { Badge } from '../kit/badge.tsx';
import { Ago } from '../kit/figures.tsx';
import { useWords } from '../kit/words.tsx';
import { webhookWords } from './webhook-words.ts';

/** Something waits: it is asked for so often, … */
const WAITING_MS = 1_000;
/** … else so often. */
const QUIET_MS = 5_000;

/** ms after which what is known of webhooks is asked for again. */
export function askedAgain(waiting: boolean): number {
  return waiting ? WAITING_MS : QUIET_MS;
}

/** Fine, failing since when, or disabled and why; in a line. */
export function WebhookState({ webhook }: { webhook: WebhookInfo }) {
  const words = useWords(webhookWords);
  const reason = useDisabledReason();
  const { enabled, failingSince, pending } = webhook;
  return (
    <span className="inline-flex flex-wrap items-center gap-x-2 gap-y-1">
      {!enabled ? (
        <>
          <Badge tone="bad">{words.states.disabled}</Badge>
          <span className="text-sm text-muted">{reason(webhook)}</span>
        </>
      ) : failingSince !== null ? (
        <>
          <Badge tone="warn">{words.states.failing}</Badge>
          <span className="text-sm text-muted">
            {words.firstFailed} <Ago at={failingSince} />
          </span>
        </>
      ) : (
        <Badge tone="good">{words.states.fine}</Badge>
      )}
      {pending > 0 && <span className="text-sm text-muted">{words.waiting(pending)}</span>}
    </span>
  );
}

/** The server's words, but for what a person did. */
export function useDisabledReason(): (webhook: WebhookInfo) => string {
  const words = useWords(webhookWords);
  return ({ disabledReason }) =>
    disabledReason === null || disabledReason === 'by hand' ? words.byHand : disabledReason;
}
