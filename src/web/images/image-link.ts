import type { LinkProps } from '@tanstack/react-router';
import { useLocation } from '@tanstack/react-router';
import { repositoryLink } from '../places.ts';

/** What the addresses of images say beside what they name. */
export interface ImageSearch {
  /** The index from which one came to the image of a platform: a tag or a digest. */
  of?: string;
  /** Of a comparison: the platform's image on each side, by its digest. */
  a?: string;
  b?: string;
}

export function imageLink(repository: string, reference: string, search: ImageSearch = {}): LinkProps {
  return { ...repositoryLink(repository, { view: 'image', reference }), search: written(search) };
}

export function compareLinkTo(repository: string, from: string, to: string, search: ImageSearch = {}): LinkProps {
  return { ...repositoryLink(repository, { view: 'compare', from, to }), search: written(search) };
}

/** A tag is written as in a name, `:1.10`: the router would read `1.10` as a number. */
function written({ of, ...rest }: ImageSearch): NonNullable<LinkProps['search']> {
  const search = of === undefined ? rest : { ...rest, of: of.includes(':') ? of : `:${of}` };
  return search as NonNullable<LinkProps['search']>;
}

export function useImageSearch(): ImageSearch {
  const search = useLocation().search as Record<string, unknown>;
  const { of, a, b } = search;
  return {
    ...(typeof of === 'string' && { of: of.replace(/^:/, '') }),
    ...(typeof a === 'string' && { a }),
    ...(typeof b === 'string' && { b }),
  };
}
