import { useWords } from '../kit/words.tsx';
import { eventWords } from './event-words.ts';

export type KnownKind = keyof typeof eventWords.en.kinds;
export type KindGroup = keyof typeof eventWords.en.groups;

export const KINDS = Object.keys(eventWords.en.kinds) as KnownKind[];
export const GROUPS = Object.keys(eventWords.en.groups) as KindGroup[];

/** They are many: in no group, and written down only while a webhook asks for them by name. */
export const ASKED_KINDS: readonly KnownKind[] = ['manifest.pull', 'blob.mount'];

export function kindsOfGroup(group: KindGroup): KnownKind[] {
  return KINDS.filter((kind) => kind.startsWith(`${group}.`));
}

function isKnown(kind: string): kind is KnownKind {
  return Object.hasOwn(eventWords.en.kinds, kind);
}

/** What a kind is called; one of a newer server by its name. */
export function useKindName(): (kind: string) => string {
  const words = useWords(eventWords);
  return (kind) => (isKnown(kind) ? words.kinds[kind] : kind === 'webhook.test' ? words.test : kind);
}
