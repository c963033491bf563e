import type { ImageInfo } from '../../api/images.ts';
import { CodeBlock } from '../kit/copy.tsx';
import { Section } from '../kit/page.tsx';
import { useWords } from '../kit/words.tsx';
import { imageWords } from './words.ts';

const HELM = 'application/vnd.cncf.helm.config.v1+json';

/** How to get it from here, by its tag and by its digest. */
export function PullCommands({ image, reference }: { image: ImageInfo; reference: string }) {
  const words = useWords(imageWords);
  const tag = reference.includes(':') ? image.tags[0] : reference;
  return (
    <Section title={words.pull}>
      <div className="grid gap-2">
        {tag !== undefined && <CodeBlock label={words.pullTag(tag)} code={command(image, tag)} />}
        <CodeBlock label={words.pullDigest} code={command(image, image.digest)} />
      </div>
    </Section>
  );
}

function command({ kind, artifactType, repository }: ImageInfo, reference: string): string {
  const place = `${location.host}/${repository}`;
  const named = `${place}${reference.includes(':') ? '@' : ':'}${reference}`;
  if (kind !== 'artifact') return `docker pull ${named}`;
  const scheme = location.protocol === 'http:' ? ' --plain-http' : '';
  if (artifactType === HELM) return `helm pull${scheme} oci://${named}`;
  return `oras pull${scheme} ${named}`;
}
