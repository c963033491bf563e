import type { ReleaseImage } from '../../api/releases.ts';

/** Hosts whose commits are at `/commit/…` beneath a repository. */
const FORGES = ['github.com', 'gitlab.com', 'codeberg.org'];

/** Where an image's source is: its commit on a forge that is known, else what the image says. undefined for what is no web address. */
export function sourceLink({ source, revision }: Pick<ReleaseImage, 'source' | 'revision'>): string | undefined {
  if (source === null) return undefined;
  const url = webAddress(source);
  if (url === undefined) return undefined;
  if (revision === null || !/^[0-9a-f]{7,64}$/.test(revision) || !FORGES.includes(url.host)) return url.href;
  return `${url.origin}${url.pathname.replace(/(\.git)?\/*$/, '')}/commit/${revision}`;
}

function webAddress(text: string): URL | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  return url.protocol === 'https:' || url.protocol === 'http:' ? url : undefined;
}

/** Enough of a commit to tell it from others; what is none, as it is. */
export function shortRevision(revision: string): string {
  return /^[0-9a-f]{20,}$/.test(revision) ? revision.slice(0, 9) : revision;
}
