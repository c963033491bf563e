import { beforeEach, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import type { Digest } from '../oci/digest.ts';
import { deleteManifest } from '../registry/manifests.ts';
import { deleteTag } from '../registry/tags.ts';
import { descriptor, indexOf, inventory, named, pulled, pushImage, pushManifest, tagged } from '../registry/testing.ts';
import { createRelease } from './releases.ts';
import { countUsersBeside, digestsInUse, expireReleases, imageUsers, usersOf } from './roots.ts';
import { revokeTarget } from './targets.ts';
import {
  ALICE,
  DAY,
  openTestReleases,
  TestReleases as Releases,
  refusalOf,
  type TestReleases,
  type TestTarget,
  VIEW,
} from './testing.ts';

onEachDatabase('what releases keep in the registry', (newPlace) => {
  let releases: TestReleases;
  let targets: TestTarget[];
  beforeEach(async () => {
    const opened = await openTestReleases(await newPlace());
    const policy = { ...opened.context.policy, keepStable: 2, keepReleases: 3 };
    releases = new Releases({ ...opened.context, policy }, opened.registry, opened.parts, opened.another);
    await releases.shop();
    targets = await releases.environment('test');
  });
  const read = () => releases.context.database.read;
  const remove = (digest: Digest) => refusalOf(deleteManifest(releases.registry, named('alice/web'), digest, ALICE));
  const release = async (seed: string) => {
    const { images } = await releases.release('test', targets, seed);
    const digest = images.find(({ service }) => service === 'web')?.digest;
    if (digest === undefined) throw new Error('no web');
    return digest;
  };

  test('is named by who uses it: targets, deployments, releases', async () => {
    const digest = await release('a');
    expect(await usersOf(read(), digest)).toEqual([
      'target one of alice/shop@test runs it',
      'deployment v1 of alice/shop@test (current)',
      'release 1 of alice/shop',
    ]);
    await release('b');
    expect(await usersOf(read(), digest)).toEqual([
      'deployment v1 of alice/shop@test (can be rolled back to)',
      'release 1 of alice/shop',
    ]);
    expect((await digestsInUse(read())).has(digest)).toBe(true);
  });

  test('is told of by those namespaces alone that are asked for, and the others are counted', async () => {
    const digest = await release('a');
    const web = named('alice/web');
    const place = { namespace: 'alice', stack: 'shop' };
    const users = [
      { ...place, environment: 'test', running: true, text: 'target one of alice/shop@test runs it' },
      { ...place, environment: 'test', running: false, text: 'deployment v1 of alice/shop@test (current)' },
      { ...place, environment: null, running: false, text: 'release 1 of alice/shop' },
    ];
    for (const namespaces of ['all', ['alice', 'bob']] as const) {
      expect(await imageUsers(read(), [digest], namespaces, web)).toEqual(users);
      expect(await countUsersBeside(read(), [digest], namespaces, web)).toBe(0);
    }
    for (const namespaces of [[], ['bob']]) {
      expect(await imageUsers(read(), [digest], namespaces, web)).toEqual([]);
      // The target and the deployment.
      expect(await countUsersBeside(read(), [digest], namespaces, web)).toBe(2);
    }
    const other = named('alice/api');
    expect(await imageUsers(read(), [digest], 'all', other)).toEqual([]);
    expect(await countUsersBeside(read(), [digest], [], other)).toBe(0);
  });

  test('of several manifests has each user once', async () => {
    const first = await release('a');
    const second = await release('b');
    const texts = (await imageUsers(read(), [first, second], 'all')).map(({ text }) => text);
    expect(texts).toEqual([
      'target one of alice/shop@test runs it',
      'deployment v2 of alice/shop@test (current)',
      'deployment v1 of alice/shop@test (can be rolled back to)',
      'release 2 of alice/shop',
      'release 1 of alice/shop',
    ]);
  });

  test('can not be deleted, and the refusal lists the users', async () => {
    const digest = await release('a');
    const refusal = await remove(digest);
    expect(refusal).toMatch(/^DENIED manifest: .* is in use: target one of alice\/shop@test runs it; deployment v1/);
    const other = await releases.push('alice/web', 'unused', 'unused');
    expect(await remove(other)).toBe('done');
  });

  test('stays with all its parts when its tags are deleted and garbage is collected', async () => {
    const image = await pushImage(releases.registry, 'alice/web', 'a part');
    const index = await pushManifest(releases.registry, 'alice/web', indexOf([image.digest]), 'multi');
    const loose = await pushImage(releases.registry, 'alice/web', 'loose', 'loose');
    await releases.deploy('test', { images: { web: 'multi' } });
    for (const tag of ['multi', 'loose']) {
      await deleteTag(releases.registry, named('alice/web'), tagged(tag), {}, ALICE);
    }
    await releases.collectGarbage();
    const { manifests, files } = await inventory(releases.registry);
    for (const digest of [index, image.digest]) expect(manifests.has(digest)).toBe(true);
    for (const digest of [image.config, image.layer]) expect(files.has(digest)).toBe(true);
    expect(manifests.has(loose.digest)).toBe(false);
    expect(files.has(loose.layer)).toBe(false);
    expect(descriptor(index).digest).toBe(index);
  });

  test('lets a rollback bring back what has no tag any more', async () => {
    const digest = await release('a');
    await release('b');
    await deleteTag(releases.registry, named('alice/web'), tagged('tag-a'), {}, ALICE);
    await releases.collectGarbage();
    await targets[0]?.asks();
    expect((await releases.rollback('test')).restores).toBe(1);
    expect((await targets[0]?.asks())?.deployment?.images.web?.digest).toBe(digest);
    await releases.settle(targets);
    expect((await releases.history('test')).at(-1)).toBe('v3 rollback stable');
  });

  test('is kept while a target says that it runs it, and no longer when that is revoked or runs another', async () => {
    const digest = await releases.push('alice/web', 'old', 'old');
    const service = { service: 'web', digest, containers: 1, health: 'running', restarts: 0 } as const;
    await targets[0]?.says({ services: [service] });
    // What the stack never released is none of its business.
    expect(await usersOf(read(), digest)).toEqual([]);
    await createRelease(releases.context, 'alice', 'shop', { images: { web: 'old' } }, VIEW, ALICE);
    await releases.context.database.transaction((tx) => tx.updateTable('releases').set({ expired_at: 1 }).execute());
    await deleteTag(releases.registry, named('alice/web'), tagged('old'), {}, ALICE);
    await releases.context.database.transaction((tx) =>
      tx.updateTable('repositories').set({ immutable_tags: null }).execute(),
    );
    await targets[0]?.says({ services: [service] });
    expect(await remove(digest)).toMatch(/^DENIED/);
    await targets[0]?.says({ services: null });
    expect(await remove(digest)).toMatch(/^DENIED/);
    await targets[0]?.says({ services: [] });
    expect(await usersOf(read(), digest)).toEqual([]);
    await targets[0]?.says({ services: [service] });
    await revokeTarget(releases.context, 'alice', 'shop', 'test', 'one', ALICE);
    await targets[0]?.says({ services: [service] });
    expect(await remove(digest)).toBe('done');
  });

  test('expires with its release: old, not among the newest, neither running nor stable of late', async () => {
    const digests = [];
    for (const seed of ['a', 'b', 'c', 'd', 'e']) digests.push(await release(seed));
    expect(await expireReleases(releases.context)).toBe(0);
    releases.advance(31 * DAY);
    // Of five, three are the newest, and the last two stable are among them.
    expect(await expireReleases(releases.context)).toBe(2);
    expect(await expireReleases(releases.context)).toBe(0);
    await releases.collectGarbage();
    const kept = [];
    for (const digest of digests) kept.push(await releases.isThere('alice/web', digest));
    // Their own tags keep them still.
    expect(kept).toEqual([true, true, true, true, true]);
    for (const seed of ['a', 'b', 'c', 'd', 'e']) {
      await deleteTag(releases.registry, named('alice/web'), tagged(`tag-${seed}`), {}, ALICE);
    }
    await releases.collectGarbage();
    const left = [];
    for (const digest of digests) left.push(await releases.isThere('alice/web', digest));
    expect(left).toEqual([false, false, true, true, true]);
    expect(await refusalOf(releases.deploy('test', { release: 1, force: true }))).toMatch(/^REFUSED .*expired/);
    expect((await releases.deployment('test', 1)).restorable).toBe(false);
  });

  test('does not expire while it is what runs, however many are newer', async () => {
    const digest = await release('a');
    for (const seed of ['b', 'c', 'd', 'e']) {
      await releases.push('alice/web', seed, seed);
      await createRelease(releases.context, 'alice', 'shop', { images: { web: seed } }, VIEW, ALICE);
    }
    releases.advance(31 * DAY);
    expect(await expireReleases(releases.context)).toBe(1);
    expect(await usersOf(read(), digest)).toContain('release 1 of alice/shop');
  });

  test('is pointed at by moving tags: what runs, what is stable in the last environment; and by one for each release', async () => {
    const { registry } = releases;
    const good = await release('a');
    expect(await pulled(registry, 'alice/web', 'env-test')).toBe(good);
    expect(await pulled(registry, 'alice/web', 'stable')).toBe(good);
    expect(await pulled(registry, 'alice/web', 'release-1')).toBe(good);
    const bad = await releases.push('alice/web', 'bad', 'bad');
    await releases.deploy('test', { images: { web: 'bad' } });
    expect(await pulled(registry, 'alice/web', 'release-2')).toBe(bad);
    await targets[0]?.reverts();
    expect(await pulled(registry, 'alice/web', 'env-test')).toBe(good);
    await releases.settle(targets);
    const next = await releases.push('alice/web', 'next', 'next');
    await releases.deploy('test', { images: { web: 'next' } });
    await targets[0]?.runs('monitoring');
    expect(await pulled(registry, 'alice/web', 'env-test')).toBe(next);
    expect(await pulled(registry, 'alice/web', 'stable')).toBe(good);
    await targets[0]?.runs('stable');
    expect(await pulled(registry, 'alice/web', 'stable')).toBe(next);
  });

  test('has "stable" for the last environment of the order alone', async () => {
    await releases.environment('production');
    await release('a');
    expect(await pulled(releases.registry, 'alice/web', 'stable')).toBeUndefined();
  });
});
