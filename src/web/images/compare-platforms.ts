import type { ImageInfo, PlatformImage } from '../../api/images.ts';
import { imagesIn } from './platform-images.ts';

/** The platform that is compared when nothing else is chosen and both have it. */
const USUAL = 'linux/amd64';

/**
 * Which manifest of each side is compared: of an index one of its images, of anything else itself. What was chosen counts; else both are of
 * the same platform where there is such. undefined for an index without an image that is here.
 *
 * @param chosen digests, as addresses have them
 */
export function comparedDigests(
  from: ImageInfo,
  to: ImageInfo,
  chosen: { from?: string | undefined; to?: string | undefined },
): { from: string | undefined; to: string | undefined } {
  const chosenFrom = chosenIn(from, chosen.from);
  const chosenTo = chosenIn(to, chosen.to);
  // A side that nothing was chosen for follows the other.
  const wanted = platformOf(from, chosenFrom) ?? platformOf(to, chosenTo) ?? common(from, to);
  return { from: chosenFrom ?? digestFor(from, wanted), to: chosenTo ?? digestFor(to, wanted) };
}

function chosenIn(image: ImageInfo, digest: string | undefined): string | undefined {
  return imagesIn(image).find((entry) => entry.digest === digest)?.digest;
}

/** An image and an artifact have no choice of their own; an image has one platform. */
function candidates(image: ImageInfo): readonly PlatformImage[] {
  return image.kind === 'index' ? imagesIn(image) : image.platforms;
}

function platformOf(image: ImageInfo, digest: string | undefined): string | null | undefined {
  return digest === undefined ? undefined : candidates(image).find((entry) => entry.digest === digest)?.platform;
}

function common(from: ImageInfo, to: ImageInfo): string | null | undefined {
  const theirs = new Set(candidates(to).map(({ platform }) => platform));
  const both = candidates(from).filter(({ platform }) => theirs.has(platform));
  return (both.find(({ platform }) => platform === USUAL) ?? both[0])?.platform;
}

function digestFor(image: ImageInfo, platform: string | null | undefined): string | undefined {
  if (image.kind !== 'index') return image.digest;
  const images = imagesIn(image);
  return (images.find((entry) => entry.platform === platform) ?? images[0])?.digest;
}
