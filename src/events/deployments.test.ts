import { beforeEach, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { openTestReleases, type TestReleases } from '../releases/testing.ts';

onEachDatabase('events of deployments', (newPlace) => {
  let releases: TestReleases;
  beforeEach(async () => {
    releases = await openTestReleases(await newPlace());
    await releases.shop();
  });

  const told = async () => {
    const rows = await releases.context.database.read
      .selectFrom('events')
      .select(['kind', 'subject', 'namespace', 'detail'])
      .where('stack', '=', 'alice/shop')
      .orderBy('id')
      .execute();
    return rows.map((row) => ({ ...row, detail: JSON.parse(row.detail) as Record<string, unknown> }));
  };
  const lines = async () => (await told()).map(({ kind, subject }) => `${kind} ${subject}`);

  test('say of a good one that it was asked for, began and succeeded', async () => {
    const targets = await releases.environment('test');
    await releases.deploy('test');
    await releases.settle(targets);
    expect(await lines()).toEqual([
      'release.create alice/shop#1',
      'deployment.create alice/shop@test/v1',
      'deployment.start alice/shop@test/v1',
      'deployment.success alice/shop@test/v1',
    ]);
    const [, , , success] = await told();
    expect(success?.namespace).toBe('alice');
    expect(success?.detail).toMatchObject({ release: 1, status: 'success', message: 'healthy on 1 of 1 targets' });
  });

  test('say of a bad one that it failed, what undoes it, and that it is undone', async () => {
    const targets = await releases.environment('test');
    await releases.deploy('test');
    await releases.settle(targets);
    const web = await releases.push('alice/web', 'web 2', 'two');
    await releases.deploy('test', { images: { web } });
    await targets[0]?.runs('failed', { error: 'web is unhealthy' });
    await releases.settle(targets);
    const after = (await lines()).slice(4);
    expect(after).toEqual([
      'release.create alice/shop#2',
      'deployment.create alice/shop@test/v2',
      'deployment.start alice/shop@test/v2',
      'deployment.failure alice/shop@test/v2',
      'deployment.start alice/shop@test/v3',
      'deployment.success alice/shop@test/v3',
      'deployment.rolled-back alice/shop@test/v2',
    ]);
    expect((await told()).find(({ kind }) => kind === 'deployment.failure')?.detail.message).toContain(
      'web is unhealthy',
    );
  });

  test('call a rollback that a person asked for one more deployment', async () => {
    const targets = await releases.environment('test');
    await releases.release('test', targets, 'web 2');
    await releases.release('test', targets, 'web 3');
    await releases.rollback('test', {});
    const asked = (await told()).findLast(({ kind }) => kind === 'deployment.create');
    expect(asked?.detail.reason).toBe('rollback');
  });
});
