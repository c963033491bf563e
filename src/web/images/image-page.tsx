import { Link } from '@tanstack/react-router';
import { GitCompareArrows } from 'lucide-react';
import { useState } from 'react';
import type { ImageInfo } from '../../api/images.ts';
import { Button } from '../kit/button.tsx';
import { Page, Section } from '../kit/page.tsx';
import { Loaded } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { repositoryLink } from '../places.ts';
import { useRepository } from '../repositories/repository-query.ts';
import { ArtifactParts } from './artifact-parts.tsx';
import { Configuration } from './configuration.tsx';
import { DeleteImage } from './delete-image.tsx';
import { ImageFacts } from './image-facts.tsx';
import { imageLink, useImageSearch } from './image-link.ts';
import { imageName, useImage } from './image-query.ts';
import { LayersSection } from './layers-section.tsx';
import { entriesOf, NamedValues } from './named-values.tsx';
import { imagesIn } from './platform-images.ts';
import { PlatformTable, PlatformTabs } from './platforms.tsx';
import { PullCommands } from './pull-commands.tsx';
import { ReferencePicker } from './reference-picker.tsx';
import { Statements } from './statements.tsx';
import { UsageSection } from './usage-section.tsx';
import { imageWords } from './words.ts';

/** What a tag or a digest names. @param reference a tag or a digest */
export function ImagePage({ repository, reference }: { repository: string; reference: string }) {
  const image = useImage(repository, reference);
  const { of } = useImageSearch();
  // The index that one came from may be of another image by now, or was never one: then there is nothing to switch.
  const around = useImage(repository, of);
  const index = around.data?.platforms.some(({ digest }) => digest === image.data?.digest) ? around.data : undefined;
  const name = imageName(repository, reference);
  return (
    <Page
      title={name}
      heading={<span className="break-all">{name}</span>}
      above={
        <nav className="flex flex-wrap gap-x-2">
          <Link {...repositoryLink(repository)} className="break-all text-accent underline">
            {repository}
          </Link>
          {index !== undefined && of !== undefined && (
            <>
              <span aria-hidden="true">/</span>
              <Link {...imageLink(repository, of)} className="break-all text-accent underline">
                {imageName(repository, of)}
              </Link>
            </>
          )}
        </nav>
      }
      actions={image.data !== undefined && <Actions image={image.data} reference={reference} />}
    >
      {around.isLoading && <div className="mb-5 h-[2.8125rem]" />}
      <Loaded query={image} rows={4} height="h-40">
        {(found) => <Shown key={found.digest} image={found} reference={reference} index={index} of={of} />}
      </Loaded>
    </Page>
  );
}

function Actions({ image, reference }: { image: ImageInfo; reference: string }) {
  const words = useWords(imageWords);
  const role = useRepository(image.repository).data?.role;
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button onClick={() => setOpen(true)}>
        <GitCompareArrows className="size-4" aria-hidden="true" />
        {words.compare}
      </Button>
      {(role === 'write' || role === 'admin') && <DeleteImage image={image} />}
      <ReferencePicker
        repository={image.repository}
        reference={reference}
        open={open}
        onClose={() => setOpen(false)}
        place={(other) => ({ from: reference, to: other })}
      />
    </>
  );
}

function Shown({
  image,
  reference,
  index,
  of,
}: {
  image: ImageInfo;
  reference: string;
  index: ImageInfo | undefined;
  of: string | undefined;
}) {
  const words = useWords(imageWords);
  // The image of an index that has only one is shown with it.
  const [single, ...others] = imagesIn(image);
  const only = useImage(image.repository, others.length === 0 ? single?.digest : undefined);
  const annotations = entriesOf(image.annotations);
  const pullable = `${location.host}/${image.repository}@${image.digest}`;
  return (
    <>
      {image.kind === 'index' && <PlatformTabs index={image} reference={reference} current={undefined} />}
      {index !== undefined && of !== undefined && <PlatformTabs index={index} reference={of} current={image.digest} />}
      <ImageFacts image={image} described={image.kind === 'image' ? image : only.data} />
      <PullCommands image={image} reference={reference} />
      {image.kind === 'index' && <PlatformTable index={image} reference={reference} />}
      {image.kind === 'image' && <Insides image={image} />}
      {single !== undefined && others.length === 0 && (
        <Loaded query={only} rows={3} height="h-40">
          {(found) => <Insides image={found} note={words.configurationOf(single.platform ?? words.unknownPlatform)} />}
        </Loaded>
      )}
      {image.kind === 'artifact' && <ArtifactParts image={image} />}
      {annotations.length > 0 && (
        <Section title={words.annotations}>
          <NamedValues label={words.annotations} values={annotations} />
        </Section>
      )}
      <Statements
        repository={image.repository}
        referrers={image.referrers}
        platforms={image.platforms}
        pullable={pullable}
      />
      <UsageSection repository={image.repository} digest={image.digest} />
    </>
  );
}

function Insides({ image, note }: { image: ImageInfo; note?: string }) {
  return (
    <>
      <Configuration config={image.config} note={note} />
      <LayersSection layers={image.layers} />
    </>
  );
}
