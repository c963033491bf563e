import { type Tracking, tracking } from '../api/stacks.ts';
import { pairsOf } from './choices.ts';
import { UsageError } from './usage.ts';

/** `web=latest`, `web=semver:^1.4` or `web=pattern:main-*` words, by service. @throws UsageError */
export function trackingsOf(words: readonly string[]): Record<string, Tracking> {
  const pairs = pairsOf('--track', words, 'SERVICE=TAG, SERVICE=semver:RANGE or SERVICE=pattern:PATTERN');
  return Object.fromEntries(Object.entries(pairs).map(([service, text]) => [service, parseTracking(service, text)]));
}

/** `web=semver:^1.4` */
export function trackingsText(track: Record<string, Tracking>): string {
  return Object.entries(track)
    .map(([service, { kind, value }]) => `${service}=${kind === 'tag' ? '' : `${kind}:`}${value}`)
    .join(' ');
}

function parseTracking(service: string, text: string): Tracking {
  const match = /^(tag|semver|pattern):(.*)$/s.exec(text);
  const parsed = tracking.safeParse(
    match === null ? { kind: 'tag', value: text } : { kind: match[1], value: match[2] },
  );
  if (parsed.success && parsed.data.value !== '') return parsed.data;
  throw new UsageError(`--track: ${service}: ${JSON.stringify(text)} is not a tag, semver:^1.4 or pattern:main-*`);
}
