import { expect, test } from 'bun:test';
import { redact } from './failure.ts';

test('what leaves the host holds no value of a variable that tells anything, and no NUL', () => {
  const variables = { PASSWORD: 'correct horse', LONGER: 'correct horse battery', SHORT: 'blue' };
  expect(redact('a\0b blue correct horse battery, correct horse', variables)).toBe('ab blue ***, ***');
});
