import { CircleDot, CircleMinus, CirclePlus } from 'lucide-react';
import { useState } from 'react';
import type { ImageInfo } from '../../api/images.ts';
import { Badge } from '../kit/badge.tsx';
import { Button } from '../kit/button.tsx';
import { Section } from '../kit/page.tsx';
import { Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { compareWords } from './compare-words.ts';
import { type Difference, differencesOf } from './difference.ts';
import { PushedText } from './pushed-text.tsx';
import { imageWords } from './words.ts';

const SIGNS = { added: CirclePlus, removed: CircleMinus, changed: CircleDot };
const TONES = { added: 'good', removed: 'bad', changed: 'warn' } as const;
const AT_ONCE = 100;

/** What of the configuration differs, and nothing else. */
export function CompareConfiguration({
  from,
  to,
  fromName,
  toName,
}: {
  from: ImageInfo;
  to: ImageInfo;
  fromName: string;
  toName: string;
}) {
  const words = useWords(compareWords);
  const { showMore } = useWords(imageWords);
  const [most, setMost] = useState(AT_ONCE);
  const differences = differencesOf(from, to);
  return (
    <Section title={words.configuration}>
      {differences.length === 0 ? (
        <p className="text-muted">{words.noDifferences}</p>
      ) : (
        <Table
          label={words.configuration}
          rows={differences.slice(0, most)}
          rowKey={({ group, name }) => `${group} ${name}`}
          columns={[
            {
              key: 'group',
              head: words.group,
              cell: ({ group }) => <span className="text-muted">{words.groups[group]}</span>,
            },
            { key: 'what', head: words.what, cell: (difference) => <What difference={difference} /> },
            { key: 'change', head: words.change, cell: ({ kind }) => <Change kind={kind} /> },
            { key: 'from', head: fromName, cell: (difference) => <Value text={difference.from} /> },
            { key: 'to', head: toName, cell: (difference) => <Value text={difference.to} /> },
          ]}
        />
      )}
      {differences.length > most && (
        <div className="mt-3">
          <Button onClick={() => setMost(most + AT_ONCE)}>
            {showMore(Math.min(AT_ONCE, differences.length - most))}
          </Button>
        </div>
      )}
    </Section>
  );
}

function What({ difference: { group, name } }: { difference: Difference }) {
  const words = useWords(compareWords);
  if (group === 'run' || group === 'about') return words.fields[name as keyof typeof words.fields];
  return (
    <div className="sm:min-w-40">
      <PushedText text={name} mono most={120} />
    </div>
  );
}

function Change({ kind }: { kind: Difference['kind'] }) {
  const words = useWords(compareWords);
  const Sign = SIGNS[kind];
  return (
    <Badge tone={TONES[kind]} icon={<Sign className="size-3.5" aria-hidden="true" />}>
      {words.kinds[kind]}
    </Badge>
  );
}

function Value({ text }: { text: string | null }) {
  const words = useWords(compareWords);
  if (text === null) return <span className="text-muted">{words.nothing}</span>;
  return <PushedText text={text} mono most={200} />;
}
