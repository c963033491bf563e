import type { Tracking } from '../../api/stacks.ts';

/** `web latest, api semver:^1.4`; empty for nothing. */
export function trackingLine(track: Readonly<Record<string, Tracking>>): string {
  return Object.entries(track)
    .map(([service, { kind, value }]) => `${service} ${kind === 'tag' ? '' : `${kind}:`}${value}`)
    .join(', ');
}
