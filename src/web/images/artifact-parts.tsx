import { useState } from 'react';
import type { ImageInfo } from '../../api/images.ts';
import { Button } from '../kit/button.tsx';
import { DigestText } from '../kit/copy.tsx';
import { Bytes } from '../kit/figures.tsx';
import { Section } from '../kit/page.tsx';
import { Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { ContentDialog, type ContentPlace } from './content-dialog.tsx';
import { storedLayers } from './layers.ts';
import { PushedText } from './pushed-text.tsx';
import { imageWords } from './words.ts';

/** What an artifact consists of: a chart's archive, a signature's envelope, an SBOM's document. */
export function ArtifactParts({ image }: { image: ImageInfo }) {
  const words = useWords(imageWords);
  const [place, setPlace] = useState<ContentPlace>();
  const [open, setOpen] = useState(false);
  const parts = storedLayers(image.layers);
  return (
    <Section title={words.parts} description={words.partsNote}>
      {parts.length === 0 ? (
        <p className="text-muted">{words.noLayers}</p>
      ) : (
        <Table
          label={words.parts}
          rows={parts}
          rowKey={(part) => String(part.number)}
          columns={[
            {
              key: 'type',
              head: words.mediaType,
              cell: (part) => <PushedText text={part.mediaType ?? ''} mono most={200} />,
            },
            { key: 'size', head: words.size, end: true, cell: (part) => <Bytes bytes={part.size} /> },
            { key: 'digest', head: words.digest, cell: (part) => <DigestText digest={part.digest} /> },
            {
              key: 'read',
              head: words.read,
              hideHead: true,
              end: true,
              cell: (part) => (
                <Button
                  small
                  aria-label={words.readPart(`${part.number}`)}
                  onClick={() => {
                    setPlace({ reference: image.digest, digest: part.digest, title: part.mediaType ?? part.digest });
                    setOpen(true);
                  }}
                >
                  {words.read}
                </Button>
              ),
            },
          ]}
        />
      )}
      {place !== undefined && (
        <ContentDialog repository={image.repository} place={place} open={open} onClose={() => setOpen(false)} />
      )}
    </Section>
  );
}
