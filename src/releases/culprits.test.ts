import { beforeEach, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import type { Digest } from '../oci/digest.ts';
import { openTestReleases, type TestReleases, type TestTarget } from './testing.ts';

const FOLLOWED = {
  track: { web: { kind: 'tag', value: 'latest' }, api: { kind: 'tag', value: 'latest' } },
  deployOnPush: true,
} as const;

onEachDatabase('what was rolled back', (newPlace) => {
  let releases: TestReleases;
  let targets: TestTarget[];
  let first: { web: Digest; api: Digest };
  beforeEach(async () => {
    releases = await openTestReleases(await newPlace());
    first = await releases.shop();
    targets = await releases.environment('test', FOLLOWED);
    await releases.tick();
    await releases.settle(targets);
  });
  const imagesOf = async (number: number) =>
    Object.fromEntries(
      (await releases.deployment('test', number)).images.map(({ service, digest }) => [service, digest]),
    );
  const failing = async () => {
    const bad = await releases.push('alice/web', 'web bad');
    await releases.tick();
    for (const target of targets) await target.reverts();
    await releases.settle(targets);
    expect(await releases.history('test')).toEqual([
      'v1 push stable',
      'v2 push rolled_back',
      'v3 auto-rollback stable',
    ]);
    return bad;
  };

  test('does not come again with the push of another service', async () => {
    await failing();
    const api = await releases.push('alice/api', 'api 2');
    await releases.tick();
    expect(await imagesOf(4)).toEqual({ web: first.web, api });
  });

  test('nor does it when that push waited while it was being rolled back', async () => {
    const bad = await releases.push('alice/web', 'web bad');
    await releases.tick();
    const api = await releases.push('alice/api', 'api 2');
    await releases.tick();
    expect(await imagesOf(3)).toEqual({ web: bad, api });
    for (const target of targets) await target.reverts();
    await releases.settle(targets);
    await releases.tick();
    await releases.settle(targets);
    expect(await releases.deployment('test', 3)).toMatchObject({ status: 'superseded' });
    expect((await releases.status('test')).current).toMatchObject({ status: 'success', reason: 'push' });
    expect(await imagesOf(5)).toEqual({ web: first.web, api });
  });

  test('blames only what differs from the release that came back: the other service goes on as it was', async () => {
    await failing();
    const web = await releases.push('alice/web', 'web 3');
    await releases.tick();
    expect(await imagesOf(4)).toEqual({ web, api: first.api });
  });

  test('is followed by what a person deploys: then it runs, and is no longer replaced', async () => {
    const bad = await failing();
    await releases.deploy('test', { images: { web: bad }, force: true });
    await releases.settle(targets);
    const api = await releases.push('alice/api', 'api 2');
    await releases.tick();
    expect(await imagesOf(5)).toEqual({ web: bad, api });
  });
});
