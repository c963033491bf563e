import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { ImageInfo } from '../../api/images.ts';
import { DigestText } from '../kit/copy.tsx';
import { Ago, Bytes } from '../kit/figures.tsx';
import { Card, Section } from '../kit/page.tsx';
import { Facts } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { repositoryLink } from '../places.ts';
import { imageLink } from './image-link.ts';
import { imageName } from './image-query.ts';
import { OutsideLink } from './outside-link.tsx';
import { PushedText } from './pushed-text.tsx';
import { commitLink, shortRevision } from './source-link.ts';
import { imageWords } from './words.ts';

/** As many as the server says at most. */
const MOST_TAGS = 100;

/** What is known of it. @param described the image whose configuration is shown */
export function ImageFacts({ image, described }: { image: ImageInfo; described: ImageInfo | undefined }) {
  const words = useWords(imageWords);
  const config = described?.config;
  const { source, revision } = image;
  const facts: (readonly [string, ReactNode] | false)[] = [
    [words.tags, <Tags key="value" image={image} />],
    [words.digest, <DigestText key="value" digest={image.digest} />],
    [words.kind, words.kinds[image.kind]],
    image.artifactType !== null && [
      words.artifactType,
      <PushedText key="value" text={image.artifactType} mono most={120} />,
    ],
    [words.mediaType, <PushedText key="value" text={image.mediaType} mono most={120} />],
    [
      words.size,
      <span key="value">
        <Bytes bytes={image.size} /> <span className="text-muted">{words.sizeOfAll}</span>
      </span>,
    ],
    [
      words.pushed,
      <span key="value">
        <Ago at={image.pushedAt} /> <span className="text-muted">{words.by(image.pushedBy)}</span>
      </span>,
    ],
    [words.pulled, <Ago key="value" at={image.pulledAt} />],
    config?.platform != null && [words.platform, config.platform],
    config?.createdAt != null && [words.created, <Ago key="value" at={config.createdAt} />],
    config?.author != null && [words.author, <PushedText key="value" text={config.author} most={120} />],
    image.version !== null && [words.version, <PushedText key="value" text={image.version} most={120} />],
    source !== null && [words.source, <OutsideLink key="value" address={source} />],
    revision !== null && [
      words.revision,
      <span key="value" className="font-mono text-sm" title={revision.slice(0, 200)}>
        <OutsideLink address={commitLink(source, revision)} text={shortRevision(revision)} />
      </span>,
    ],
    image.subject !== null && [
      words.subject,
      <Link key="value" {...imageLink(image.repository, image.subject)} className="text-accent underline">
        {imageName(image.repository, image.subject)}
      </Link>,
    ],
  ];
  return (
    <Section title={words.about}>
      <Card>
        <Facts facts={facts.filter((fact) => fact !== false)} />
      </Card>
    </Section>
  );
}

function Tags({ image }: { image: ImageInfo }) {
  const words = useWords(imageWords);
  if (image.tags.length === 0) return <span className="text-muted">{words.noTags}</span>;
  return (
    <>
      <ul className="flex max-h-40 flex-wrap gap-x-3 gap-y-1 overflow-y-auto">
        {image.tags.map((tag) => (
          <li key={tag} className="min-w-0">
            <Link
              {...repositoryLink(image.repository, { view: 'tag', tag })}
              className="break-all text-accent underline"
            >
              {tag}
            </Link>
          </li>
        ))}
      </ul>
      {image.tags.length >= MOST_TAGS && <p className="text-sm text-muted">{words.moreTags}</p>}
    </>
  );
}
