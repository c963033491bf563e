import type { ReleaseImage } from '../api/releases.ts';

/** What is enough of a digest for people. */
const SHOWN = 12;

/** `sha256:3f2a…` as its first characters after the colon. */
export function shortDigest(digest: string): string {
  const colon = digest.indexOf(':');
  return digest.slice(colon + 1, colon + 1 + SHOWN);
}

/** `1.4.2@3f2a1b0c9d8e` */
export function imageText({ tag, digest }: Pick<ReleaseImage, 'tag' | 'digest'>): string {
  return `${tag ?? ''}@${shortDigest(digest)}`;
}

/** `api=1.4.2@3f2a1b0c9d8e web=…` */
export function imagesText(images: readonly ReleaseImage[]): string {
  return images.map((image) => `${image.service}=${imageText(image)}`).join(' ');
}
