import { expect, test } from 'bun:test';
import { beginningOf, visibleText } from './visible-text.ts';

test('control characters and turns of direction are spelled out', () => {
  expect(visibleText('a\u202eb')).toBe('a\\u{202e}b');
  expect(visibleText('\u001b[31mred\u0007')).toBe('\\u{1b}[31mred\\u{7}');
  expect(visibleText('zero\u200bwidth \u2066isolate\u2069')).toBe('zero\\u{200b}width \\u{2066}isolate\\u{2069}');
  expect(visibleText('lone \ud800 surrogate')).toBe('lone \\u{d800} surrogate');
});

test('what people write stays as it is', () => {
  const written = 'line one\n\tline two: 한국어, العربية, 👩‍🚀, <b>&amp;</b>';
  expect(visibleText(written)).toBe(written);
  expect(visibleText('dos\r\nlines')).toBe('dos\nlines');
});

test('a cut never tears a character apart', () => {
  expect(beginningOf('ab👩c', 3)).toBe('ab');
  expect(beginningOf('ab👩c', 4)).toBe('ab👩');
  expect(beginningOf('abc', 5)).toBe('abc');
});
