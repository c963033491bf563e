import type { LinkProps } from '@tanstack/react-router';

/*
 * Where things are on the page. A repository's name has slashes of its own, so what is beneath it comes after `/-/`, which no name can
 * hold: `/r/alice/app/-/tags`. The server knows the first components (`src/http/page.ts`).
 */

/** A place of a repository. */
export type RepositoryPlace =
  | { view: 'overview' }
  | { view: 'tags' }
  | { view: 'events' }
  | { view: 'settings' }
  /** The history of a tag. */
  | { view: 'tag'; tag: string }
  /** @param reference a tag or a digest */
  | { view: 'image'; reference: string }
  | { view: 'compare'; from: string; to: string };

export function repositoryLink(name: string, place: RepositoryPlace = { view: 'overview' }): LinkProps {
  return { to: '/r/$', params: { _splat: repositorySplat(name, place) } };
}

function repositorySplat(name: string, place: RepositoryPlace): string {
  switch (place.view) {
    case 'overview':
      return name;
    case 'tags':
    case 'events':
    case 'settings':
      return `${name}/-/${place.view}`;
    case 'tag':
      return `${name}/-/tags/${place.tag}`;
    case 'image':
      return `${name}/-/images/${place.reference}`;
    case 'compare':
      return `${name}/-/compare/${place.from}/${place.to}`;
  }
}

/** What is behind `/r/`. undefined for what is no place of a repository. */
export function repositoryPlace(splat: string): { name: string; place: RepositoryPlace } | undefined {
  const [name = '', rest, ...more] = splat.split('/-/');
  if (name === '' || more.length > 0) return undefined;
  if (rest === undefined) return { name: name.replace(/\/$/, ''), place: { view: 'overview' } };
  const [view, first, second, ...others] = rest.replace(/\/$/, '').split('/');
  if (others.length > 0) return undefined;
  if ((view === 'tags' || view === 'events' || view === 'settings') && first === undefined) {
    return { name, place: { view } };
  }
  if (first === undefined) return undefined;
  if (view === 'compare' && second !== undefined) return { name, place: { view, from: first, to: second } };
  if (second !== undefined) return undefined;
  if (view === 'tags') return { name, place: { view: 'tag', tag: first } };
  if (view === 'images') return { name, place: { view: 'image', reference: first } };
  return undefined;
}

/** `alice/shop` in its parts. */
export function stackParts(name: string): { namespace: string; stack: string } {
  const slash = name.lastIndexOf('/');
  return { namespace: name.slice(0, slash), stack: name.slice(slash + 1) };
}

export function stackLink(name: string): LinkProps {
  return { to: '/s/$namespace/$stack', params: stackParts(name) };
}

export function environmentLink(stack: string, environment: string): LinkProps {
  return { to: '/s/$namespace/$stack/environments/$environment', params: { ...stackParts(stack), environment } };
}

export function deploymentLink(stack: string, environment: string, number: number): LinkProps {
  return {
    to: '/s/$namespace/$stack/environments/$environment/deployments/$number',
    params: { ...stackParts(stack), environment, number: String(number) },
  };
}

export function releaseLink(stack: string, number: number): LinkProps {
  return { to: '/s/$namespace/$stack/releases/$number', params: { ...stackParts(stack), number: String(number) } };
}
