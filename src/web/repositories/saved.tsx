import { useWords } from '../kit/words.tsx';
import { settingsWords } from './settings-words.ts';

/** Said aloud once something is saved. */
export function Saved({ shown, text }: { shown: boolean; text?: string }) {
  const words = useWords(settingsWords);
  return (
    <span role="status" className="text-sm text-good">
      {shown ? (text ?? words.saved) : ''}
    </span>
  );
}
