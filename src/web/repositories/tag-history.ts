import type { TagChange } from '../../api/tags.ts';

/**
 * Where a tag goes when its last change is undone, as the server finds it (`digestBefore` in `src/registry/tags.ts`): a push or a deletion
 * lies on top of what was there, a rollback takes off what lies above the digest it went to.
 *
 * @param entries all of them, newest first
 * @returns undefined when there is nothing to go back to
 */
export function undoTarget(entries: readonly Pick<TagChange, 'digest' | 'action'>[]): string | undefined {
  const stack: (string | null)[] = [];
  for (const { digest, action } of entries.toReversed()) {
    if (action === 'rollback' && stack.includes(digest)) while (stack.at(-1) !== digest) stack.pop();
    else stack.push(digest);
  }
  stack.pop();
  return stack.findLast((digest) => digest !== null) ?? undefined;
}
