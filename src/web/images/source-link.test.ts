import { describe, expect, test } from 'bun:test';
import { commitLink, compareLink, shortRevision, webAddress } from './source-link.ts';

const SHA = '0123456789abcdef0123456789abcdef01234567';
const OTHER = 'fedcba9876543210fedcba9876543210fedcba98';

describe('an address that was pushed', () => {
  test('is linked when it is http or https', () => {
    expect(webAddress('https://github.com/x/y')).toBe('https://github.com/x/y');
    expect(webAddress('http://example.org')).toBe('http://example.org/');
  });

  test.each([
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    ' javascript:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    'git@github.com:x/y.git',
    'ssh://git@github.com/x/y',
    'https://github.com@evil.example/x/y',
    '//evil.example',
    '/relative',
    '',
    `https://example.org/${'a'.repeat(3_000)}`,
  ])('is not linked: %p', (address) => {
    expect(webAddress(address)).toBeUndefined();
  });

  test('that is not there is not linked', () => expect(webAddress(null)).toBeUndefined());
});

describe('a commit', () => {
  test.each([
    ['https://github.com/x/y', `https://github.com/x/y/commit/${SHA}`],
    ['https://github.com/x/y.git', `https://github.com/x/y/commit/${SHA}`],
    ['https://github.com/x/y/tree/main/sub', `https://github.com/x/y/commit/${SHA}`],
    ['https://gitlab.com/group/sub/y', `https://gitlab.com/group/sub/y/-/commit/${SHA}`],
    ['https://gitlab.example.org/group/y.git', `https://gitlab.example.org/group/y/-/commit/${SHA}`],
    ['https://codeberg.org/x/y', `https://codeberg.org/x/y/commit/${SHA}`],
  ])('of %s is linked', (source, link) => {
    expect(commitLink(source, SHA)).toBe(link);
  });

  test.each([
    ['https://example.org/x/y', SHA],
    ['https://notgithub.com/x/y', SHA],
    ['https://github.com/x', SHA],
    ['https://github.com/x/y', 'main'],
    ['https://github.com/x/y', '../../settings'],
    ['javascript:alert(1)//github.com/x/y', SHA],
    [null, SHA],
    ['https://github.com/x/y', null],
  ])('of %p at %p is not', (source, revision) => {
    expect(commitLink(source, revision)).toBeUndefined();
  });

  test('is short, and other revisions are as they are', () => {
    expect(shortRevision(SHA)).toBe('0123456789ab');
    expect(shortRevision('v1.2.3-final')).toBe('v1.2.3-final');
  });
});

test('two commits of one repository have a comparison, others have none', () => {
  const from = { source: 'https://github.com/x/y', revision: SHA };
  expect(compareLink(from, { source: 'https://github.com/x/y.git', revision: OTHER })).toBe(
    `https://github.com/x/y/compare/${SHA}...${OTHER}`,
  );
  expect(compareLink(from, { source: 'https://github.com/x/z', revision: OTHER })).toBeUndefined();
  expect(compareLink(from, from)).toBeUndefined();
  expect(compareLink(from, { source: 'https://github.com/x/y', revision: null })).toBeUndefined();
  const gitlab = { source: 'https://gitlab.com/x/y', revision: SHA };
  expect(compareLink(gitlab, { ...gitlab, revision: OTHER })).toBe(
    `https://gitlab.com/x/y/-/compare/${SHA}...${OTHER}`,
  );
});
