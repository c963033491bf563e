import { afterAll, beforeAll, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { collectGarbage } from './garbage/collect.ts';
import { deleteManifest } from './manifests.ts';
import { setImmutableTags } from './repositories.ts';
import { deleteTag, rollbackTag, tagHistory } from './tags.ts';
import {
  ACTOR,
  bytesOf,
  codeOf,
  DAY,
  named,
  openTestRegistry,
  pulled,
  pushImage,
  type TestRegistry,
  tagged,
} from './testing.ts';

onEachDatabase('rolling a tag back', (newPlace) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace());
  });
  afterAll(() => registry?.remove());
  const rollback = (name: string, to?: Digest) =>
    rollbackTag(registry.context, named(name), tagged('latest'), { to, actor: ACTOR });
  const current = (name: string) => pulled(registry.context, name, 'latest');
  const push = async (name: string, ...seeds: string[]) => {
    const digests: Digest[] = [];
    for (const seed of seeds) digests.push((await pushImage(registry.context, name, seed, 'latest')).digest);
    return digests;
  };

  test('goes to what the tag named before, and is an entry of the history', async () => {
    const [one, two] = await push('back', 'one', 'two');
    expect(await rollback('back')).toEqual({ digest: one as Digest, previous: two });
    expect(await current('back')).toBe(one as Digest);
    const { entries } = await tagHistory(registry.context, named('back'), tagged('latest'), { limit: 10 });
    expect(entries[0]).toMatchObject({ action: 'rollback', digest: one, previous: two, actor: 'alice' });
    expect(entries).toHaveLength(3);
  });

  test('done again goes one push further back each time, and refuses at the first', async () => {
    const [one, two, three] = await push('walk', 'one', 'two', 'three');
    expect((await rollback('walk')).digest).toBe(two as Digest);
    expect((await rollback('walk')).digest).toBe(one as Digest);
    expect(await codeOf(rollback('walk'))).toBe('MANIFEST_UNKNOWN');
    expect(await current('walk')).toBe(one as Digest);
    expect(three).toBeDefined();
  });

  test('after a push that followed a rollback goes to what was current at that push', async () => {
    const [one] = await push('again', 'one', 'two');
    await rollback('again');
    await push('again', 'three');
    expect((await rollback('again')).digest).toBe(one as Digest);
  });

  test('of a tag whose digest came back walks through its history and ends', async () => {
    const [one, two] = await push('to-and-fro', 'one', 'two', 'one');
    expect((await rollback('to-and-fro')).digest).toBe(two as Digest);
    expect((await rollback('to-and-fro')).digest).toBe(one as Digest);
    expect(await codeOf(rollback('to-and-fro'))).toBe('MANIFEST_UNKNOWN');
  });

  test('to a digest goes there, forward too', async () => {
    const [one, two, three] = await push('to', 'one', 'two', 'three');
    expect(await rollback('to', one)).toEqual({ digest: one as Digest, previous: three });
    expect((await rollback('to', three)).digest).toBe(three as Digest);
    expect(await current('to')).toBe(three as Digest);
    expect(two).toBeDefined();
  });

  test('after going to a digest with --to, undoes as if the tag stood there', async () => {
    const [one, two] = await push('to-then', 'one', 'two', 'three');
    await rollback('to-then', two);
    expect((await rollback('to-then')).digest).toBe(one as Digest);
  });

  test('to where the tag already is changes nothing', async () => {
    const [, two] = await push('stay', 'one', 'two');
    expect(await rollback('stay', two)).toEqual({ digest: two as Digest, previous: two });
    const { entries } = await tagHistory(registry.context, named('stay'), tagged('latest'), { limit: 10 });
    expect(entries).toHaveLength(2);
  });

  test('of a deleted tag brings it back', async () => {
    const [, two] = await push('deleted', 'one', 'two');
    await deleteTag(registry.context, named('deleted'), tagged('latest'), {}, ACTOR);
    expect(await rollback('deleted')).toEqual({ digest: two as Digest, previous: undefined });
    expect(await current('deleted')).toBe(two as Digest);
  });

  test('to a manifest that was deleted is refused, says so, and changes nothing', async () => {
    const [one, two] = await push('no-manifest', 'one', 'two');
    await deleteManifest(registry.context, named('no-manifest'), one as Digest, ACTOR);
    expect(await codeOf(rollback('no-manifest'))).toBe('MANIFEST_UNKNOWN');
    await expect(rollback('no-manifest')).rejects.toThrow(/is gone/);
    expect(await current('no-manifest')).toBe(two as Digest);
  });

  test('to a digest that the repository never had is refused', async () => {
    await push('never', 'one', 'two');
    expect(await codeOf(rollback('never', digestOf(bytesOf('never pushed'))))).toBe('MANIFEST_UNKNOWN');
  });

  test('of a tag that never was, or in no repository, is refused', async () => {
    await pushImage(registry.context, 'no-tag', 'one', 'other');
    expect(await codeOf(rollback('no-tag'))).toBe('MANIFEST_UNKNOWN');
    expect(await codeOf(rollback('no-such-repository'))).toBe('NAME_UNKNOWN');
  });

  test('of an immutable tag is refused', async () => {
    const [, two] = await push('fixed', 'one', 'two');
    await setImmutableTags(registry.context, named('fixed'), ['latest'], ACTOR);
    expect(await codeOf(rollback('fixed'))).toBe('DENIED');
    expect(await current('fixed')).toBe(two as Digest);
  });

  test('with an expectation that is not met is refused', async () => {
    const [one, two] = await push('expect', 'one', 'two');
    const { context } = registry;
    const expecting = (match: Digest) =>
      rollbackTag(context, named('expect'), tagged('latest'), { actor: ACTOR, precondition: { match: [match] } });
    expect(await codeOf(expecting(one as Digest))).toBe('PRECONDITION_FAILED');
    expect(await codeOf(expecting(two as Digest))).toBe('none');
  });

  test('protects the manifest from garbage collection that runs beside it', async () => {
    const own = await openTestRegistry(await newPlace(), { tagHistoryMs: 30 * DAY });
    try {
      const { digest } = await pushImage(own.context, 'app', 'one', 'latest');
      await pushImage(own.context, 'app', 'two', 'latest');
      own.advance(20 * DAY);
      await rollbackTag(own.context, named('app'), tagged('latest'), { actor: ACTOR });
      own.advance(20 * DAY);
      await collectGarbage(own.context, { dryRun: false });
      expect(await pulled(own.context, 'app', 'latest')).toBe(digest);
    } finally {
      own.remove();
    }
  });
});
