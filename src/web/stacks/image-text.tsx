import { Link } from '@tanstack/react-router';
import type { ReleaseImage } from '../../api/releases.ts';
import { shortDigest } from '../kit/copy.tsx';
import { useWords } from '../kit/words.tsx';
import { repositoryLink } from '../places.ts';
import { shortRevision, sourceLink } from './source-link.ts';
import { stackWords } from './words.ts';

/** `1.4.2`, its digest and the commit that it was made of. */
export function ImageText({ image }: { image: ReleaseImage }) {
  return (
    <span className="inline-flex max-w-full flex-wrap items-baseline gap-x-2">
      <Link
        className="inline-flex min-w-0 flex-wrap items-baseline gap-x-1.5 text-accent underline"
        {...repositoryLink(image.repository, { view: 'image', reference: image.digest })}
      >
        {image.tag !== null && <span className="font-medium break-all">{image.tag}</span>}
        <code className="font-mono text-sm" title={image.digest}>
          {shortHex(image.digest)}
        </code>
      </Link>
      <Revision image={image} />
    </span>
  );
}

/** The commit, linked where it is on the web. Nothing where the image does not say. */
export function Revision({ image }: { image: Pick<ReleaseImage, 'revision' | 'source'> }) {
  const words = useWords(stackWords);
  const { revision } = image;
  if (revision === null || revision === '') return null;
  const link = sourceLink(image);
  const text = (
    <code className="font-mono text-sm break-all" title={revision}>
      {shortRevision(revision)}
    </code>
  );
  return (
    <span className="text-sm text-muted">
      {words.commit}{' '}
      {link === undefined ? (
        text
      ) : (
        <a href={link} target="_blank" rel="noopener noreferrer" className="text-accent underline">
          {text}
        </a>
      )}
    </span>
  );
}

/** The characters after the algorithm, enough for people. */
function shortHex(digest: string): string {
  return shortDigest(digest).replace(/^[^:]*:/, '');
}

/** What a release holds, in a line for lists. */
export function imagesLine(images: readonly ReleaseImage[]): string {
  return images.map(({ service, tag, digest }) => `${service} ${tag ?? shortHex(digest)}`).join(', ');
}
