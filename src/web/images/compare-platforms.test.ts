import { expect, test } from 'bun:test';
import type { ImageInfo } from '../../api/images.ts';
import { comparedDigests } from './compare-platforms.ts';

function info(kind: ImageInfo['kind'], digest: string, platforms: [string | null, string, boolean?][] = []): ImageInfo {
  return {
    repository: 'alice/app',
    digest,
    kind,
    mediaType: '',
    artifactType: null,
    size: 0,
    pushedAt: '2026-01-01T00:00:00Z',
    pushedBy: 'alice',
    pulledAt: null,
    tags: [],
    subject: null,
    annotations: {},
    revision: null,
    source: null,
    version: null,
    platforms: platforms.map(([platform, of, available = true]) => ({ platform, digest: of, size: 1, available })),
    config: null,
    layers: [],
    referrers: [],
  };
}

const ONE = info('index', 'one', [
  ['linux/arm64', 'one-arm'],
  ['linux/amd64', 'one-amd'],
]);
const TWO = info('index', 'two', [
  ['linux/arm64', 'two-arm'],
  ['linux/s390x', 'two-s390x'],
  ['linux/amd64', 'two-amd'],
]);

test('two indexes are compared by a platform that both have', () => {
  expect(comparedDigests(ONE, TWO, {})).toEqual({ from: 'one-amd', to: 'two-amd' });
  const arm = info('index', 'three', [['linux/arm64', 'three-arm']]);
  expect(comparedDigests(ONE, arm, {})).toEqual({ from: 'one-arm', to: 'three-arm' });
});

test('a choice on one side is followed on the other, where that has it', () => {
  expect(comparedDigests(ONE, TWO, { from: 'one-arm' })).toEqual({ from: 'one-arm', to: 'two-arm' });
  expect(comparedDigests(ONE, TWO, { to: 'two-arm' })).toEqual({ from: 'one-arm', to: 'two-arm' });
  expect(comparedDigests(ONE, TWO, { to: 'two-s390x' })).toEqual({ from: 'one-arm', to: 'two-s390x' });
});

test('both may be chosen, and a choice that is not there is none', () => {
  expect(comparedDigests(ONE, TWO, { from: 'one-arm', to: 'two-amd' })).toEqual({ from: 'one-arm', to: 'two-amd' });
  expect(comparedDigests(ONE, TWO, { from: 'two-arm', to: 'x' })).toEqual({ from: 'one-amd', to: 'two-amd' });
});

test('an image is itself, and an index beside it is taken for its platform', () => {
  const image = info('image', 'image', [['linux/arm64', 'image']]);
  expect(comparedDigests(image, TWO, {})).toEqual({ from: 'image', to: 'two-arm' });
  expect(comparedDigests(TWO, image, {})).toEqual({ from: 'two-arm', to: 'image' });
  expect(comparedDigests(info('artifact', 'chart'), TWO, {})).toEqual({ from: 'chart', to: 'two-arm' });
});

test('of an index whose images are not here there is nothing to compare', () => {
  const empty = info('index', 'empty', [['linux/amd64', 'gone', false]]);
  expect(comparedDigests(empty, TWO, {})).toEqual({ from: undefined, to: 'two-arm' });
});
