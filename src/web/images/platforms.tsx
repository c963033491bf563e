import { Link } from '@tanstack/react-router';
import type { ImageInfo } from '../../api/images.ts';
import { DigestText } from '../kit/copy.tsx';
import { Bytes } from '../kit/figures.tsx';
import { Section } from '../kit/page.tsx';
import { Table } from '../kit/table.tsx';
import { Tabs } from '../kit/tabs.tsx';
import { useWords } from '../kit/words.tsx';
import { imageLink } from './image-link.ts';
import { imagesIn } from './platform-images.ts';
import { imageWords } from './words.ts';

/** The index and its images beside each other, each at its own address. @param current the digest shown; undefined: the index */
export function PlatformTabs({
  index,
  reference,
  current,
}: {
  index: ImageInfo;
  reference: string;
  current: string | undefined;
}) {
  const words = useWords(imageWords);
  const images = imagesIn(index);
  if (images.length < 2) return null;
  return (
    <Tabs
      label={words.platforms}
      tabs={[
        { label: words.allPlatforms, link: imageLink(index.repository, reference), current: current === undefined },
        ...images.map(({ platform, digest }) => ({
          label: platform ?? words.unknownPlatform,
          link: imageLink(index.repository, digest, { of: reference }),
          current: digest === current,
        })),
      ]}
    />
  );
}

export function PlatformTable({ index, reference }: { index: ImageInfo; reference: string }) {
  const words = useWords(imageWords);
  return (
    <Section title={words.platforms}>
      {index.platforms.length === 0 ? (
        <p className="text-muted">{words.noPlatforms}</p>
      ) : (
        <Table
          label={words.platforms}
          rows={index.platforms.map((platform, number) => ({ ...platform, number }))}
          rowKey={({ number }) => String(number)}
          columns={[
            {
              key: 'platform',
              head: words.platform,
              cell: ({ platform, digest, available }) =>
                available ? (
                  <Link
                    {...imageLink(index.repository, digest, { of: reference })}
                    className="font-medium text-accent underline"
                  >
                    {platform ?? words.unknownPlatform}
                  </Link>
                ) : (
                  (platform ?? words.unknownPlatform)
                ),
            },
            {
              key: 'size',
              head: words.size,
              end: true,
              cell: ({ size, available }) =>
                available ? <Bytes bytes={size} /> : <span className="text-muted">{words.notHere}</span>,
            },
            { key: 'digest', head: words.digest, cell: ({ digest }) => <DigestText digest={digest} /> },
          ]}
        />
      )}
    </Section>
  );
}
