import { beforeEach, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { changeEnvironment, holdEnvironment, resumeEnvironment } from './environments.ts';
import type { Tracking } from './resolution.ts';
import { revokeRelease } from './revocations.ts';
import { ALICE, MINUTE, openTestReleases, type TestReleases, type TestTarget } from './testing.ts';
import { followPushes } from './triggers.ts';
import { changeConfig } from './variables.ts';

onEachDatabase('deploy on push', (newPlace) => {
  let releases: TestReleases;
  beforeEach(async () => {
    releases = await openTestReleases(await newPlace());
    await releases.shop();
  });
  /** An environment whose first deployment is stable. */
  const follow = async (web: Tracking = { kind: 'tag', value: 'latest' }): Promise<TestTarget[]> => {
    const targets = await releases.environment('test', { track: { web }, deployOnPush: true });
    await releases.tick();
    await releases.settle(targets);
    return targets;
  };
  const webOf = async (number: number) =>
    (await releases.deployment('test', number)).images.find(({ service }) => service === 'web')?.digest;
  const waiting = () => releases.context.database.read.selectFrom('environment_triggers').selectAll().execute();

  test('makes a deployment of the tag that was pushed, in the name of who pushed it', async () => {
    await follow();
    const digest = await releases.push('alice/web', 'web 2');
    expect(await waiting()).toMatchObject([{ cause: 'alice/web:latest', actor: 'alice' }]);
    expect(await followPushes(releases.context)).toBe(1);
    expect(await waiting()).toEqual([]);
    expect(await webOf(2)).toBe(digest);
    expect(await releases.deployment('test', 2)).toMatchObject({
      reason: 'push',
      actor: 'alice',
      status: 'in_progress',
    });
  });

  test('is written down with the push: neither is there without the other', async () => {
    await follow();
    const { registry } = releases;
    const moved = registry.tagMoved;
    registry.tagMoved = async (tx, what) => {
      await moved(tx, what);
      throw new Error('power cut');
    };
    await expect(releases.push('alice/web', 'web 2')).rejects.toThrow('power cut');
    registry.tagMoved = moved;
    expect(await waiting()).toEqual([]);
    expect(await releases.tick()).toBeUndefined();
    expect(await releases.history('test')).toHaveLength(1);
  });

  test('does nothing for another tag, another repository or the same digest again', async () => {
    await follow();
    await releases.push('alice/web', 'web 2', 'next');
    await releases.push('alice/other', 'web 2');
    await releases.push('alice/api', 'api 2');
    expect(await waiting()).toEqual([]);
    await releases.push('alice/web', 'web 1');
    await releases.tick();
    expect(await releases.history('test')).toEqual(['v1 push stable']);
  });

  test('makes one deployment of two pushes that nobody looked at in between, and looks twice without harm', async () => {
    await follow();
    await releases.push('alice/web', 'web 2');
    const digest = await releases.push('alice/web', 'web 3');
    const other = releases.another();
    await Promise.all([followPushes(releases.context), followPushes(other)]);
    await releases.tick();
    expect(await releases.history('test')).toHaveLength(2);
    expect(await webOf(2)).toBe(digest);
  });

  test('looks again when a push comes while it looks', async () => {
    await follow();
    await releases.push('alice/web', 'web 2');
    const find = releases.context.images.find;
    let digest: string | undefined;
    releases.context.images.find = async (...args) => {
      const found = await find(...args);
      digest ??= await releases.push('alice/web', 'web 3');
      return found;
    };
    expect(await followPushes(releases.context)).toBe(0);
    releases.context.images.find = find;
    expect(await followPushes(releases.context)).toBe(1);
    expect(await webOf(2)).toBe(digest as never);
  });

  test('waits while another deployment is under way, and the newest push takes the place of those before', async () => {
    const targets = await follow();
    for (const seed of ['web 2', 'web 3', 'web 4']) {
      await releases.push('alice/web', seed);
      await releases.tick();
    }
    expect((await releases.history('test')).slice(1)).toEqual([
      'v2 push in_progress',
      'v3 push superseded',
      'v4 push queued',
    ]);
    await releases.settle(targets);
    await releases.settle(targets);
    expect((await releases.history('test')).slice(3)).toEqual(['v4 push stable']);
  });

  test('follows the highest version of a range, not the one that was pushed last', async () => {
    await releases.push('alice/web', 'web 1.4.0', 'v1.4.0');
    const targets = await follow({ kind: 'semver', value: '^1.4' });
    const digest = await releases.push('alice/web', 'web 1.5.0', '1.5.0');
    await releases.tick();
    await releases.settle(targets);
    await releases.push('alice/web', 'web 1.4.9', '1.4.9');
    await releases.push('alice/web', 'web 2.0.0', '2.0.0');
    await releases.push('alice/web', 'web 1.6.0-rc.1', '1.6.0-rc.1');
    await releases.tick();
    expect(await releases.history('test')).toHaveLength(2);
    expect(await webOf(2)).toBe(digest);
  });

  test('follows the newest tag of a pattern', async () => {
    await releases.push('alice/web', 'web 1', 'main-1');
    const targets = await follow({ kind: 'pattern', value: 'main-*' });
    const digest = await releases.push('alice/web', 'web 2', 'main-2');
    await releases.tick();
    await releases.settle(targets);
    await releases.push('alice/web', 'web 3', 'feature-3');
    await releases.tick();
    expect(await releases.history('test')).toHaveLength(2);
    expect(await webOf(2)).toBe(digest);
  });

  test('is not led by the tags that the engine itself moves', async () => {
    const targets = await follow({ kind: 'pattern', value: '*' });
    const digest = await releases.push('alice/web', 'web 2', 'b');
    await releases.tick();
    await releases.settle(targets);
    await releases.rollback('test');
    await releases.settle(targets);
    expect(await waiting()).toEqual([]);
    const { images } = await releases.deploy('test', { force: true });
    expect(images.find(({ service }) => service === 'web')?.digest).toBe(digest);
  });

  test('deploys nothing on hold, and looks at what was pushed meanwhile when the hold ends', async () => {
    await follow();
    await holdEnvironment(releases.context, 'alice', 'shop', 'test', 'audit', ALICE);
    const digest = await releases.push('alice/web', 'web 2');
    await releases.tick();
    expect(await releases.history('test')).toHaveLength(1);
    await resumeEnvironment(releases.context, 'alice', 'shop', 'test', ALICE);
    await releases.tick();
    expect(await webOf(2)).toBe(digest);
  });

  test('does not begin on hold what was waiting before, and does when the hold ends', async () => {
    const targets = await follow();
    await releases.push('alice/web', 'web 2');
    await releases.tick();
    await releases.push('alice/web', 'web 3');
    await releases.tick();
    await holdEnvironment(releases.context, 'alice', 'shop', 'test', 'audit', ALICE);
    await releases.settle(targets);
    expect((await releases.history('test')).slice(1)).toEqual(['v2 push stable', 'v3 push queued']);
    await resumeEnvironment(releases.context, 'alice', 'shop', 'test', ALICE);
    expect((await releases.history('test')).slice(1)).toEqual(['v2 push stable', 'v3 push in_progress']);
  });

  test('never begins a release that was revoked while it waited', async () => {
    const targets = await follow();
    await releases.push('alice/web', 'web 2');
    await releases.tick();
    await releases.push('alice/web', 'web 3');
    await releases.tick();
    const { release } = await releases.deployment('test', 3);
    await revokeRelease(releases.context, 'alice', 'shop', release, { reason: 'leaks' }, ALICE);
    await releases.settle(targets);
    expect((await releases.history('test')).slice(1)).toEqual(['v2 push stable', 'v3 push cancelled']);
  });

  test('does not bring back what was rolled back, and goes on with the next push', async () => {
    const targets = await follow();
    await releases.push('alice/web', 'web 2');
    await releases.tick();
    await releases.settle(targets);
    await releases.rollback('test');
    await releases.settle(targets);
    await releases.push('alice/web', 'web 2');
    await releases.tick();
    expect(await releases.history('test')).toHaveLength(3);
    const digest = await releases.push('alice/web', 'web 3');
    await releases.tick();
    expect(await webOf(4)).toBe(digest);
  });

  test('waits for an image that is missing, until it is pushed', async () => {
    await releases.environment('test', {
      track: { web: { kind: 'tag', value: 'next' }, api: { kind: 'tag', value: 'next' } },
      deployOnPush: true,
    });
    await releases.push('alice/web', 'web 2', 'next');
    await releases.tick();
    expect(await releases.history('test')).toEqual([]);
    await releases.push('alice/api', 'api 2', 'next');
    await releases.tick();
    expect(await releases.history('test')).toEqual(['v1 push in_progress']);
  });

  test('keeps what runs of the services that are not followed, and takes the newest config', async () => {
    const targets = await follow();
    const api = await releases.push('alice/api', 'api 2', 'v2');
    await releases.deploy('test', { images: { api } });
    await releases.settle(targets);
    const set = { LEVEL: { value: 'two', secret: false } };
    await changeConfig(releases.context, 'alice', 'shop', 'test', { set, unset: [] }, ALICE);
    await releases.push('alice/web', 'web 2');
    await releases.tick();
    const { images, configVersion } = await releases.deployment('test', 3);
    expect(images.find(({ service }) => service === 'api')?.digest).toBe(api);
    expect(configVersion).toBe(1);
  });

  test('looks at once when it is switched on, and leaves it alone when it is off', async () => {
    await releases.environment('test', { track: { web: { kind: 'tag', value: 'latest' } } });
    await releases.push('alice/web', 'web 2');
    await releases.tick();
    expect(await releases.history('test')).toEqual([]);
    await changeEnvironment(releases.context, 'alice', 'shop', 'test', { deployOnPush: true }, ALICE);
    await releases.tick();
    expect(await releases.history('test')).toEqual(['v1 push in_progress']);
  });

  test('waits in the queue for a target that is away', async () => {
    const [target] = await follow();
    releases.advance(MINUTE);
    await releases.push('alice/web', 'web 2');
    await releases.tick();
    expect((await releases.history('test')).at(-1)).toBe('v2 push queued');
    expect((await target?.asks())?.deployment?.number).toBe(2);
  });
});
