import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../../database/test-databases.ts';
import { OciError } from '../../oci/errors.ts';
import { MEDIA } from '../../oci/media-types.ts';
import { parseReference } from '../../oci/names.ts';
import { CachePrefixes } from '../../registry/cache-prefixes.ts';
import { describeImage } from '../../registry/image-source.ts';
import { getImage } from '../../registry/images.ts';
import { setImmutableTags } from '../../registry/repositories.ts';
import { getRepositoryDetails } from '../../registry/repository-management.ts';
import { transferRepositories } from '../../registry/repository-renaming.ts';
import { tagHistory } from '../../registry/tags.ts';
import {
  ACTOR,
  bytesOf,
  codeOf,
  collect,
  DAY,
  HOUR,
  MINUTE,
  named,
  nextTurn,
  openTestRegistry,
  pulled,
  pushImage,
  type TestRegistry,
  tagged,
} from '../../registry/testing.ts';
import { updateUpstream } from '../upstreams.ts';
import { removeCache, setCache } from './caches.ts';
import {
  blob,
  bytesFrom,
  type CacheWorker,
  type CountedUpstream,
  faults,
  isHere,
  manifest,
  openTestCache,
  refusing,
} from './testing.ts';

onEachDatabase('a pull-through cache', (newPlace, kind) => {
  let registry: TestRegistry;
  let upstream: CountedUpstream;
  let one: CacheWorker;
  let two: CacheWorker;
  beforeAll(async () => {
    ({ registry, upstream, one, two } = await openTestCache(await newPlace()));
  });
  afterAll(() => {
    upstream?.close();
    registry?.remove();
  });
  beforeEach(() => {
    upstream.forget();
    one.results.length = 0;
    two.results.length = 0;
    // What was said about an upstream in one test is over in the next.
    registry.advance(2 * DAY);
  });

  const messageOf = (work: Promise<unknown>) =>
    work.then(
      () => '',
      (error: unknown) => (error as Error).message,
    );

  describe('of a tag', () => {
    test('gets its manifest once and asks again only when it is no longer fresh, with HEAD', async () => {
      const { digest } = upstream.image('team/fresh', '1.0', 'fresh');
      expect((await manifest(one, 'far/fresh', '1.0')).manifest.digest).toBe(digest);
      expect(upstream.asked).toEqual(['GET /v2/team/fresh/manifests/1.0']);
      await manifest(one, 'far/fresh', '1.0');
      await manifest(two, 'far/fresh', '1.0');
      expect(upstream.asked).toHaveLength(1);
      registry.advance(2 * HOUR);
      await manifest(one, 'far/fresh', '1.0');
      await manifest(two, 'far/fresh', '1.0');
      expect(upstream.asked.slice(1)).toEqual(['HEAD /v2/team/fresh/manifests/1.0']);
      expect([...one.results, ...two.results].sort()).toEqual([
        'manifest hit',
        'manifest hit',
        'manifest hit',
        'manifest miss',
        'manifest revalidated',
      ]);
    });

    test('that moved there moves here, with an entry in its history', async () => {
      const first = upstream.image('team/moved', 'latest', 'first');
      await manifest(one, 'far/moved', 'latest');
      const second = upstream.image('team/moved', 'latest', 'second');
      registry.advance(2 * HOUR);
      expect((await manifest(one, 'far/moved', 'latest')).manifest.digest).toBe(second.digest);
      const { entries } = await tagHistory(one.context, named('far/moved'), tagged('latest'), { limit: 9 });
      expect(entries.map(({ digest, previous, actor }) => [digest, previous, actor])).toEqual([
        [second.digest, first.digest, 'cache'],
        [first.digest, null, 'cache'],
      ]);
    });

    test('asked for by many in two processes is asked for once', async () => {
      upstream.image('team/many', '1.0', 'many');
      upstream.trouble = () => Bun.sleep(100).then(() => false);
      await Promise.all(Array.from({ length: 20 }, (_, i) => manifest(i % 2 === 0 ? one : two, 'far/many', '1.0')));
      expect(upstream.asked).toEqual(['GET /v2/team/many/manifests/1.0']);
    });

    test('that the upstream does not have is not found, and what it was stays pullable by digest', async () => {
      const { digest } = upstream.image('team/gone', '1.0', 'gone');
      await manifest(one, 'far/gone', '1.0');
      upstream.manifests.clear();
      registry.advance(2 * HOUR);
      expect(await codeOf(manifest(one, 'far/gone', '1.0'))).toBe('MANIFEST_UNKNOWN');
      expect((await manifest(one, 'far/gone', digest)).result).toBe('hit');
    });

    test('that was made immutable here stays what it is', async () => {
      const first = upstream.image('team/pinned', '1.0', 'first of pinned');
      await manifest(one, 'far/pinned', '1.0');
      await setImmutableTags(one.context, named('far/pinned'), ['*'], ACTOR);
      upstream.image('team/pinned', '1.0', 'second of pinned');
      registry.advance(2 * HOUR);
      expect((await manifest(one, 'far/pinned', '1.0')).manifest.digest).toBe(first.digest);
    });
  });

  describe('when the upstream fails', () => {
    const troubles = [
      ['429', 'TOOMANYREQUESTS', refusing(429, { 'retry-after': '120' })],
      ['503', 'UNAVAILABLE', refusing(503)],
      ['401', 'DENIED', refusing(401)],
    ] as const;
    for (const [status, code, trouble] of troubles) {
      test(`with ${status} serves what is here as stale, and says ${code} for the rest`, async () => {
        const name = `fails-${status}`;
        const { digest } = upstream.image(`team/${name}`, '1.0', name);
        await manifest(one, `far/${name}`, '1.0');
        registry.advance(2 * HOUR);
        upstream.trouble = trouble;
        const served = await manifest(one, `far/${name}`, '1.0');
        expect([served.manifest.digest, served.result]).toEqual([digest, 'stale']);
        expect(served.stale).toContain(upstream.url);
        expect(await codeOf(manifest(one, `far/${name}`, '2.0'))).toBe(code);
      });
    }

    test('is not asked before the time that it said, by no process', async () => {
      upstream.image('team/limited', '1.0', 'limited');
      upstream.trouble = refusing(429, { 'retry-after': '120' });
      await codeOf(manifest(one, 'far/limited', '1.0'));
      const asked = upstream.asked.length;
      const error = await manifest(two, 'far/limited', '1.0').catch((failure: unknown) => failure);
      expect(error).toBeInstanceOf(OciError);
      expect((error as OciError).detail.retryAfter).toBeGreaterThan(100);
      registry.advance(MINUTE);
      await codeOf(manifest(one, 'far/limited', '1.0'));
      expect(upstream.asked).toHaveLength(asked);
      upstream.forget();
      registry.advance(2 * MINUTE);
      expect((await manifest(two, 'far/limited', '1.0')).result).toBe('miss');
    });

    test('is asked at once with another log-in, whatever it said to the one before', async () => {
      upstream.image('team/changed', '1.0', 'changed');
      upstream.trouble = refusing(429, { 'retry-after': '3600' });
      expect(await codeOf(manifest(one, 'far/changed', '1.0'))).toBe('TOOMANYREQUESTS');
      upstream.forget();
      await updateUpstream(one.upstreams, 'far', { username: 'alice', password: 'secret' }, ACTOR);
      await nextTurn();
      expect((await manifest(two, 'far/changed', '1.0')).result).toBe('miss');
    });

    test('what is no manifest is the upstream’s fault, and what is here is served instead', async () => {
      const { digest } = upstream.image('team/odd', '1.0', 'odd');
      upstream.manifest('team/odd', 'bad', { schemaVersion: 1 });
      expect(await codeOf(manifest(one, 'far/odd', 'bad'))).toBe('UNAVAILABLE');
      await manifest(one, 'far/odd', '1.0');
      upstream.manifest('team/odd', '1.0', { schemaVersion: 1 });
      registry.advance(2 * HOUR);
      const { manifest: served, result } = await manifest(one, 'far/odd', '1.0');
      expect([served.digest, result]).toEqual([digest, 'stale']);
    });

    test('a manifest that is not what its digest says is neither kept nor served', async () => {
      const { digest } = upstream.image('team/forged', '1.0', 'forged');
      upstream.manifests.set(`team/forged/manifests/${digest}`, { bytes: bytesOf('{}'), mediaType: MEDIA.ociManifest });
      expect(await codeOf(manifest(one, 'far/forged', digest))).toBe('UNAVAILABLE');
      expect(await pulled(one.context, 'far/forged', digest)).toBeUndefined();
    });
  });

  test('shows the referrers that the upstream has, and those that are here when it cannot be asked', async () => {
    const { digest } = upstream.image('team/signed', '1.0', 'signed');
    await manifest(one, 'far/signed', '1.0');
    const signature = { mediaType: MEDIA.ociManifest, digest, size: 7, artifactType: 'a/b', annotations: { by: 'us' } };
    const list = JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: [signature] });
    upstream.manifests.set(`team/signed/referrers/${digest}`, { bytes: bytesOf(list), mediaType: MEDIA.ociIndex });
    const cache = await one.through.cacheOf(named('far/signed'));
    if (cache === undefined) throw new Error('no cache');
    expect(await one.through.referrers(cache, named('far/signed'), digest)).toEqual([signature]);
    upstream.trouble = refusing(429);
    expect(await one.through.referrers(cache, named('far/signed'), digest)).toBeUndefined();
  });

  describe('of an index', () => {
    test('gets what is pulled of it; the rest is no fault, and collection leaves what is there', async () => {
      const amd = upstream.image('team/multi', 'amd', 'amd64');
      const arm = upstream.image('team/multi', 'arm', 'arm64');
      const entries = [amd, arm].map(({ digest }) => ({ mediaType: MEDIA.ociManifest, digest, size: 500 }));
      const index = upstream.manifest('team/multi', '1.0', {
        schemaVersion: 2,
        mediaType: MEDIA.ociIndex,
        manifests: entries,
      });
      expect((await manifest(one, 'far/multi', '1.0')).manifest.digest).toBe(index);
      await manifest(one, 'far/multi', amd.digest);
      await bytesFrom(await blob(one, 'far/multi', amd.layer));
      expect(upstream.asked.some((line) => line.includes(arm.digest))).toBe(false);
      expect(await faults(one)).toEqual([]);
      const shown = await getImage(one.context, named('far/multi'), parseReference('1.0'));
      expect(shown.digest).toBe(index);
      expect(await describeImage(one.context, named('far/multi'), index)).toBeDefined();
      expect((await getImage(one.context, named('far/multi'), parseReference(amd.digest))).config).toBeNull();
      registry.advance(3 * DAY);
      await collect(one.context);
      expect(await pulled(one.context, 'far/multi', amd.digest)).toBe(amd.digest);
      expect(await isHere(one, 'far/multi', amd.layer)).toBe(true);
      expect(await faults(one)).toEqual([]);
    });
  });

  describe('takes', () => {
    test('no push, and says what it is', async () => {
      await nextTurn();
      const refused = await messageOf(pushImage(one.context, 'far/mine', 'mine', '1.0'));
      expect(refused).toContain('far/mine is below far, which is a cache of');
      expect(refused).toContain('takes no pushes');
    });

    test('no prefix below which there is something else, until that is gone', async () => {
      const context = one.upstreams;
      const wishes = { upstream: 'far', remotePrefix: '', freshMs: 0, visibility: 'private' } as const;
      await pushImage(one.context, 'busy/app', 'busy', '1.0');
      expect(await codeOf(setCache(context, 'busy', wishes, ACTOR))).toBe('CONFLICT');
      await setCache(context, 'busy/deep', wishes, ACTOR);
      await removeCache(context, 'busy/deep', ACTOR);
      expect(await codeOf(removeCache(context, 'busy/deep', ACTOR))).toBe('NOT_FOUND');
    });

    test('no repositories of an account that is given to another one, and gives none', async () => {
      const context = one.upstreams;
      const wishes = { upstream: 'far', remotePrefix: '', freshMs: 0, visibility: 'private' } as const;
      upstream.image('team/given', '1.0', 'given');
      await manifest(one, 'far/given', '1.0');
      await pushImage(one.context, 'loose/hub/app', 'loose', '1.0');
      await setCache(context, 'heir/hub', wishes, ACTOR);
      await nextTurn();
      for (const [from, to] of [
        ['far', 'near'],
        ['loose', 'heir'],
      ] as const) {
        expect(await messageOf(transferRepositories(one.context, from, to, ACTOR))).toContain('is a cache of');
      }
      await removeCache(context, 'heir/hub', ACTOR);
      await nextTurn();
      expect(await transferRepositories(one.context, 'loose', 'heir', ACTOR)).toBe(1);
    });

    test('another time of freshness for a prefix that is full already, but no other place', async () => {
      const context = one.upstreams;
      const wishes = { upstream: 'far', remotePrefix: 'team', freshMs: HOUR, visibility: 'public' } as const;
      upstream.image('team/kept', '1.0', 'kept');
      await manifest(one, 'far/kept', '1.0');
      await setCache(context, 'far', wishes, ACTOR);
      expect(await codeOf(setCache(context, 'far', { ...wishes, remotePrefix: 'other' }, ACTOR))).toBe('CONFLICT');
    });

    test('another visibility for what was pulled before, too, but not for a cache further in', async () => {
      const context = one.upstreams;
      const wishes = { upstream: 'far', remotePrefix: 'team', freshMs: HOUR, visibility: 'public' } as const;
      const seen = async (name: string) => (await getRepositoryDetails(one.context, named(name))).visibility;
      upstream.image('team/shown', '1.0', 'shown');
      upstream.image('team/inner', '1.0', 'inner');
      await setCache(context, 'far/deep', wishes, ACTOR);
      await manifest(one, 'far/shown', '1.0');
      await manifest(one, 'far/deep/inner', '1.0');
      expect([await seen('far/shown'), await seen('far/deep/inner')]).toEqual(['public', 'public']);
      await setCache(context, 'far', { ...wishes, visibility: 'private' }, ACTOR);
      expect([await seen('far/shown'), await seen('far/deep/inner')]).toEqual(['private', 'public']);
      await setCache(context, 'far', wishes, ACTOR);
      expect(await seen('far/shown')).toBe('public');
    });
  });

  test.if(kind === 'sqlite')('with no cache a name is looked up without a wait', async () => {
    const other = await openTestRegistry(await newPlace());
    try {
      expect(new CachePrefixes(other.context.database).of(named('alice/app'))).toBeUndefined();
    } finally {
      other.remove();
    }
  });
});
