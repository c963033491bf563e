import { expect, test } from 'bun:test';
import { type UsageReason, usageReason, usersInRefusal } from './usage-reason.ts';

test.each<[string, UsageReason]>([
  ['tag 1.0', { kind: 'tag', tag: '1.0' }],
  ['history of latest', { kind: 'history', tag: 'latest' }],
  ['grace window', { kind: 'grace' }],
  ['in use', { kind: 'inUse' }],
  [
    'target web-1 of alice/shop@production runs it',
    { kind: 'target', target: 'web-1', stack: 'alice/shop', environment: 'production' },
  ],
  [
    'deployment v12 of alice/shop@production (can be rolled back to)',
    {
      kind: 'deployment',
      number: 12,
      stack: 'alice/shop',
      environment: 'production',
      state: 'can be rolled back to',
    },
  ],
  ['release 3 of alice/shop', { kind: 'release', number: 3, stack: 'alice/shop' }],
  ['something new', { kind: 'other', text: 'something new' }],
])('%p is told apart', (text, reason) => {
  expect(usageReason(text)).toEqual(reason);
});

test('a refusal to delete lists who uses the image', () => {
  const refusal =
    'manifest: sha256:abc is in use: target web-1 of alice/shop@production runs it; deployment v2 of alice/shop@production (current)';
  expect(usersInRefusal(refusal)).toEqual([
    'target web-1 of alice/shop@production runs it',
    'deployment v2 of alice/shop@production (current)',
  ]);
  expect(usersInRefusal('tag: 1.0 is immutable in alice/app, and names sha256:abc')).toBeUndefined();
});
