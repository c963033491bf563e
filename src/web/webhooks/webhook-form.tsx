import { useState } from 'react';
import { WEBHOOK_SHAPES, type WebhookInfo } from '../../api/webhooks.ts';
import { CheckField, PasswordField, SelectField, TextField } from '../kit/field.tsx';
import { Form, fieldProblem } from '../kit/form.tsx';
import { useWords } from '../kit/words.tsx';
import { choiceOf, eventsOf } from './kind-choice.ts';
import { KindFields } from './kind-fields.tsx';
import { webhookWords } from './webhook-words.ts';

/** What is sent to the server of a webhook that is made or changed. */
export interface WebhookWishes {
  url: string;
  shape: WebhookInfo['shape'];
  events: string[];
  description: string;
  /** undefined: as it is */
  authorization: string | null | undefined;
}

const FIELDS = ['url', 'shape', 'events', 'description', 'authorization'] as const;

/** @param webhook that is changed; undefined for one that is made */
export function WebhookForm({
  webhook,
  action,
  busy,
  problem,
  onSend,
}: {
  webhook?: WebhookInfo;
  action: string;
  busy: boolean;
  problem: unknown;
  onSend: (wishes: WebhookWishes) => void;
}) {
  const words = useWords(webhookWords);
  const [url, setUrl] = useState(webhook?.url ?? '');
  const [shape, setShape] = useState(webhook?.shape ?? 'berth');
  const [choice, setChoice] = useState(() => choiceOf(webhook?.events ?? ['*']));
  const [description, setDescription] = useState(webhook?.description ?? '');
  const [authorization, setAuthorization] = useState('');
  const [without, setWithout] = useState(false);
  const sent = webhook?.hasAuthorization === true;
  const events = eventsOf(choice);
  const problemOf = (field: (typeof FIELDS)[number]) => fieldProblem(problem, field);
  const atField = FIELDS.some((field) => problemOf(field) !== undefined);
  return (
    <Form
      action={action}
      busy={busy}
      problem={atField ? null : problem}
      disabled={url.trim() === '' || events.length === 0}
      onSend={() =>
        onSend({
          url: url.trim(),
          shape,
          events,
          description: description.trim(),
          authorization: without ? null : authorization.trim() === '' ? undefined : authorization.trim(),
        })
      }
    >
      <TextField
        label={words.url}
        hint={words.urlHint}
        problem={problemOf('url')}
        required
        inputMode="url"
        maxLength={2000}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        autoFocus={webhook === undefined}
        value={url}
        onChange={(event) => setUrl(event.target.value)}
      />
      <SelectField
        label={words.shape}
        hint={words.shapeHint[shape]}
        problem={problemOf('shape')}
        value={shape}
        onValue={setShape}
        choices={WEBHOOK_SHAPES.map((value) => ({ value, label: words.shapes[value] }))}
      />
      <KindFields choice={choice} problem={problemOf('events')} onChange={setChoice} />
      <TextField
        label={words.description}
        hint={words.descriptionHint}
        problem={problemOf('description')}
        maxLength={500}
        autoComplete="off"
        value={description}
        onChange={(event) => setDescription(event.target.value)}
      />
      {!without && (
        <PasswordField
          label={words.authorization}
          hint={sent ? words.authorizationKept : words.authorizationHint}
          problem={problemOf('authorization')}
          maxLength={2000}
          autoComplete="off"
          value={authorization}
          onChange={(event) => setAuthorization(event.target.value)}
        />
      )}
      {sent && (
        <CheckField
          label={words.authorizationNone}
          checked={without}
          onChange={(event) => setWithout(event.target.checked)}
        />
      )}
    </Form>
  );
}
