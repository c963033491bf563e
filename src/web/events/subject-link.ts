import type { LinkProps } from '@tanstack/react-router';
import type { EventInfo } from '../../api/events.ts';
import { deploymentLink, environmentLink, releaseLink, repositoryLink, stackLink } from '../places.ts';

/** Where that is which something happened to; undefined for what is gone. */
export function subjectLink({ kind, repository, stack, data }: EventInfo): LinkProps | undefined {
  const { tag, digest, environment, deployment, release } = data;
  if (stack !== null) {
    if (typeof environment === 'string') {
      return typeof deployment === 'number'
        ? deploymentLink(stack, environment, deployment)
        : environmentLink(stack, environment);
    }
    return typeof release === 'number' ? releaseLink(stack, release) : stackLink(stack);
  }
  if (repository === null || kind === 'repository.delete') return undefined;
  if (kind === 'repository.rename') return typeof data.to === 'string' ? repositoryLink(data.to) : undefined;
  if (typeof tag === 'string') return repositoryLink(repository, { view: 'tag', tag });
  const image = (kind === 'manifest.push' || kind === 'manifest.pull') && typeof digest === 'string';
  return image ? repositoryLink(repository, { view: 'image', reference: digest }) : repositoryLink(repository);
}
