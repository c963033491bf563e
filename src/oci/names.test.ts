import { describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { DIGEST_ALGORITHMS, digestAlgorithm, digestHex, digestOf, isDigest, parseDigest } from './digest.ts';
import { OciError } from './errors.ts';
import { isRepositoryName, parseReference, parseRepositoryName, parseTag, referenceText } from './names.ts';

/** What a parser says of any text: its result, or the code of an OciError. Another throw fails the test. */
function outcome(parse: (text: string) => unknown, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof OciError) return error.code;
    throw error;
  }
}

const hex = (length: number) =>
  fc.array(fc.constantFrom(...'0123456789abcdef'), { minLength: length, maxLength: length }).map((all) => all.join(''));
const digests = fc.oneof(
  hex(64).map((text) => `sha256:${text}`),
  hex(128).map((text) => `sha512:${text}`),
);
const anyText = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(...'aA0:-_./%\n ') }),
);

describe('a digest', () => {
  test('is an algorithm and its hex, and comes apart into them', () => {
    fc.assert(
      fc.property(digests, (text) => {
        const digest = parseDigest(text);
        expect(`${digestAlgorithm(digest)}:${digestHex(digest)}`).toBe(text);
      }),
    );
  });

  test('of bytes is what the algorithm says', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.constantFrom(...DIGEST_ALGORITHMS), (bytes, algorithm) => {
        expect(digestOf(bytes, algorithm)).toBe(
          parseDigest(`${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`),
        );
      }),
    );
  });

  test('changed in one character is refused, except for another hex digit', () => {
    fc.assert(
      fc.property(digests, fc.nat(), fc.string({ minLength: 0, maxLength: 2, unit: 'binary' }), (text, at, by) => {
        const i = at % text.length;
        const changed = text.slice(0, i) + by + text.slice(i + 1);
        const stillOne = /^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(changed) && !changed.includes('\n');
        expect(isDigest(changed)).toBe(stillOne);
      }),
    );
  });

  test.each([
    '',
    'sha256',
    'sha256:',
    `sha256:${'a'.repeat(63)}`,
    `sha256:${'a'.repeat(65)}`,
    `sha256:${'A'.repeat(64)}`,
    `SHA256:${'a'.repeat(64)}`,
    `sha512:${'a'.repeat(64)}`,
    `sha256:${'a'.repeat(64)}\n`,
    ` sha256:${'a'.repeat(64)}`,
    `md5:${'a'.repeat(32)}`,
  ])('is not %j', (text) => {
    expect(isDigest(text)).toBe(false);
    expect(outcome(parseDigest, text)).toBe('DIGEST_INVALID');
  });
});

describe('a repository name', () => {
  const component = fc
    .tuple(
      fc.string({ unit: fc.constantFrom(...'abz09'), minLength: 1, maxLength: 6 }),
      fc.array(
        fc.tuple(
          fc.constantFrom('.', '_', '__', '-', '--', '-----'),
          fc.string({ unit: fc.constantFrom(...'abz09'), minLength: 1, maxLength: 6 }),
        ),
        { maxLength: 2 },
      ),
    )
    .map(([first, rest]) => first + rest.flat().join(''));
  const names = fc.array(component, { minLength: 1, maxLength: 5 }).map((all) => all.join('/'));

  test('is made of components as the specification has them', () => {
    fc.assert(
      fc.property(
        names,
        (text) => void expect(outcome(parseRepositoryName, text)).toBe(text.length <= 255 ? text : 'NAME_INVALID'),
      ),
    );
  });

  test('is no other text', () => {
    // The specification's expression, apart from ours.
    const oracle = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/;
    fc.assert(
      fc.property(fc.oneof(anyText, fc.string({ unit: fc.constantFrom(...'ab0._-/') })), (text) => {
        expect(isRepositoryName(text)).toBe(oracle.test(text) && text.length <= 255 && !text.includes('\n'));
      }),
    );
  });

  test.each([
    '',
    '/',
    'a/',
    '/a',
    'a//b',
    'A',
    'a..b',
    'a___b',
    '-a',
    'a-',
    'a._b',
    'a\n',
    'ä',
    '../a',
    'a/..',
    'a'.repeat(256),
  ])('is not %j', (text) => {
    expect(outcome(parseRepositoryName, text)).toBe('NAME_INVALID');
  });

  test('of the longest kind is taken, and a hostile one is refused at once', () => {
    expect(outcome(parseRepositoryName, 'a'.repeat(255))).toBe('a'.repeat(255));
    const started = performance.now();
    for (const text of [`${'a-'.repeat(127)}`, `${'a__'.repeat(84)}!`, `${'-'.repeat(254)}a`, `${'a/'.repeat(127)}`]) {
      expect(outcome(parseRepositoryName, text)).toBe('NAME_INVALID');
    }
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe('a tag or reference', () => {
  const tags = fc
    .tuple(fc.constantFrom(...'aZ0_'), fc.string({ unit: fc.constantFrom(...'aZ09._-'), maxLength: 127 }))
    .map(([first, rest]) => first + rest);

  test('is read back as it was written', () => {
    fc.assert(
      fc.property(fc.oneof(tags, digests), (text) => {
        const reference = parseReference(text);
        expect(reference.kind).toBe(text.includes(':') ? 'digest' : 'tag');
        expect(referenceText(reference)).toBe(text as never);
      }),
    );
  });

  test('is refused with DIGEST_INVALID when it has a colon, else with TAG_INVALID', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const found = outcome(parseReference, text);
        if (typeof found === 'string') expect(found).toBe(text.includes(':') ? 'DIGEST_INVALID' : 'TAG_INVALID');
        else expect(/^[\w][\w.-]{0,127}$/.test(text) || isDigest(text)).toBe(true);
      }),
    );
  });

  test.each(['', '.a', '-a', 'a b', 'a/b', 'a\n', 'ä', 'a'.repeat(129)])('is not %j', (text) => {
    expect(outcome(parseTag, text)).toBe('TAG_INVALID');
  });

  test('in an error body is cut short', () => {
    try {
      parseReference(`${'a'.repeat(100_000)}`);
      throw new Error('taken');
    } catch (error) {
      expect((error as Error).message.length).toBeLessThan(1_000);
      expect(JSON.stringify((error as OciError).detail).length).toBeLessThan(1_000);
    }
  });
});
