import type { LinkProps } from '@tanstack/react-router';
import type { WebhookInfo } from '../../api/webhooks.ts';
import { repositoryLink } from '../places.ts';

/** What a webhook is for. */
export type WebhookPlace = { repository: string } | { namespace: string } | 'instance';

export function placeOf({ scope: { kind, name } }: WebhookInfo): WebhookPlace {
  if (kind === 'instance' || name === null) return 'instance';
  return kind === 'repository' ? { repository: name } : { namespace: name };
}

/** Where the webhooks of a place are listed. */
export function placeLink(place: WebhookPlace): LinkProps {
  if (place === 'instance') return { to: '/admin/webhooks' };
  return 'repository' in place
    ? repositoryLink(place.repository, { view: 'settings' })
    : { to: '/o/$namespace/$part', params: { namespace: place.namespace, part: 'webhooks' } };
}
