import { useWords } from '../kit/words.tsx';
import { webhookWords } from './webhook-words.ts';

/** Kinds and groups by the names that the API, the log and the receiver know. @param most of them; the others are counted */
export function KindNames({ events, most = events.length }: { events: readonly string[]; most?: number }) {
  const words = useWords(webhookWords);
  const named = events.filter((kind) => kind !== '*');
  const shown = named.slice(0, most);
  return (
    <span className="flex flex-wrap items-center gap-x-2 gap-y-1" title={events.join(', ')}>
      {events.includes('*') && <span>{words.everything}</span>}
      {shown.map((kind) => (
        <code key={kind} className="font-mono text-sm">
          {kind}
        </code>
      ))}
      {named.length > shown.length && <span className="text-sm text-muted">+{named.length - shown.length}</span>}
    </span>
  );
}
