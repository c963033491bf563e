import { beforeEach, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { changeEnvironment, holdEnvironment } from './environments.ts';
import { revokeRelease } from './revocations.ts';
import { enrollTarget, listTargets, revokeTarget } from './targets.ts';
import { ALICE, MINUTE, openTestReleases, refusalOf, SECOND, type TestReleases, type TestTarget } from './testing.ts';
import { changeConfig } from './variables.ts';
import { wantedState, wantedVersion } from './wanted.ts';

onEachDatabase('a target', (newPlace) => {
  let releases: TestReleases;
  let targets: TestTarget[];
  let target: TestTarget;
  beforeEach(async () => {
    releases = await openTestReleases(await newPlace());
    await releases.shop();
    targets = await releases.environment('test');
    const [only] = targets;
    if (only === undefined) throw new Error('no target');
    target = only;
  });
  const version = () => wantedVersion(releases.context, target.id);
  const shown = async () => (await listTargets(releases.context, 'alice', 'shop', 'test'))[0];
  const release = (seed: string) => releases.release('test', targets, seed);

  test('is told nothing before the first deployment, then all that it needs', async () => {
    expect(await target.asks()).toMatchObject({
      target: 'one',
      stack: 'alice/shop',
      environment: 'test',
      project: 'shop-test',
      deployment: null,
      stable: null,
      failed: [],
      keep: [],
    });
    const { images } = await releases.deploy('test');
    const state = await target.asks();
    expect(state.deployment).toMatchObject({ number: 1, variables: {} });
    expect(Object.keys(state.deployment?.images ?? {})).toEqual(['api', 'web']);
    expect(state.keep).toEqual(images.map(({ digest }) => digest).sort());
    expect(state.timings).toEqual({ watchMs: 60_000, pollMs: 30_000, reportMs: 15_000 });
  });

  test('is told what is stable, what failed, and what to keep', async () => {
    const good = await release('good');
    await releases.push('alice/web', 'bad', 'bad');
    await releases.deploy('test', { images: { web: 'bad' } });
    expect((await target.asks()).stable?.number).toBe(1);
    await target.reverts();
    const state = await target.asks();
    expect(state).toMatchObject({ deployment: { number: 3 }, stable: null, failed: [2] });
    expect(state.keep).toEqual(good.images.map(({ digest }) => digest).sort());
  });

  test('sees another version of its state exactly when something in it is another', async () => {
    const seen = [await version()];
    const changes = async (work: () => Promise<unknown>) => {
      const before = JSON.stringify({ ...(await wantedState(releases.context, target.id)), now: 0 });
      const old = await version();
      await work();
      const after = JSON.stringify({ ...(await wantedState(releases.context, target.id)), now: 0 });
      const now = await version();
      if (before !== after) expect(now).not.toBe(old);
      seen.push(now);
      return now !== old;
    };
    expect(await changes(() => releases.deploy('test'))).toBe(true);
    expect(await changes(() => target.runs('pulling'))).toBe(false);
    expect(await changes(() => target.says({}))).toBe(false);
    expect(await changes(() => target.asks())).toBe(false);
    expect(await changes(() => target.runs('monitoring'))).toBe(true);
    expect(await changes(() => target.runs('stable'))).toBe(true);
    const config = { set: { A: { value: '1', secret: false } }, unset: [] };
    expect(await changes(() => changeConfig(releases.context, 'alice', 'shop', 'test', config, ALICE))).toBe(false);
    expect(await changes(() => holdEnvironment(releases.context, 'alice', 'shop', 'test', '', ALICE))).toBe(false);
    expect(
      await changes(() => changeEnvironment(releases.context, 'alice', 'shop', 'test', { maxParallel: 2 }, ALICE)),
    ).toBe(false);
    await release('second');
    const { release: first } = await releases.deployment('test', 1);
    expect(await changes(() => revokeRelease(releases.context, 'alice', 'shop', first, { reason: '' }, ALICE))).toBe(
      true,
    );
    expect((await target.asks()).stable).toBeNull();
    await releases.push('alice/web', 'bad', 'bad');
    expect(await changes(() => releases.deploy('test', { images: { web: 'bad' } }))).toBe(true);
    expect(await changes(() => target.reverts())).toBe(true);
  });

  test('changes nothing by a word about a deployment that it was never given', async () => {
    await releases.deploy('test');
    for (const phase of ['stable', 'failed', 'reverted'] as const) {
      await target.says({ deployment: { number: 7, phase, error: 'x' } });
    }
    expect(await releases.history('test')).toEqual(['v1 manual in_progress']);
    const other = (await releases.environment('staging'))[0];
    await other?.says({ deployment: { number: 1, phase: 'failed', error: 'x' } });
    expect(await releases.history('test')).toEqual(['v1 manual in_progress']);
  });

  test('is heard no more when it is revoked, and nothing is wanted of it', async () => {
    await releases.deploy('test');
    await revokeTarget(releases.context, 'alice', 'shop', 'test', 'one', ALICE);
    expect(await version()).toBeUndefined();
    expect(await wantedState(releases.context, target.id)).toBeUndefined();
    const before = await shown();
    releases.advance(MINUTE);
    await target.says({ deployment: { number: 1, phase: 'failed', error: 'x' }, services: [] });
    expect(await shown()).toEqual(before as never);
    expect(await refusalOf(revokeTarget(releases.context, 'alice', 'shop', 'test', 'one', ALICE))).toMatch(
      /^NOT_FOUND/,
    );
  });

  test('that is revoked is not waited for', async () => {
    await releases.target('test', 'two');
    await releases.deploy('test');
    await target.runs('monitoring');
    await revokeTarget(releases.context, 'alice', 'shop', 'test', 'two', ALICE);
    expect(await releases.history('test')).toEqual(['v1 manual success']);
  });

  test('is shown with what its engine runs, how far its clock is ahead, and whether it is there', async () => {
    await release('a');
    await target.says({ agentVersion: '1.0', engine: 'Docker 26.1' });
    expect(await shown()).toMatchObject({ online: true, deployment: 1, phase: 'stable', agentVersion: '1.0' });
    expect((await shown())?.services).toHaveLength(2);
    releases.advance(46 * SECOND);
    expect(await shown()).toMatchObject({ online: false });
    await target.says({ services: null });
    expect(await shown()).toMatchObject({ online: true, services: null });
  });

  test('gets a name that is free, and never one that was there', async () => {
    const enroll = (name?: string) => enrollTarget(releases.context, 'alice', 'shop', 'test', name, ALICE);
    expect((await enroll()).target.name).toBe('target-1');
    const { target: second, token } = await enroll();
    expect(second.name).toBe('target-2');
    expect(token.length).toBeGreaterThan(20);
    expect(await refusalOf(enroll('one'))).toMatch(/^NAME_TAKEN/);
    await revokeTarget(releases.context, 'alice', 'shop', 'test', 'one', ALICE);
    expect(await refusalOf(enroll('one'))).toMatch(/^NAME_TAKEN/);
  });

  test('that is enrolled later gets what the others run', async () => {
    await release('a');
    const later = await releases.target('test', 'two');
    expect((await later.asks()).deployment?.number).toBe(1);
  });
});
