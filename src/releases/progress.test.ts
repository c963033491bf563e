import { beforeEach, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { getEnvironment } from './environments.ts';
import { inventoryOf, MINUTE, openTestReleases, SECOND, type TestReleases, type TestTarget } from './testing.ts';

onEachDatabase('a deployment under way', (newPlace) => {
  let releases: TestReleases;
  beforeEach(async () => {
    releases = await openTestReleases(await newPlace());
    await releases.shop();
  });
  const statusOf = async (number: number, environment = 'test') =>
    (await releases.deployment(environment, number)).status;
  const one = async (options: Parameters<TestReleases['environment']>[1] = {}): Promise<TestTarget> => {
    const [target] = await releases.environment('test', options);
    if (target === undefined) throw new Error('no target');
    return target;
  };
  const two = async (options: Parameters<TestReleases['environment']>[1] = {}): Promise<[TestTarget, TestTarget]> => {
    const [a, b] = await releases.environment('test', options, ['a', 'b']);
    if (a === undefined || b === undefined) throw new Error('no targets');
    return [a, b];
  };

  test('succeeds when its target says so and its inventory shows the digests', async () => {
    const target = await one();
    await releases.deploy('test');
    expect(await statusOf(1)).toBe('in_progress');
    await target.runs('monitoring');
    expect(await statusOf(1)).toBe('success');
    expect((await releases.deployment('test', 1)).stable).toBe(false);
    await target.runs('stable');
    expect((await releases.deployment('test', 1)).stable).toBe(true);
  });

  test('does not succeed by a word without an inventory', async () => {
    const target = await one();
    await releases.deploy('test');
    await target.says({ deployment: { number: 1, phase: 'monitoring' } });
    expect(await statusOf(1)).toBe('in_progress');
  });

  test('does not succeed by an inventory without the word', async () => {
    const target = await one();
    await releases.deploy('test');
    const { deployment } = await target.asks();
    await target.runs('switching', { services: deployment === null ? [] : inventoryOf(deployment) });
    expect(await statusOf(1)).toBe('in_progress');
  });

  test('takes an inventory that failed for nothing, neither good nor bad', async () => {
    const target = await one();
    await releases.deploy('test');
    await target.runs('monitoring', { services: null });
    expect(await statusOf(1)).toBe('in_progress');
    await target.runs('monitoring');
    expect(await statusOf(1)).toBe('success');
    await target.runs('stable', { services: null });
    expect((await releases.deployment('test', 1)).stable).toBe(false);
    await target.runs('stable');
    expect((await releases.deployment('test', 1)).stable).toBe(true);
  });

  test('does not succeed with another digest, a stopped or an unhealthy container, or one service less', async () => {
    const target = await one();
    const { images } = await releases.deploy('test');
    const { deployment } = await target.asks();
    if (deployment === null) throw new Error('nothing wanted');
    const all = inventoryOf(deployment);
    const change = (part: Partial<(typeof all)[number]>) =>
      all.map((service) => (service.service === 'web' ? { ...service, ...part } : service));
    const api = images.find((image) => image.service === 'api')?.digest ?? null;
    for (const services of [
      change({ digest: api }),
      change({ digest: null }),
      change({ health: 'stopped' }),
      change({ health: 'unhealthy' }),
      change({ health: 'starting' }),
      change({ containers: 0 }),
      all.filter(({ service }) => service !== 'web'),
      [],
    ]) {
      await target.runs('monitoring', { services });
      expect(await statusOf(1)).toBe('in_progress');
    }
    await target.runs('monitoring', { services: change({ health: 'running' }) });
    expect(await statusOf(1)).toBe('success');
  });

  test('begins with the first target alone; the second follows when that one is healthy', async () => {
    const [a, b] = await two();
    await releases.deploy('test');
    expect((await a.asks()).deployment?.number).toBe(1);
    expect((await b.asks()).deployment).toBeNull();
    await a.runs('monitoring');
    expect(await statusOf(1)).toBe('in_progress');
    expect((await b.asks()).deployment?.number).toBe(1);
    await b.runs('monitoring');
    expect(await statusOf(1)).toBe('success');
  });

  test('leaves the second target untouched when the first fails', async () => {
    const [a, b] = await two();
    await releases.release('test', [a, b], 'good');
    await releases.push('alice/web', 'bad', 'bad');
    await releases.deploy('test', { images: { web: 'bad' } });
    await a.reverts();
    const bad = await releases.deployment('test', 2);
    expect(bad.status).toBe('rolling_back');
    expect(bad.targets.find(({ target }) => target === 'b')).toBeUndefined();
    const wanted = await b.asks();
    expect(wanted.deployment?.number).toBe(3);
    expect(wanted.failed).toEqual([2]);
  });

  test('goes to all targets at once when so many may go at once', async () => {
    const [a, b] = await two({ maxParallel: 2 });
    await releases.deploy('test');
    expect((await a.asks()).deployment?.number).toBe(1);
    expect((await b.asks()).deployment?.number).toBe(1);
  });

  test('that fails is undone: the last stable one comes back with a new number', async () => {
    const target = await one();
    const first = await releases.release('test', [target], 'good');
    await releases.push('alice/web', 'bad', 'bad');
    await releases.deploy('test', { images: { web: 'bad' } });
    await target.reverts('web: exited with 1');
    expect(await releases.deployment('test', 2)).toMatchObject({
      status: 'rolling_back',
      message: 'one: web: exited with 1',
      rolledBackBy: 3,
    });
    const undo = await releases.deployment('test', 3);
    expect(undo).toMatchObject({
      reason: 'auto-rollback',
      actor: 'berth',
      status: 'in_progress',
      restores: 1,
      undoes: 2,
      release: first.release,
    });
    await target.runs('monitoring');
    expect(await statusOf(2)).toBe('rolled_back');
    expect(await statusOf(3)).toBe('success');
    await target.runs('stable');
    expect(await releases.history('test')).toEqual([
      'v1 manual stable',
      'v2 manual rolled_back',
      'v3 auto-rollback stable',
    ]);
  });

  test('that fails with nothing stable before it is a failure, and that is the end', async () => {
    const target = await one();
    await releases.deploy('test');
    await target.runs('failed', { error: 'web: exited' });
    const failed = await releases.deployment('test', 1);
    expect(failed).toMatchObject({ status: 'failure', rolledBackBy: null });
    expect(failed.message).toContain('no stable deployment to go back to');
    expect((await target.asks()).failed).toEqual([1]);
    expect((await getEnvironment(releases.context, 'alice', 'shop', 'test')).lock).toBeNull();
  });

  test('whose rollback fails too is a failure, not rolled back, and nothing more is tried', async () => {
    const target = await one();
    await releases.release('test', [target], 'good');
    await releases.push('alice/web', 'bad', 'bad');
    await releases.deploy('test', { images: { web: 'bad' } });
    await target.reverts();
    await target.runs('revert-failed', { error: 'api: gone' });
    expect(await releases.history('test')).toEqual([
      'v1 manual stable',
      'v2 manual failure',
      'v3 auto-rollback failure',
    ]);
    expect((await releases.deployment('test', 2)).message).toContain('the rollback v3 failed too');
    await target.asks();
    await releases.tick();
    expect(await releases.history('test')).toHaveLength(3);
  });

  test('that fails in its watch is undone as well', async () => {
    const target = await one();
    await releases.release('test', [target], 'good');
    await releases.push('alice/web', 'bad', 'bad');
    await releases.deploy('test', { images: { web: 'bad' } });
    await target.runs('monitoring');
    expect(await statusOf(2)).toBe('success');
    await target.runs('reverting', { error: 'web: unhealthy after 20 s', blame: 'release' });
    expect(await statusOf(2)).toBe('rolling_back');
    expect(await statusOf(3)).toBe('in_progress');
  });

  test('is an error when its target falls silent, and a success when that one speaks again', async () => {
    const target = await one();
    await releases.deploy('test');
    await target.runs('switching');
    releases.advance(89 * SECOND);
    await releases.tick();
    expect(await statusOf(1)).toBe('in_progress');
    releases.advance(2 * SECOND);
    await releases.tick();
    expect(await releases.deployment('test', 1)).toMatchObject({
      status: 'error',
      message: 'no word from one for 90 s: what runs is unknown',
    });
    await target.runs('monitoring');
    expect(await statusOf(1)).toBe('success');
  });

  test('is a failure when the target that was silent then says that it failed', async () => {
    const target = await one();
    await releases.deploy('test');
    releases.advance(2 * MINUTE);
    await releases.tick();
    expect(await statusOf(1)).toBe('error');
    await target.runs('failed', { error: 'web: exited' });
    expect(await statusOf(1)).toBe('failure');
  });

  test('keeps its environment as long as its target says something', async () => {
    const target = await one();
    await releases.deploy('test');
    for (let i = 0; i < 20; i++) {
      releases.advance(15 * SECOND);
      await target.says({ deployment: { number: 1, phase: 'pulling', pull: { bytes: i, total: 100 } } });
      await releases.tick();
    }
    expect(await statusOf(1)).toBe('in_progress');
  });

  test('does not wait for a target that is away, and says how many it reached', async () => {
    const [a, b] = await two();
    releases.advance(MINUTE);
    await a.asks();
    await releases.deploy('test');
    await a.runs('monitoring');
    expect(await releases.deployment('test', 1)).toMatchObject({
      status: 'success',
      message: 'healthy on 1 of 2 targets',
    });
    expect((await b.asks()).deployment?.number).toBe(1);
  });

  test('does not wait for a target that went away while it worked, when another is healthy', async () => {
    const [a, b] = await two();
    await releases.deploy('test');
    await a.runs('monitoring');
    await b.runs('pulling');
    for (let i = 0; i < 4; i++) {
      releases.advance(15 * SECOND);
      await a.says({});
    }
    expect(await releases.deployment('test', 1)).toMatchObject({
      status: 'success',
      message: 'healthy on 1 of 2 targets',
    });
  });

  test('never goes past a first target that is away', async () => {
    const [a, b] = await two();
    await releases.deploy('test');
    await a.runs('switching');
    for (let i = 0; i < 7; i++) {
      releases.advance(15 * SECOND);
      await b.says({});
      expect((await b.asks()).deployment).toBeNull();
    }
    await releases.tick();
    expect(await statusOf(1)).toBe('error');
  });

  test('reaches a late target with the newest number, not with those in between', async () => {
    const [a, b] = await two();
    await releases.release('test', [a, b], 'v1');
    releases.advance(MINUTE);
    await a.asks();
    for (const seed of ['v2', 'v3']) await releases.release('test', [a], seed);
    expect((await b.asks()).deployment?.number).toBe(3);
    await b.runs('monitoring');
    expect((await releases.deployment('test', 3)).targets.map(({ phase }) => phase)).toEqual(['stable', 'monitoring']);
  });

  test('waits for a target when none is there, and begins with the first that comes', async () => {
    const target = await one();
    releases.advance(MINUTE);
    await releases.deploy('test');
    expect(await releases.deployment('test', 1)).toMatchObject({
      status: 'queued',
      message: 'waits for a target: none is there',
    });
    await target.asks();
    expect(await statusOf(1)).toBe('in_progress');
  });

  test('is not taken back by a word that comes late or twice', async () => {
    const target = await one();
    await releases.deploy('test');
    await target.runs('monitoring');
    await target.says({ deployment: { number: 1, phase: 'switching' } });
    await target.runs('stable');
    await target.says({ deployment: { number: 1, phase: 'monitoring' } });
    await target.says({ deployment: { number: 1, phase: 'stable' } });
    expect((await releases.deployment('test', 1)).targets[0]?.phase).toBe('stable');
    expect(await releases.history('test')).toEqual(['v1 manual stable']);
  });

  test('and a push that waited: after a rollback by itself it gets a number that targets still take', async () => {
    const target = await one({ track: { web: { kind: 'tag', value: 'latest' } }, deployOnPush: true });
    await releases.tick();
    await releases.settle([target]);
    await releases.push('alice/web', 'bad');
    await releases.tick();
    await releases.push('alice/web', 'newer');
    await releases.tick();
    expect(await releases.history('test')).toEqual(['v1 push stable', 'v2 push in_progress', 'v3 push queued']);
    await target.reverts();
    expect((await target.asks()).deployment?.number).toBe(4);
    await releases.tick();
    await releases.settle([target]);
    expect((await target.asks()).deployment?.number).toBe(5);
    await releases.settle([target]);
    const history = await releases.history('test');
    expect(history.slice(1)).toEqual([
      'v2 push rolled_back',
      'v3 push superseded',
      'v4 auto-rollback success',
      'v5 push stable',
    ]);
  });

  test('leaves nothing rolling back for ever when a newer one takes over', async () => {
    const target = await one();
    await releases.release('test', [target], 'good');
    await releases.push('alice/web', 'bad', 'bad');
    await releases.deploy('test', { images: { web: 'bad' } });
    await target.reverts();
    releases.advance(2 * MINUTE);
    await releases.tick();
    expect(await releases.history('test')).toEqual([
      'v1 manual stable',
      'v2 manual rolling_back',
      'v3 auto-rollback error',
    ]);
    await releases.deploy('test');
    await target.runs('monitoring');
    expect((await releases.history('test')).slice(1)).toEqual([
      'v2 manual failure',
      'v3 auto-rollback error',
      'v4 manual success',
    ]);
  });
});
