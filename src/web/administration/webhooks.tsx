import { useWords } from '../kit/words.tsx';
import { webhookWords } from '../webhooks/webhook-words.ts';
import { Webhooks } from '../webhooks/webhooks.tsx';
import { Administration } from './administration.tsx';
import { administrationWords } from './words.ts';

export function WebhooksPage() {
  const words = useWords(webhookWords);
  const all = useWords(administrationWords);
  return (
    <Administration current="webhooks" title={words.title} description={all.webhooksWhat}>
      {() => <Webhooks place="instance" />}
    </Administration>
  );
}
