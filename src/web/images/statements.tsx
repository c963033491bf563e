import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { ImageReferrer, PlatformImage } from '../../api/images.ts';
import { Badge } from '../kit/badge.tsx';
import { Button } from '../kit/button.tsx';
import { CodeBlock, DigestText } from '../kit/copy.tsx';
import { Ago, formatBytes } from '../kit/figures.tsx';
import { Section } from '../kit/page.tsx';
import { useWords } from '../kit/words.tsx';
import { ContentDialog, type ContentPlace } from './content-dialog.tsx';
import { imageLink } from './image-link.ts';
import { entriesOf, NamedValues } from './named-values.tsx';
import { PushedText } from './pushed-text.tsx';
import { kindOfPart, kindsOf, predicateOf, rawType, type StatementKind } from './statement-kind.ts';
import { statementWords } from './statement-words.ts';
import { imageWords } from './words.ts';

/** BuildKit says so on the entry of the index. */
const ABOUT = 'vnd.docker.reference.digest';
const SHOWN_AT_FIRST = 20;

/** What is said about an image: signatures, SBOMs, attestations, each to be read. */
export function Statements({
  repository,
  referrers,
  platforms,
  pullable,
}: {
  repository: string;
  referrers: readonly ImageReferrer[];
  platforms: readonly PlatformImage[];
  /** `registry.example.org/alice/app@sha256:…` */
  pullable: string;
}) {
  const words = useWords(statementWords);
  const { showMore } = useWords(imageWords);
  const [place, setPlace] = useState<ContentPlace>();
  const [open, setOpen] = useState(false);
  const [most, setMost] = useState(SHOWN_AT_FIRST);
  if (referrers.length === 0) {
    return (
      <Section title={words.title}>
        <p className="mb-2 text-muted">
          {words.none} {words.noneWhat}
        </p>
        <CodeBlock
          label={words.noneCommand}
          code={`cosign sign ${pullable}\ndocker buildx build --sbom=true --provenance=true --push …`}
        />
      </Section>
    );
  }
  const read = (next: ContentPlace) => {
    setPlace(next);
    setOpen(true);
  };
  return (
    <Section title={words.title} description={words.note}>
      <ul className="grid gap-3">
        {referrers.slice(0, most).map((referrer) => (
          <li key={referrer.digest} className="rounded-lg border border-line bg-surface p-4">
            <Referrer {...{ repository, referrer, platforms }} onRead={read} />
          </li>
        ))}
      </ul>
      {referrers.length > most && (
        <div className="mt-3">
          <Button onClick={() => setMost(referrers.length)}>{showMore(referrers.length - most)}</Button>
        </div>
      )}
      {place !== undefined && (
        <ContentDialog repository={repository} place={place} open={open} onClose={() => setOpen(false)} />
      )}
    </Section>
  );
}

function useKindName(): (kind: StatementKind, raw: string) => string {
  const words = useWords(statementWords);
  return (kind, raw) => (kind === 'other' ? raw : words.kinds[kind]);
}

function Referrer({
  repository,
  referrer,
  platforms,
  onRead,
}: {
  repository: string;
  referrer: ImageReferrer;
  platforms: readonly PlatformImage[];
  onRead: (place: ContentPlace) => void;
}) {
  const words = useWords(statementWords);
  const image = useWords(imageWords);
  const nameOf = useKindName();
  const about = platforms.find(({ digest }) => digest === referrer.annotations[ABOUT])?.platform;
  const annotations = entriesOf(referrer.annotations);
  return (
    <article className="grid gap-3">
      <div className="grid gap-1">
        <h3 className="font-semibold">
          <Link {...imageLink(repository, referrer.digest)} className="underline">
            {kindsOf(referrer).map((kind, index) => (
              <span key={kind}>
                {index > 0 && ', '}
                {kind === 'other' ? <PushedText text={rawType(referrer)} most={120} /> : words.kinds[kind]}
              </span>
            ))}
          </Link>
        </h3>
        <p className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm text-muted">
          <span>{words.how[referrer.how]}</span>
          {about != null && <Badge>{words.aboutPlatform(about)}</Badge>}
          <span>{words.size(formatBytes(referrer.size))}</span>
          <span>
            {image.pushed} {referrer.pushedAt !== null && <Ago at={referrer.pushedAt} />}{' '}
            {referrer.pushedBy !== null && image.by(referrer.pushedBy)}
          </span>
          <DigestText digest={referrer.digest} />
        </p>
      </div>
      {referrer.parts.length > 0 && (
        <ul className="grid gap-2">
          {referrer.parts.map((part, index) => {
            const kind = kindOfPart(part.mediaType, { ...referrer.annotations, ...part.annotations });
            const predicate = predicateOf(part.annotations);
            const name = nameOf(kind, part.mediaType);
            return (
              // biome-ignore lint/suspicious/noArrayIndexKey: a manifest's parts never change, and may be alike
              <li key={index} className="flex flex-wrap items-center gap-x-3 gap-y-1">
                <Button
                  small
                  onClick={() => onRead({ reference: referrer.digest, digest: part.digest, title: name })}
                  aria-label={image.readPart(name)}
                >
                  {image.read}
                </Button>
                <span className="min-w-0">
                  <PushedText text={predicate ?? part.mediaType} mono muted most={120} />
                </span>
                <span className="text-sm text-muted">{formatBytes(part.size)}</span>
              </li>
            );
          })}
        </ul>
      )}
      {annotations.length > 0 && (
        <details>
          <summary className="cursor-pointer py-1 text-sm text-muted">
            {image.annotations} ({annotations.length})
          </summary>
          <div className="mt-2">
            <NamedValues label={image.annotations} values={annotations} />
          </div>
        </details>
      )}
    </article>
  );
}
