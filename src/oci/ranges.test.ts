import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { OciError } from './errors.ts';
import { parseContentRange, parseRange } from './ranges.ts';

function outcome<T>(parse: () => T): T | string {
  try {
    return parse();
  } catch (error) {
    if (error instanceof OciError) return error.code;
    throw error;
  }
}

const number = fc.oneof(fc.nat(20), fc.nat(10 ** 9), fc.constant(999_999_999_999_999));

describe('Range', () => {
  test('picks the bytes that a list of them shows', () => {
    fc.assert(
      fc.property(fc.nat(12), fc.option(fc.nat(14)), fc.option(fc.nat(14)), (size, first, last) => {
        const bytes = Array.from({ length: size }, (_, i) => i);
        const header = `bytes=${first ?? ''}-${last ?? ''}`;
        const found = outcome(() => parseRange(header, size));
        if (first === null && last === null) return void expect(found).toBeUndefined();
        if (first !== null && last !== null && last < first) return void expect(found).toBeUndefined();
        const wanted =
          first === null
            ? last === 0
              ? []
              : bytes.slice(-(last ?? 0))
            : bytes.slice(first, last === null ? size : last + 1);
        if (wanted.length === 0) return void expect(found).toBe('RANGE_NOT_SATISFIABLE');
        expect(found).toEqual({ start: wanted[0] as number, end: wanted.at(-1) as number });
      }),
      { numRuns: 2_000 },
    );
  });

  test('of any text and size is a range within the body, ignored, or not satisfiable', () => {
    const headers = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom(...'bytes=0123456789-,* ') }),
      fc.tuple(number, number).map(([a, b]) => `bytes=${a}-${b}`),
      number.map((a) => `bytes=-${a}`),
      number.map((a) => `bytes=${a}-`),
    );
    fc.assert(
      fc.property(headers, number, (header, size) => {
        const found = outcome(() => parseRange(header, size));
        if (found === undefined) return;
        if (typeof found === 'string') return void expect(found).toBe('RANGE_NOT_SATISFIABLE');
        expect(found.start).toBeGreaterThanOrEqual(0);
        expect(found.end).toBeGreaterThanOrEqual(found.start);
        expect(found.end).toBeLessThan(size);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    'bytes=0-1,3-4',
    'items=0-1',
    'bytes 0-1',
    'bytes=a-b',
    'bytes=--1',
    'bytes=1',
    '',
    `bytes=0-${'9'.repeat(16)}`,
  ])('%j is ignored', (header) => {
    expect(parseRange(header, 10)).toBeUndefined();
  });

  test('is none without a header', () => {
    expect(parseRange(null, 10)).toBeUndefined();
  });
});

describe('Content-Range', () => {
  test('is taken in the specification’s form and in Docker’s', () => {
    fc.assert(
      fc.property(number, number, (a, b) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        for (const header of [
          `${start}-${end}`,
          ` ${start}-${end} `,
          `bytes ${start}-${end}/*`,
          `bytes=${start}-${end}`,
          `bytes ${start}-${end}/${end}`,
        ]) {
          expect(parseContentRange(header)).toEqual({ start, end });
        }
      }),
    );
  });

  test('of any other text is BLOB_UPLOAD_INVALID', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'0123456789-/* bytes') })), (header) => {
        const found = outcome(() => parseContentRange(header));
        if (typeof found === 'string') return void expect(found).toBe('BLOB_UPLOAD_INVALID');
        expect(header).toMatch(/^\s*(bytes[ =])?\d+-\d+(\/(\d+|\*))?\s*$/);
        expect(found?.end).toBeGreaterThanOrEqual(found?.start ?? Number.NaN);
      }),
    );
  });

  test.each(['', '5-4', '-5', '5-', '0-0-0', 'bytes */10', '0x1-2', '1.5-2', '-1-2'])('is not %j', (header) => {
    expect(outcome(() => parseContentRange(header))).toBe('BLOB_UPLOAD_INVALID');
  });
});
