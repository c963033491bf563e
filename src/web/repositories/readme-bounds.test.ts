import { describe, expect, test } from 'bun:test';
import { quickMarkdown } from './readme-bounds.ts';

describe('a README', () => {
  test('of a usual kind is laid out whole', () => {
    const text = `# App\n\n${'-'.repeat(80)}\n\n> quoted\n\n- a\n  - b\n    - c\n\n${'| a | b |\n'.repeat(200)}\n\`\`\`\n${'x\n'.repeat(400)}\`\`\`\n`;
    expect(quickMarkdown(text)).toEqual({ laidOut: text, rest: '' });
  });

  test('that is long is laid out up to an empty line, and nothing of it is lost', () => {
    const text = 'A paragraph of some words.\n\n'.repeat(8_000);
    const { laidOut = '', rest = '' } = quickMarkdown(text) ?? {};
    expect(laidOut.length).toBeLessThanOrEqual(50_000);
    expect(laidOut.length).toBeGreaterThan(49_000);
    expect(laidOut.endsWith('words.')).toBe(true);
    expect(laidOut + rest).toBe(text);
  });

  test.each([
    ['quotes', `${'>'.repeat(5_000)} a`],
    ['many lines of quotes', `${'>'.repeat(12)} a\n\n`.repeat(600)],
    ['lists in one line', `${'- '.repeat(90)}a`],
    ['lists by indent', Array.from({ length: 90 }, (_, depth) => `${' '.repeat(depth * 2)}- a`).join('\n')],
    ['list signs alone', '-\n'.repeat(20_000)],
    ['brackets', '['.repeat(20_000)],
    ['stars', '*a '.repeat(10_000)],
    ['rows without an end', '| a |\n'.repeat(5_000)],
    ['carriage returns', '-\r'.repeat(20_000)],
  ])('is not laid out when it would hold its reader up: %s', (_, text) => {
    expect(quickMarkdown(text)).toBeUndefined();
  });
});
