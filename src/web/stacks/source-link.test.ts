import { describe, expect, test } from 'bun:test';
import { shortRevision, sourceLink } from './source-link.ts';

const revision = '0f3a9c21e4b7d6508c9a1b2c3d4e5f60718293a4';

describe('the link to what an image was made of', () => {
  test.each([
    ['https://github.com/alice/shop', `https://github.com/alice/shop/commit/${revision}`],
    ['https://github.com/alice/shop.git', `https://github.com/alice/shop/commit/${revision}`],
    ['https://git.example.com/alice/shop', 'https://git.example.com/alice/shop'],
    ['javascript:alert(1)', undefined],
    ['data:text/html,<script>', undefined],
    ['not an address', undefined],
    [null, undefined],
  ])('of %j leads to %j', (source, link) => {
    expect(sourceLink({ source, revision })).toBe(link);
  });

  test('never takes what is no commit into an address', () => {
    expect(sourceLink({ source: 'https://github.com/a/b', revision: '../../x"' })).toBe('https://github.com/a/b');
  });

  test('shows enough of a commit, and other words as they are', () => {
    expect([shortRevision(revision), shortRevision('release-7')]).toEqual(['0f3a9c21e', 'release-7']);
  });
});
