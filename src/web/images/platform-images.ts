import type { ImageInfo } from '../../api/images.ts';

/** The images of platforms that can be looked at, of an index. */
export function imagesIn(image: ImageInfo): ImageInfo['platforms'] {
  return image.kind === 'index' ? image.platforms.filter(({ available }) => available) : [];
}
