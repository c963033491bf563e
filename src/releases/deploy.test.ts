import { beforeEach, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { cancelDeployment, deployConfig } from './deploy.ts';
import { getEnvironment, resumeEnvironment } from './environments.ts';
import { createRelease, getRelease } from './releases.ts';
import { revokeRelease } from './revocations.ts';
import { ALICE, MINUTE, openTestReleases, refusalOf, type TestReleases, type TestTarget, VIEW } from './testing.ts';
import { changeConfig, getConfig } from './variables.ts';

onEachDatabase('a person', (newPlace, kind) => {
  let releases: TestReleases;
  let target: TestTarget;
  let targets: TestTarget[];
  beforeEach(async () => {
    releases = await openTestReleases(await newPlace());
    await releases.shop();
    targets = await releases.environment('test');
    const [only] = targets;
    if (only === undefined) throw new Error('no target');
    target = only;
  });
  const release = (seed: string) => releases.release('test', targets, seed);
  const cancel = (number: number) => cancelDeployment(releases.context, releases.place('test'), number, ALICE);
  const configure = (value: string) =>
    changeConfig(
      releases.context,
      'alice',
      'shop',
      'test',
      { set: { LEVEL: { value, secret: false } }, unset: [] },
      ALICE,
    );

  test('deploys only digests, resolved once: a tag that moves later changes nothing', async () => {
    const { images } = await releases.deploy('test');
    await releases.push('alice/web', 'another');
    const { deployment } = await target.asks();
    expect(deployment?.images.web?.digest).toBe(images.find(({ service }) => service === 'web')?.digest ?? '');
    expect((await releases.deployment('test', 1)).images).toEqual(images);
  });

  test('is told that the environment is locked while another deployment has it', async () => {
    await releases.deploy('test');
    expect(await refusalOf(releases.deploy('test'))).toMatch(
      /^LOCKED .*alice\/shop@test is locked by v1 by alice since/,
    );
    expect(await refusalOf(releases.promote('test', { release: 1 }))).toMatch(/^LOCKED/);
    await target.runs('monitoring');
    expect((await releases.deploy('test')).number).toBe(2);
  });

  test('of two who deploy at once one is locked out, and one deployment is made', async () => {
    const answers = await Promise.all([
      refusalOf(releases.deploy('test')),
      refusalOf(releases.wish('test', { kind: 'deploy', force: false }, releases.another())),
    ]);
    expect(answers.map((answer) => answer.slice(0, 6)).sort()).toEqual(['LOCKED', 'done']);
    expect(await releases.history('test')).toEqual(['v1 manual in_progress']);
  });

  test('of two who roll back at once one is locked out', async () => {
    for (const seed of ['a', 'b', 'c']) await release(seed);
    const other = releases.wish(
      'test',
      { kind: 'rollback', keepConfig: false, reason: '', force: false },
      releases.another(),
    );
    const answers = await Promise.all([refusalOf(releases.rollback('test')), refusalOf(other)]);
    expect(answers.map((answer) => answer.slice(0, 6)).sort()).toEqual(['LOCKED', 'done']);
    expect((await releases.status('test')).current).toMatchObject({ number: 4, restores: 2, undoes: 3 });
  });

  test('rolls back at once while a deployment is under way, and that one is cancelled', async () => {
    await release('good');
    await releases.push('alice/web', 'slow', 'slow');
    await releases.deploy('test', { images: { web: 'slow' } });
    const undo = await releases.rollback('test');
    expect(undo).toMatchObject({ number: 3, restores: 1, undoes: 2, status: 'in_progress' });
    expect((await releases.deployment('test', 2)).status).toBe('cancelled');
    expect((await target.asks()).deployment?.number).toBe(3);
  });

  test('may not roll back a rollback that is under way', async () => {
    for (const seed of ['a', 'b', 'c']) await release(seed);
    await releases.rollback('test');
    expect(await refusalOf(releases.rollback('test'))).toMatch(/^LOCKED/);
  });

  test('takes the place of what waits for a target', async () => {
    releases.advance(MINUTE);
    await releases.deploy('test');
    await releases.deploy('test');
    expect(await releases.history('test')).toEqual(['v1 manual superseded', 'v2 manual queued']);
    await target.asks();
    expect(await releases.history('test')).toEqual(['v1 manual superseded', 'v2 manual in_progress']);
  });

  test('cancels what waits, and what is under way, which is undone; what is over can not be cancelled', async () => {
    await release('good');
    await releases.push('alice/web', 'slow', 'slow');
    await releases.deploy('test', { images: { web: 'slow' } });
    await cancel(2);
    await releases.settle(targets);
    expect(await releases.history('test')).toEqual(['v1 manual stable', 'v2 manual cancelled', 'v3 rollback stable']);
    expect(await refusalOf(cancel(1))).toMatch(/^CONFLICT .*v1 is success/);
    releases.advance(MINUTE);
    await releases.deploy('test');
    await cancel(4);
    await target.asks();
    expect((await releases.history('test')).at(-1)).toBe('v4 manual cancelled');
  });

  test('goes back to the last stable deployment by its number, past what was revoked', async () => {
    for (const seed of ['a', 'b', 'c', 'd']) await release(seed);
    const third = await releases.deployment('test', 3);
    await revokeRelease(releases.context, 'alice', 'shop', third.release, { reason: 'leaks' }, ALICE);
    expect((await releases.status('test')).rollback).toBe(2);
    expect(await releases.rollback('test')).toMatchObject({ restores: 2, undoes: 4 });
    await releases.settle(targets);
    expect(await releases.rollback('test')).toMatchObject({ restores: 1, undoes: 5 });
  });

  test('gets no rollback to what was never stable, unless it is forced', async () => {
    await release('a');
    const digest = await releases.push('alice/web', 'b', 'b');
    await releases.deploy('test', { images: { web: digest } });
    await target.runs('monitoring');
    await release('c');
    expect(await refusalOf(releases.rollback('test', { to: 2 }))).toMatch(/^REFUSED to: v2 never was stable/);
    expect(await refusalOf(releases.rollback('test', { to: 9 }))).toMatch(/^NOT_FOUND/);
    expect(await releases.rollback('test', { to: 2, force: true })).toMatchObject({ restores: 2, number: 4 });
  });

  test('is told when there is nothing to go back to', async () => {
    expect(await refusalOf(releases.rollback('test'))).toMatch(/^CONFLICT .*nothing was deployed/);
    await release('a');
    expect(await refusalOf(releases.rollback('test'))).toMatch(/^CONFLICT .*no stable deployment before v1/);
  });

  test('gets the config of then back with a rollback, or keeps the present one', async () => {
    await configure('one');
    await release('a');
    await configure('two');
    await release('b');
    await configure('three');
    await release('c');
    expect(await releases.rollback('test')).toMatchObject({ restores: 2, configVersion: 2 });
    await releases.settle(targets);
    expect((await target.asks()).deployment?.variables).toEqual({ LEVEL: 'two' });
    expect((await getConfig(releases.context, 'alice', 'shop', 'test')).version).toBe(3);
    expect(await releases.rollback('test', { to: 1, keepConfig: true })).toMatchObject({ configVersion: 3 });
  });

  test('goes back to the same release with its former config, and the release is not to blame', async () => {
    await configure('one');
    const { release: number } = await release('a');
    await configure('two');
    await deployConfig(releases.context, releases.place('test'), ALICE);
    await releases.settle(targets);
    expect(await releases.rollback('test')).toMatchObject({ restores: 1, release: number, configVersion: 1 });
    expect((await getRelease(releases.context, 'alice', 'shop', number)).revoked).toEqual([]);
  });

  test('revokes with a rollback what it undid, in that environment alone, and may force it all the same', async () => {
    await release('a');
    const bad = await release('b');
    await releases.rollback('test', { reason: 'slow' });
    await releases.settle(targets);
    expect((await getRelease(releases.context, 'alice', 'shop', bad.release)).revoked).toMatchObject([
      { environment: 'test', by: 'alice', reason: 'slow' },
    ]);
    expect(await refusalOf(releases.deploy('test', { release: bad.release }))).toMatch(
      /^REFUSED release: \d+ was revoked in test by alice \(slow\)/,
    );
    expect((await releases.deploy('test', { release: bad.release, force: true })).release).toBe(bad.release);
  });

  test('promotes to a protected environment what was stable in the one before it, and nothing else', async () => {
    const [live] = await releases.environment('staging', {});
    const production = await releases.environment('production', { protected: true });
    if (live === undefined) throw new Error('no target');
    const { release: number } = await release('a');
    expect(await refusalOf(releases.deploy('production'))).toMatch(/^REFUSED environment: production is protected/);
    expect(await refusalOf(releases.promote('production', { from: 'test' }))).toMatch(/not stable in staging/);
    await releases.promote('staging');
    await live.runs('monitoring');
    expect(await refusalOf(releases.promote('production'))).toMatch(/^REFUSED .*not stable in staging/);
    await live.runs('stable');
    const promoted = await releases.promote('production');
    expect(promoted).toMatchObject({ release: number, reason: 'promote' });
    await releases.settle(production);
    expect(await releases.history('production')).toEqual(['v1 promote stable']);
  });

  test('promotes what was stable also under the version that it got since, and finds it revoked under each', async () => {
    await releases.environment('production', { protected: true });
    const { release: number } = await release('a');
    const { context } = releases;
    const named = await createRelease(context, 'alice', 'shop', { from: 'test', version: '1.0' }, VIEW, ALICE);
    expect(named.number).not.toBe(number);
    await revokeRelease(context, 'alice', 'shop', number, { reason: 'leaks', environment: 'test' }, ALICE);
    expect(await refusalOf(releases.deploy('test', { release: named.number }))).toMatch(/^REFUSED .*leaks/);
    expect((await releases.promote('production', { release: named.number })).release).toBe(named.number);
  });

  test('finds a protected environment on hold after a rollback, until it is resumed', async () => {
    const production = await releases.environment('production', { protected: true });
    for (const seed of ['a', 'b']) {
      await release(seed);
      await releases.promote('production');
      await releases.settle(production);
    }
    await releases.rollback('production', { reason: 'errors' });
    const { context } = releases;
    expect((await getEnvironment(context, 'alice', 'shop', 'production')).hold).toMatchObject({ reason: 'errors' });
    await releases.settle(production);
    await resumeEnvironment(context, 'alice', 'shop', 'production', ALICE);
    expect((await getEnvironment(context, 'alice', 'shop', 'production')).hold).toBeNull();
  });

  test('finds a protected environment on hold after it went back by itself', async () => {
    const [live] = await releases.environment('production', { protected: true });
    if (live === undefined) throw new Error('no target');
    for (const seed of ['a', 'b']) {
      await release(seed);
      await releases.promote('production');
      if (seed === 'a') await releases.settle([live]);
      else await live.reverts();
    }
    expect((await getEnvironment(releases.context, 'alice', 'shop', 'production')).hold).toMatchObject({
      by: 'berth',
      reason: 'v2 failed',
    });
  });

  test('is not refused a release for a failure of the place', async () => {
    await release('a');
    const digest = await releases.push('alice/web', 'b', 'b');
    const { release: number } = await releases.deploy('test', { images: { web: digest } });
    await target.reverts('no space left', 'place');
    await releases.settle(targets);
    expect((await getRelease(releases.context, 'alice', 'shop', number)).revoked).toEqual([]);
    expect((await releases.deploy('test', { release: number })).release).toBe(number);
  });

  test('chooses an image for one service, and the others stay as they run', async () => {
    await release('a');
    const api = await releases.push('alice/api', 'api 2', 'v2');
    const before = await releases.deployment('test', 1);
    const { images } = await releases.deploy('test', { images: { api: 'v2' } });
    expect(images.find(({ service }) => service === 'api')?.digest).toBe(api);
    expect(images.find(({ service }) => service === 'web')?.digest).toBe(before.images[1]?.digest ?? api);
    await releases.settle(targets);
    expect(await refusalOf(releases.deploy('test', { images: { nope: 'v2' } }))).toMatch(
      /^BODY_INVALID images: .*nope/,
    );
    expect(await refusalOf(releases.deploy('test', { images: { api: 'v3' } }))).toMatch(
      /^MANIFEST_UNKNOWN images: .*api/,
    );
  });

  test('can not deploy a release that is expired', async () => {
    const { number } = await createRelease(releases.context, 'alice', 'shop', {}, VIEW, ALICE);
    await releases.context.database.transaction((tx) =>
      tx.updateTable('releases').set({ expired_at: 1 }).where('number', '=', number).execute(),
    );
    expect(await refusalOf(releases.deploy('test', { release: number, force: true }))).toMatch(/^REFUSED .*expired/);
  });

  test(`may deploy again and again on ${kind}: numbers only grow, and so does the fence`, async () => {
    const fences = [];
    for (let i = 1; i <= 3; i++) {
      expect((await releases.deploy('test')).number).toBe(i);
      fences.push((await getEnvironment(releases.context, 'alice', 'shop', 'test')).lock?.fence);
      await releases.settle(targets);
    }
    expect(fences).toEqual([1, 2, 3]);
  });
});
