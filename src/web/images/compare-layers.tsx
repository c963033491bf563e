import { CircleMinus, CirclePlus, Equal } from 'lucide-react';
import { useState } from 'react';
import { Badge } from '../kit/badge.tsx';
import { Button } from '../kit/button.tsx';
import { DigestText } from '../kit/copy.tsx';
import { Bytes, formatBytes } from '../kit/figures.tsx';
import { Card, Section } from '../kit/page.tsx';
import { Facts, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { compareWords } from './compare-words.ts';
import type { AlignedLayer, Alignment } from './layers.ts';
import { StepCommand } from './layers-section.tsx';
import { imageWords } from './words.ts';

const SIGNS = { both: Equal, moved: Equal, from: CircleMinus, to: CirclePlus };
const TONES = { both: 'neutral', moved: 'neutral', from: 'bad', to: 'good' } as const;
const AT_ONCE = 200;

/** Which layers both have, and which only one of them. */
export function CompareLayers({
  alignment,
  fromName,
  toName,
}: {
  alignment: Alignment;
  fromName: string;
  toName: string;
}) {
  const words = useWords(compareWords);
  const image = useWords(imageWords);
  const [most, setMost] = useState(AT_ONCE);
  const rows = alignment.rows.map((row, index) => ({ ...row, key: String(index) }));
  const where = (row: AlignedLayer): string => {
    switch (row.in) {
      case 'both':
        return words.both;
      case 'moved':
        return words.moved;
      case 'from':
        return words.in(fromName);
      case 'to':
        return words.in(toName);
    }
  };
  if (rows.length === 0) {
    return (
      <Section title={words.layers}>
        <p className="text-muted">{words.noLayers}</p>
      </Section>
    );
  }
  return (
    <Section title={words.layers}>
      <Card className="mb-3">
        <Facts
          facts={[
            [words.both, formatBytes(alignment.both)],
            [words.in(fromName), formatBytes(alignment.onlyFrom)],
            [words.in(toName), formatBytes(alignment.onlyTo)],
          ]}
        />
      </Card>
      <Table
        label={words.layers}
        rows={rows.slice(0, most)}
        rowKey={({ key }) => key}
        columns={[
          {
            key: 'where',
            head: words.where,
            cell: (row) => {
              const Sign = SIGNS[row.in];
              return (
                <Badge tone={TONES[row.in]} icon={<Sign className="size-3.5" aria-hidden="true" />}>
                  {where(row)}
                </Badge>
              );
            },
          },
          { key: 'number', head: image.number, end: true, cell: ({ layer }) => layer.number },
          { key: 'size', head: image.size, end: true, cell: ({ layer }) => <Bytes bytes={layer.size} /> },
          { key: 'command', head: image.madeBy, cell: ({ layer }) => <StepCommand step={layer} /> },
          { key: 'digest', head: image.digest, cell: ({ layer }) => <DigestText digest={layer.digest} /> },
        ]}
      />
      {rows.length > most && (
        <div className="mt-3">
          <Button onClick={() => setMost(most + AT_ONCE)}>
            {image.showMore(Math.min(AT_ONCE, rows.length - most))}
          </Button>
        </div>
      )}
    </Section>
  );
}
