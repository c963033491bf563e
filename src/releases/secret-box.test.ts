import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { OciError } from '../oci/errors.ts';
import { SecretBox } from './secret-box.ts';

const box = new SecretBox(new Uint8Array(32).fill(7));
const other = new SecretBox(new Uint8Array(32).fill(8));

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'done';
  } catch (error) {
    return error instanceof OciError ? error.code : String(error);
  }
}

describe('a sealed secret', () => {
  test('opens to what it was, with what it belongs to', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (plain, context) => {
        expect(box.open(box.seal(plain, context), context)).toBe(plain);
      }),
    );
  });

  test('shows nothing of what is in it, and is another text each time', () => {
    const texts = [1, 2, 3].map(() => box.seal('hunter2hunter2', '7/PASSWORD'));
    expect(new Set(texts).size).toBe(3);
    for (const text of texts) {
      expect(text).toMatch(/^v1:[\w-]+$/);
      expect(Buffer.from(text.slice(3), 'base64url').toString('latin1')).not.toContain('hunter2');
    }
  });

  test('does not open for another environment or name, nor with another key', () => {
    const text = box.seal('hunter2', '7/PASSWORD');
    expect(codeOf(() => box.open(text, '8/PASSWORD'))).toBe('UNKNOWN');
    expect(codeOf(() => box.open(text, '7/OTHER'))).toBe('UNKNOWN');
    expect(codeOf(() => other.open(text, '7/PASSWORD'))).toBe('UNKNOWN');
  });

  test('does not open when a bit of it was changed, or when it was cut', () => {
    const text = box.seal('hunter2', 'a');
    const bytes = Buffer.from(text.slice(3), 'base64url');
    for (let i = 0; i < bytes.length; i++) {
      const changed = Buffer.from(bytes);
      changed[i] = (changed[i] ?? 0) ^ 1;
      expect(codeOf(() => box.open(`v1:${changed.toString('base64url')}`, 'a'))).toBe('UNKNOWN');
      expect(codeOf(() => box.open(`v1:${bytes.subarray(0, i).toString('base64url')}`, 'a'))).toBe('UNKNOWN');
    }
    for (const wrong of ['', 'v1:', 'v2:abc', 'hunter2', text.slice(3)]) {
      expect(codeOf(() => box.open(wrong, 'a'))).toBe('UNKNOWN');
    }
  });

  test('that does not open says what to do', () => {
    expect(() => other.open(box.seal('hunter2', 'a'), 'a')).toThrow(/put that file back, or set the secret anew/);
  });
});

test.each([0, 16, 31, 33])('a key of %p bytes is refused', (length) => {
  expect(() => new SecretBox(new Uint8Array(length))).toThrow(RangeError);
});
