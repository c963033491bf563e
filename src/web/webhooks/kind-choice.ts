import { ASKED_KINDS, GROUPS, kindsOfGroup } from '../events/kinds.ts';

/** Which events a webhook wants, as it is chosen. */
export interface KindChoice {
  everything: boolean;
  /** Kinds, and groups as in `tag.*`. */
  chosen: ReadonlySet<string>;
}

export function choiceOf(events: readonly string[]): KindChoice {
  return { everything: events.includes('*'), chosen: new Set(events.filter((kind) => kind !== '*')) };
}

/** What the API is told: nothing twice. */
export function eventsOf({ everything, chosen }: KindChoice): string[] {
  const asked = ASKED_KINDS.filter((kind) => chosen.has(kind));
  if (everything) return ['*', ...asked];
  const known = GROUPS.flatMap((group) => {
    if (chosen.has(`${group}.*`)) return [`${group}.*`];
    return kindsOfGroup(group).filter((kind) => chosen.has(kind) && !ASKED_KINDS.includes(kind));
  });
  return [...known, ...asked];
}
