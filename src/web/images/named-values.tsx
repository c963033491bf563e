import { useState } from 'react';
import { Button } from '../kit/button.tsx';
import { TextField } from '../kit/field.tsx';
import { Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { PushedText } from './pushed-text.tsx';
import { imageWords } from './words.ts';

export interface NamedValue {
  name: string;
  value: string;
}

/** From so many on they can be searched. */
const MANY = 10;
const AT_ONCE = 100;

/** Environment variables, labels or annotations. Names may come twice. */
export function NamedValues({ label, values }: { label: string; values: readonly NamedValue[] }) {
  const words = useWords(imageWords);
  const [wanted, setWanted] = useState('');
  const [most, setMost] = useState(AT_ONCE);
  const text = wanted.trim().toLowerCase();
  const numbered = values.map((entry, number) => ({ ...entry, number }));
  const found = text === '' ? numbered : numbered.filter((entry) => holds(entry, text));
  return (
    <div className="grid gap-3">
      {values.length > MANY && (
        <div className="max-w-sm">
          <TextField
            label={words.filter(label)}
            hideLabel
            placeholder={words.filter(label)}
            type="search"
            value={wanted}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => setWanted(event.target.value)}
          />
        </div>
      )}
      <p role="status" className={found.length > 0 ? 'sr-only' : 'text-muted'}>
        {found.length === 0 ? words.nothingFound : ''}
      </p>
      {found.length > 0 && (
        <Table
          label={label}
          rows={found.slice(0, most)}
          rowKey={(entry) => String(entry.number)}
          columns={[
            { key: 'name', head: words.name, cell: (entry) => <Name text={entry.name} /> },
            { key: 'value', head: words.value, cell: (entry) => <PushedText text={entry.value} mono /> },
          ]}
        />
      )}
      {found.length > most && (
        <div>
          <Button onClick={() => setMost(most + AT_ONCE)}>
            {words.showMore(Math.min(AT_ONCE, found.length - most))}
          </Button>
        </div>
      )}
    </div>
  );
}

/** As wide as names are, also beside a value without a place to break. */
function Name({ text }: { text: string }) {
  return (
    <div className="sm:min-w-48">
      <PushedText text={text} mono most={200} />
    </div>
  );
}

function holds(entry: NamedValue, text: string): boolean {
  return entry.name.toLowerCase().includes(text) || entry.value.toLowerCase().includes(text);
}

/** In the order of their names. */
export function entriesOf(values: Readonly<Record<string, string>>): NamedValue[] {
  return Object.entries(values)
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
