import { useWords } from '../kit/words.tsx';
import { Retention } from '../retention/retention.tsx';
import { Administration } from './administration.tsx';
import { administrationWords } from './words.ts';

export function RetentionPage() {
  const words = useWords(administrationWords);
  return (
    <Administration current="retention" title={words.retentionTitle} description={words.retentionWhat}>
      {() => (
        <div className="max-w-3xl">
          <Retention place="instance" />
        </div>
      )}
    </Administration>
  );
}
