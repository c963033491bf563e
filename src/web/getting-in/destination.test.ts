import { expect, test } from 'bun:test';
import { destinationOf } from './destination.ts';

const ORIGIN = 'https://registry.example.com';

test('a path of this address is where the log-in leads', () => {
  for (const next of ['/', '/account/tokens', '/r/alice/app/-/tags?q=1&x=a%20b#top', '/r/a/-/compare/x/y']) {
    expect(destinationOf(next, ORIGIN)).toBe(next);
  }
});

test('what leads elsewhere, or might in some browser, is the start page', () => {
  for (const next of [
    undefined,
    '',
    'account',
    'https://evil.example/',
    '//evil.example/',
    '/\\evil.example/',
    '\\\\evil.example/',
    '/\t/evil.example/',
    ' /x',
    '/x y',
    '/x\\..\\y',
    'javascript:alert(1)',
    '/x\r\nSet-Cookie: a=b',
    `${ORIGIN}/account`,
  ]) {
    expect([next, destinationOf(next, ORIGIN)]).toEqual([next, '/']);
  }
});
