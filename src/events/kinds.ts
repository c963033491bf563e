/**
 * What happens, by what it happens to. `docs/reference/webhooks.md` says when and with which fields. `asked` ones are many: they are written
 * down only while a webhook wants them by name, and are in no group.
 */
export const EVENT_KINDS = {
  'tag.push': { asked: false },
  'tag.delete': { asked: false },
  'tag.rollback': { asked: false },
  'tag.promote': { asked: false },
  'manifest.push': { asked: false },
  'manifest.delete': { asked: false },
  'manifest.pull': { asked: true },
  'blob.delete': { asked: false },
  'blob.mount': { asked: true },
  'repository.create': { asked: false },
  'repository.update': { asked: false },
  'repository.rename': { asked: false },
  'repository.delete': { asked: false },
  'mirror.failure': { asked: false },
  'mirror.recovery': { asked: false },
  'release.create': { asked: false },
  'release.revoke': { asked: false },
  'deployment.create': { asked: false },
  'deployment.cancel': { asked: false },
  'deployment.start': { asked: false },
  'deployment.success': { asked: false },
  'deployment.failure': { asked: false },
  'deployment.rolled-back': { asked: false },
} as const satisfies Record<string, { asked: boolean }>;

export type EventKind = keyof typeof EVENT_KINDS;

/** What a test delivery says; it happens to nothing, and is in no list. */
export const PING = 'webhook.test' as const;

export const ALL_KINDS = Object.keys(EVENT_KINDS) as EventKind[];
const GROUPS = [...new Set(ALL_KINDS.map((name) => `${name.split('.', 1)[0]}.*`))];

/** What a webhook may ask for. */
export const WANTED_KINDS: readonly string[] = ['*', ...GROUPS, ...ALL_KINDS];

export function isEventKind(text: string): text is EventKind {
  return Object.hasOwn(EVENT_KINDS, text);
}

/** Whether one of `wanted` (kinds, groups as in `tag.*`, or `*`) has the kind. */
export function wants(wanted: readonly string[], kind: string): boolean {
  if (wanted.includes(kind)) return true;
  if (!isEventKind(kind) || EVENT_KINDS[kind].asked) return false;
  return wanted.includes('*') || wanted.includes(`${kind.split('.', 1)[0]}.*`);
}

/** The kinds of a filter. */
export function kindsOf(wanted: readonly string[]): EventKind[] {
  return ALL_KINDS.filter((kind) => wants(wanted, kind));
}

/** Those of `wanted` that must be asked for. */
export function askedKinds(wanted: readonly string[]): EventKind[] {
  return ALL_KINDS.filter((kind) => EVENT_KINDS[kind].asked && wanted.includes(kind));
}
