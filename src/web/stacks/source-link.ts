import type { ReleaseImage } from '../../api/releases.ts';
import { commitLink, webAddress } from '../images/source-link.ts';

/** Where an image's source is: its commit on a forge that is known, else what the image says. undefined for what is no web address. */
export function sourceLink({ source, revision }: Pick<ReleaseImage, 'source' | 'revision'>): string | undefined {
  return commitLink(source, revision) ?? webAddress(source);
}

/** Enough of a commit to tell it from others; what is none, as it is. */
export function shortRevision(revision: string): string {
  return /^[0-9a-f]{20,}$/.test(revision) ? revision.slice(0, 9) : revision;
}
