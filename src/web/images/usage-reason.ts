/** What keeps an image, or who uses it, told apart: the server says it in a line (`imageUsers`, `chains`). */
export type UsageReason =
  | { kind: 'tag'; tag: string }
  | { kind: 'history'; tag: string }
  | { kind: 'grace' }
  /** By something that the viewer may not see. */
  | { kind: 'inUse' }
  | { kind: 'target'; target: string; stack: string; environment: string }
  | { kind: 'deployment'; number: number; stack: string; environment: string; state: string }
  | { kind: 'release'; number: number; stack: string }
  | { kind: 'other'; text: string };

const PLACE = '([a-z0-9._/-]+)';

export function usageReason(text: string): UsageReason {
  if (text === 'in use') return { kind: 'inUse' };
  if (text === 'grace window') return { kind: 'grace' };
  const tag = /^(tag|history of) (\S+)$/.exec(text);
  if (tag !== null) return { kind: tag[1] === 'tag' ? 'tag' : 'history', tag: tag[2] ?? '' };
  const target = new RegExp(`^target (\\S+) of ${PLACE}@${PLACE} runs it$`).exec(text);
  if (target !== null) {
    return { kind: 'target', target: target[1] ?? '', stack: target[2] ?? '', environment: target[3] ?? '' };
  }
  const deployment = new RegExp(`^deployment v(\\d+) of ${PLACE}@${PLACE} \\((.+)\\)$`).exec(text);
  if (deployment !== null) {
    return {
      kind: 'deployment',
      number: Number(deployment[1]),
      stack: deployment[2] ?? '',
      environment: deployment[3] ?? '',
      state: deployment[4] ?? '',
    };
  }
  const release = new RegExp(`^release (\\d+) of ${PLACE}$`).exec(text);
  if (release !== null) return { kind: 'release', number: Number(release[1]), stack: release[2] ?? '' };
  return { kind: 'other', text };
}

/** The users in the refusal to delete: `manifest: sha256:… is in use: A; B`. undefined for another refusal. */
export function usersInRefusal(detail: string): string[] | undefined {
  const users = /^manifest: \S+ is in use: (.+)$/s.exec(detail)?.[1];
  return users?.split('; ');
}
