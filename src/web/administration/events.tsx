import { eventWords } from '../events/event-words.ts';
import { Events } from '../events/events.tsx';
import { useWords } from '../kit/words.tsx';
import { Administration } from './administration.tsx';

export function EventsPage() {
  const words = useWords(eventWords);
  return (
    <Administration current="events" title={words.title} description={words.what.instance}>
      {() => <Events place="instance" />}
    </Administration>
  );
}
