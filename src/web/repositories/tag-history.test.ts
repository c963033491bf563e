import { expect, test } from 'bun:test';
import { undoTarget } from './tag-history.ts';

const push = (digest: string) => ({ digest, action: 'push' as const });
const back = (digest: string) => ({ digest, action: 'rollback' as const });
const gone = { digest: null, action: 'delete' as const };

test('an undo goes to what was pushed before, past what was taken back already', () => {
  expect(undoTarget([push('b'), push('a')])).toBe('a');
  expect(undoTarget([gone, push('b'), push('a')])).toBe('b');
  expect(undoTarget([back('b'), push('c'), push('b'), push('a')])).toBe('a');
  expect(undoTarget([back('a'), back('b'), push('c'), push('b'), push('a')])).toBeUndefined();
  expect(undoTarget([push('a')])).toBeUndefined();
  expect(undoTarget([])).toBeUndefined();
});
