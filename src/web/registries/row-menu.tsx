import { EllipsisVertical } from 'lucide-react';
import { Menu } from '../kit/menu.tsx';
import { useWords } from '../kit/words.tsx';
import { registriesWords } from './registries-words.ts';

/** What can be done with a row of a list, besides what has a button. */
export function RowMenu({
  name,
  removal,
  onChange,
  onRemove,
}: {
  name: string;
  /** What the end of it is called. */
  removal: string;
  onChange: () => void;
  onRemove: () => void;
}) {
  const words = useWords(registriesWords);
  return (
    <Menu
      label={words.more(name)}
      trigger={<EllipsisVertical className="size-5" aria-hidden="true" />}
      entries={[
        { label: words.change, onSelect: onChange },
        { label: removal, danger: true, onSelect: onRemove },
      ]}
    />
  );
}
