import { Link, useNavigate } from '@tanstack/react-router';
import { ArrowLeftRight, ExternalLink } from 'lucide-react';
import { useState } from 'react';
import type { ImageInfo } from '../../api/images.ts';
import { Button, ButtonLink } from '../kit/button.tsx';
import { DigestText } from '../kit/copy.tsx';
import { SelectField } from '../kit/field.tsx';
import { Ago, Bytes, formatBytes } from '../kit/figures.tsx';
import { Card, Notice, Page, Section } from '../kit/page.tsx';
import { Loaded } from '../kit/states.tsx';
import { Facts } from '../kit/table.tsx';
import { useLanguage, useWords } from '../kit/words.tsx';
import { repositoryLink } from '../places.ts';
import { CompareConfiguration } from './compare-configuration.tsx';
import { CompareLayers } from './compare-layers.tsx';
import { comparedDigests } from './compare-platforms.ts';
import { compareWords } from './compare-words.ts';
import { compareLinkTo, imageLink, useImageSearch } from './image-link.ts';
import { shortReference, useImage } from './image-query.ts';
import { alignLayers } from './layers.ts';
import { imagesIn } from './platform-images.ts';
import { inOneLine } from './pushed-text.tsx';
import { ReferencePicker } from './reference-picker.tsx';
import { compareLink } from './source-link.ts';
import { imageWords } from './words.ts';

/** For headings of columns: a tag may have 128 characters. */
function brief(reference: string): string {
  return inOneLine(shortReference(reference), 40);
}

interface Sides {
  repository: string;
  from: string;
  to: string;
}

/** Two images of a repository beside each other. @param from a tag or a digest; so is `to` */
export function ComparePage(sides: Sides) {
  const { repository, from, to } = sides;
  const words = useWords(compareWords);
  const one = useImage(repository, from);
  const other = useImage(repository, to);
  return (
    <Page
      title={`${words.title(shortReference(from), shortReference(to))} · ${repository}`}
      heading={<span className="break-all">{words.title(shortReference(from), shortReference(to))}</span>}
      above={
        <Link {...repositoryLink(repository)} className="break-all text-accent underline">
          {repository}
        </Link>
      }
      actions={
        <ButtonLink {...compareLinkTo(repository, to, from)}>
          <ArrowLeftRight className="size-4" aria-hidden="true" />
          {words.swap}
        </ButtonLink>
      }
    >
      <Loaded query={one} rows={3} height="h-40">
        {(first) => (
          <Loaded query={other} rows={3} height="h-40">
            {(second) => <Chosen {...sides} first={first} second={second} />}
          </Loaded>
        )}
      </Loaded>
    </Page>
  );
}

function Chosen({ repository, from, to, first, second }: Sides & { first: ImageInfo; second: ImageInfo }) {
  const words = useWords(compareWords);
  const search = useImageSearch();
  const navigate = useNavigate();
  const digests = comparedDigests(first, second, { from: search.a, to: search.b });
  const one = useImage(repository, digests.from);
  const other = useImage(repository, digests.to);
  const choose = (next: { a?: string; b?: string }) =>
    void navigate({ ...compareLinkTo(repository, from, to, { ...search, ...next }), replace: true });
  return (
    <>
      <div className="mb-6 grid gap-4 md:grid-cols-2">
        <Side
          label={words.from}
          image={first}
          shown={one.data}
          reference={from}
          chosen={digests.from}
          onPlatform={(a) => choose({ a })}
          place={(chosen) => ({ from: chosen, to })}
          other={to}
        />
        <Side
          label={words.to}
          image={second}
          shown={other.data}
          reference={to}
          chosen={digests.to}
          onPlatform={(b) => choose({ b })}
          place={(chosen) => ({ from, to: chosen })}
          other={from}
        />
      </div>
      {digests.from !== undefined && digests.to !== undefined && (
        <Loaded query={one} rows={3} height="h-40">
          {(a) => (
            <Loaded query={other} rows={3} height="h-40">
              {(b) => <Comparison from={a} to={b} fromName={brief(from)} toName={brief(to)} />}
            </Loaded>
          )}
        </Loaded>
      )}
    </>
  );
}

function Side({
  label,
  image,
  shown,
  reference,
  chosen,
  onPlatform,
  place,
  other,
}: {
  label: string;
  image: ImageInfo;
  shown: ImageInfo | undefined;
  reference: string;
  chosen: string | undefined;
  onPlatform: (digest: string) => void;
  place: (chosen: string) => { from: string; to: string };
  other: string;
}) {
  const words = useWords(compareWords);
  const facts = useWords(imageWords);
  const [open, setOpen] = useState(false);
  const platforms = imagesIn(image);
  const { repository } = image;
  const search = image.kind === 'index' && chosen !== undefined ? { of: reference } : {};
  return (
    <Card className="grid content-start gap-3">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2 className="min-w-0 font-semibold">
          <span className="font-normal text-muted">{label}</span>{' '}
          <Link {...imageLink(repository, chosen ?? reference, search)} className="break-all underline">
            {shortReference(reference)}
          </Link>
        </h2>
        <Button small aria-label={words.chooseFor(label, shortReference(reference))} onClick={() => setOpen(true)}>
          {words.choose}
        </Button>
      </div>
      {image.kind === 'index' && chosen !== undefined && (
        <SelectField
          label={words.platformOf(shortReference(reference))}
          choices={platforms.map(({ platform, digest }) => ({
            value: digest,
            label: platform ?? facts.unknownPlatform,
          }))}
          value={chosen}
          onValue={onPlatform}
        />
      )}
      {chosen === undefined ? (
        <Notice tone="warn">{words.noPlatform}</Notice>
      ) : (
        <Facts
          facts={[
            [facts.digest, <DigestText key="value" digest={chosen} />],
            [facts.size, shown === undefined ? ' ' : <Bytes key="value" bytes={shown.size} />],
            [
              facts.pushed,
              <span key="value">
                <Ago at={image.pushedAt} /> <span className="text-muted">{facts.by(image.pushedBy)}</span>
              </span>,
            ],
          ]}
        />
      )}
      <ReferencePicker
        repository={repository}
        reference={other}
        open={open}
        onClose={() => setOpen(false)}
        place={place}
      />
    </Card>
  );
}

function Comparison({
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
  if (from.digest === to.digest) return <Notice title={words.same}>{words.sameWhat}</Notice>;
  const alignment = alignLayers(from.layers, to.layers);
  const source = compareLink(from, to);
  const [one, other] = [from.platforms[0]?.platform, to.platforms[0]?.platform];
  return (
    <>
      {one != null && other != null && one !== other && (
        <div className="mb-6">
          <Notice tone="warn">{words.otherPlatform(one, other)}</Notice>
        </div>
      )}
      <Section title={words.size}>
        <p className="text-lg">
          <Delta from={from.size} to={to.size} />
        </p>
        <p className="text-muted">{words.download(fromName, toName, formatBytes(alignment.onlyTo))}</p>
        {source !== undefined && (
          <a
            href={source}
            target="_blank"
            rel="noopener noreferrer"
            className="mt-2 inline-flex min-h-8 items-center gap-1 text-accent underline"
          >
            {words.sourceCompare}
            <ExternalLink className="size-3.5" aria-hidden="true" />
          </a>
        )}
      </Section>
      <CompareConfiguration from={from} to={to} fromName={fromName} toName={toName} />
      <CompareLayers alignment={alignment} fromName={fromName} toName={toName} />
    </>
  );
}

function Delta({ from, to }: { from: number; to: number }) {
  const words = useWords(compareWords);
  const { language } = useLanguage();
  const delta = to - from;
  const percent = new Intl.NumberFormat(language, {
    style: 'percent',
    maximumFractionDigits: 1,
    signDisplay: 'exceptZero',
  }).format(from === 0 ? 0 : delta / from);
  const sizes = `${formatBytes(from)} → ${formatBytes(to)}`;
  const said =
    delta === 0
      ? words.sameSize
      : delta > 0
        ? words.larger(formatBytes(delta), percent)
        : words.smaller(formatBytes(-delta), percent);
  return (
    <>
      {sizes}: <strong>{said}</strong>
    </>
  );
}
