import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { scanJson } from './strict-json.ts';

/** A value written down with everything that `JSON.parse` forgets: keys that stand twice, escapes, spaces. */
type Written = { text: string; depth: number; twice: boolean };

const space = fc.constantFrom('', ' ', '\n', '\t\r\n ');
/** A key or string with some of its characters escaped, in upper or lower case. */
const quoted = fc
  .array(fc.tuple(fc.constantFrom('a', 'b', '"', '\\', '/', '\n', 'é', '\u2603', '{', ']', ','), fc.nat(3)), {
    maxLength: 3,
  })
  .map((characters) => ({
    value: characters.map(([character]) => character).join(''),
    text: `"${characters.map(([character, way]) => escaped(character, way)).join('')}"`,
  }));

function escaped(character: string, way: number): string {
  const code = character.charCodeAt(0).toString(16).padStart(4, '0');
  if (way === 0) return `\\u${code}`;
  if (way === 1) return `\\u${code.toUpperCase()}`;
  return JSON.stringify(character).slice(1, -1);
}

const { value: written } = fc.letrec<{ value: Written }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom('1', '-0.5e3', 'true', 'null', '""').map((text) => ({ text, depth: 0, twice: false })),
    quoted.map(({ text }) => ({ text, depth: 0, twice: false })),
    fc.array(fc.tuple(tie('value'), space), { maxLength: 4 }).map((items) => ({
      text: `[${items.map(([item, gap]) => gap + item.text + gap).join(',')}]`,
      depth: 1 + Math.max(0, ...items.map(([item]) => item.depth)),
      twice: items.some(([item]) => item.twice),
    })),
    fc.array(fc.tuple(quoted, tie('value'), space), { maxLength: 4 }).map((members) => ({
      text: `{${members.map(([key, item, gap]) => `${gap}${key.text}${gap}:${gap}${item.text}${gap}`).join(',')}}`,
      depth: 1 + Math.max(0, ...members.map(([, item]) => item.depth)),
      twice: new Set(members.map(([key]) => key.value)).size < members.length || members.some(([, item]) => item.twice),
    })),
  ),
}));

describe('the look at JSON text', () => {
  test('finds a key that stands twice, however it is written, and finds no other', () => {
    let twice = 0;
    fc.assert(
      fc.property(written, (value) => {
        JSON.parse(value.text);
        if (value.twice) twice++;
        expect(scanJson(value.text) !== undefined).toBe(value.twice);
      }),
      { numRuns: 3_000 },
    );
    expect(twice).toBeGreaterThan(20);
  });

  test('finds what is nested deeper than it may be', () => {
    fc.assert(
      fc.property(written, fc.nat(4), (value, most) => {
        fc.pre(!value.twice);
        expect(scanJson(value.text, most) !== undefined).toBe(value.depth > most);
      }),
      { numRuns: 1_000 },
    );
  });

  test('has nothing against what JSON.stringify makes', () => {
    fc.assert(fc.property(fc.json({ maxDepth: 10 }), (text) => void expect(scanJson(text)).toBeUndefined()));
  });

  test('of text that is not JSON throws nothing', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...'{}[]",:\\u0a ') })),
        (text) => {
          scanJson(text);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  test('says which key, and where', () => {
    expect(scanJson('{"a": {"b": 1}, "\\u0061": 2}')).toEqual({
      reason: 'the key "a" stands twice in one object',
      at: 16,
    });
    expect(scanJson('{"a": {"a": {"a": 1}}, "b": [{"a": 1}, {"a": 2}]}')).toBeUndefined();
    expect(scanJson('["a", "a", {"b": ["b", "b"]}]')).toBeUndefined();
  });

  test('of millions of brackets takes no stack and little time', () => {
    const started = performance.now();
    expect(scanJson('['.repeat(4_000_000))?.at).toBe(32);
    expect(scanJson(`${'[],'.repeat(1_000_000)}`)).toBeUndefined();
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
