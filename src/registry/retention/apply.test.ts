import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../../database/test-databases.ts';
import type { Digest } from '../../oci/digest.ts';
import type { RegistryContext, RegistryRecord } from '../context.ts';
import { getRepository, setImmutableTags } from '../repositories.ts';
import { deleteRepository } from '../repository-deletion.ts';
import { renameRepository } from '../repository-renaming.ts';
import { listTags, rollbackTag, tagHistory } from '../tags.ts';
import {
  ACTOR,
  codeOf,
  collect,
  DAY,
  HOUR,
  imageOf,
  indexOf,
  interposed,
  named,
  openTestRegistry,
  pulled,
  pushBlob,
  pushImage,
  pushManifest,
  type TestRegistry,
  tagged,
} from '../testing.ts';
import { type AppliedRetention, applyRetention } from './apply.ts';
import { getRetention, type PolicyPlace, removeRetention, setRetention } from './policies.ts';
import type { RetentionPolicy } from './policy.ts';
import { listRemovals } from './removals.ts';

const LAST: RetentionPolicy = { rules: [{ match: ['*'], keepLast: 1 }] };

onEachDatabase('retention', (newPlace) => {
  let registry: TestRegistry;
  let context: RegistryContext;
  const records: RegistryRecord[] = [];
  const inUse = new Set<Digest>();
  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace(), { tagHistoryMs: 30 * DAY });
    context = {
      ...registry.context,
      record: async (_tx, _actor, entry) => void records.push(entry),
      usersOf: async (_rows, digest) => (inUse.has(digest) ? ['somebody'] : []),
      digestsInUse: async () => inUse,
    };
  });
  afterAll(() => registry?.remove());

  const repository = (name: string): PolicyPlace => ({ kind: 'repository', name: named(name) });
  const tags = async (name: string): Promise<string[]> => (await listTags(context, named(name), { limit: 1_000 })).tags;
  const apply = async (name: string, own = context, dryRun = false): Promise<AppliedRetention> =>
    applyRetention(own, await getRepository(own, named(name)), { dryRun, actor: ACTOR, breathe: async () => {} });
  /** An hour between two, so that each is older than the next. */
  const push = async (name: string, ...given: string[]) => {
    const digests: Digest[] = [];
    for (const tag of given) {
      registry.advance(HOUR);
      digests.push((await pushImage(context, name, `${name} ${tag} ${digests.length}`, tag)).digest);
    }
    return digests;
  };

  test('removes nothing where no policy holds', async () => {
    await push('none/app', 'a', 'b');
    expect(await apply('none/app')).toEqual({ tags: 0, removed: 0, more: false });
    expect(await tags('none/app')).toEqual(['a', 'b']);
  });

  test('removes what the policy does not keep, as deletions that a rollback takes back', async () => {
    const [a] = await push('some/app', 'a', 'b', 'c');
    await setRetention(context, repository('some/app'), LAST, ACTOR);
    expect(await apply('some/app', context, true)).toEqual({ tags: 3, removed: 2, more: false });
    expect(await tags('some/app')).toEqual(['a', 'b', 'c']);
    records.length = 0;
    expect(await apply('some/app')).toEqual({ tags: 3, removed: 2, more: false });
    expect(await tags('some/app')).toEqual(['c']);
    expect(records.map(({ action, subject }) => `${action} ${subject}`)).toEqual([
      'tag.delete some/app:b',
      'tag.delete some/app:a',
      'retention.apply some/app',
    ]);
    const { entries } = await tagHistory(context, named('some/app'), tagged('a'), { limit: 1 });
    expect(entries[0]).toMatchObject({ action: 'delete', actor: 'retention', previous: a, source: '' });

    // Until the history window is over, also after collections.
    registry.advance(20 * DAY);
    await collect(context);
    await rollbackTag(context, named('some/app'), tagged('a'), { actor: ACTOR });
    expect(await pulled(context, 'some/app', 'a')).toBe(a as Digest);
    // It was set last now.
    await apply('some/app');
    expect(await tags('some/app')).toEqual(['a']);
  });

  test('says afterwards what went, and why, for three months', async () => {
    const [a] = await push('log/app', 'a', 'b', 'c');
    await setRetention(context, repository('log/app'), LAST, ACTOR);
    await apply('log/app');
    const page = await listRemovals(context, named('log/app'), { limit: 1 });
    expect(page).toMatchObject({ more: true, removals: [{ tag: 'a', digest: a }] });
    const rest = await listRemovals(context, named('log/app'), { limit: 9, before: page.removals[0]?.id });
    expect(rest.removals.map(({ tag, why }) => `${tag} ${why}`)).toEqual([
      'b removed: rule 1 is about *: not among the last 1',
    ]);
    registry.advance(91 * DAY);
    await collect(context);
    expect(await listRemovals(context, named('log/app'), { limit: 9 })).toEqual({ removals: [], more: false });
  });

  test('is done by garbage collection, which a dry run says', async () => {
    await push('gc/app', 'a', 'b');
    await setRetention(context, repository('gc/app'), LAST, ACTOR);
    const dry = await collect(context, { dryRun: true });
    const named = dry.items.filter(({ kind, repository }) => kind === 'tag' && repository === 'gc/app');
    expect(named.map(({ why }) => why)).toEqual(['a removed: rule 1 is about *: not among the last 1']);
    expect(await tags('gc/app')).toEqual(['a', 'b']);
    const { result } = await collect(context);
    expect(result.tags).toBe(1);
    expect(await tags('gc/app')).toEqual(['b']);
  });

  test('leaves what is immutable or in use, an index whose image is in use too, and a signature of what is there', async () => {
    const name = 'kept/app';
    const [deployed] = await push(name, 'deployed', 'v1');
    const { digest: image } = await pushImage(context, name, 'of an index');
    await pushManifest(context, name, indexOf([image]), 'index');
    const config = await pushBlob(context, name, '{}');
    const signature = `${(deployed as Digest).replace(':', '-')}.sig`;
    await pushManifest(context, name, imageOf({ config, annotations: { signs: 'it' } }), signature);
    await push(name, 'old', 'newest');
    inUse.add(deployed as Digest).add(image);
    await setImmutableTags(context, named(name), ['v*'], ACTOR);
    await setRetention(context, repository(name), LAST, ACTOR);
    expect(await apply(name)).toMatchObject({ removed: 1 });
    expect(await tags(name)).toEqual(['deployed', 'index', 'newest', signature, 'v1']);
  });

  test('counts the pull of an image in an index as one of the index', async () => {
    const name = 'pulled/app';
    for (const seed of ['used', 'unused']) {
      const { digest } = await pushImage(context, name, seed);
      await pushManifest(context, name, indexOf([digest]), seed);
      registry.advance(40 * DAY);
      if (seed === 'unused') continue;
      context.pullTimes.note((await getRepository(context, named(name))).id, digest, context.now() + 20 * DAY);
      await context.pullTimes.flush(context.database);
    }
    await setRetention(context, repository(name), { rules: [{ match: ['*'], pulledWithin: '30d' }] }, ACTOR);
    await apply(name);
    expect(await tags(name)).toEqual(['used']);
  });

  describe('looks again in the transaction that removes', () => {
    /** What somebody does when it is decided, before it is done. */
    const meanwhile = async (name: string, act: (digests: Digest[]) => Promise<unknown>) => {
      const digests = await push(name, 'a', 'b');
      await setRetention(context, repository(name), LAST, ACTOR);
      let done = false;
      const beforeTransaction = async () => {
        if (done) return;
        done = true;
        await act(digests);
      };
      return apply(name, interposed(context, { beforeTransaction }));
    };

    test('a tag that was pushed meanwhile stays, as what was pushed', async () => {
      let now: Digest | undefined;
      await meanwhile('race/push', async () => {
        now = (await pushImage(context, 'race/push', 'newer', 'a')).digest;
      });
      expect(await pulled(context, 'race/push', 'a')).toBe(now as Digest);
    });

    test('a push that comes while its transaction is open waits, and then the tag is there again', async () => {
      const name = 'race/open';
      await push(name, 'a', 'b');
      await setRetention(context, repository(name), LAST, ACTOR);
      let pushed: Promise<{ digest: Digest }> | undefined;
      const beforeCommit = async () => {
        pushed ??= pushImage(context, name, 'newer', 'a');
        await Bun.sleep(20);
      };
      expect(await apply(name, interposed(context, { beforeCommit }))).toMatchObject({ removed: 1 });
      const now = await pushed;
      expect(await pulled(context, name, 'a')).toBe(now?.digest as Digest);
    });

    test('one that was moved away and back stays', async () => {
      await meanwhile('race/back', async ([a]) => {
        await pushImage(context, 'race/back', 'newer', 'a');
        registry.advance(1);
        await rollbackTag(context, named('race/back'), tagged('a'), { to: a, actor: ACTOR });
      });
      expect(await tags('race/back')).toEqual(['a', 'b']);
    });

    test('one that became immutable or in use stays', async () => {
      await meanwhile('race/fixed', () => setImmutableTags(context, named('race/fixed'), ['a'], ACTOR));
      expect(await tags('race/fixed')).toEqual(['a', 'b']);
      await meanwhile('race/deployed', async ([a]) => inUse.add(a as Digest));
      expect(await tags('race/deployed')).toEqual(['a', 'b']);
    });

    test('one that was deleted is no error', async () => {
      const applied = await meanwhile('race/gone', () => apply('race/gone'));
      expect(applied).toEqual({ tags: 2, removed: 0, more: false });
      expect(await tags('race/gone')).toEqual(['b']);
    });

    test('nothing goes when the policy was changed or removed, or the repository has another name', async () => {
      const all: RetentionPolicy = { rules: [{ match: ['*'], always: true }] };
      await meanwhile('race/changed', () => setRetention(context, repository('race/changed'), all, ACTOR));
      expect(await tags('race/changed')).toEqual(['a', 'b']);
      await meanwhile('race/removed', () => removeRetention(context, repository('race/removed'), ACTOR));
      expect(await tags('race/removed')).toEqual(['a', 'b']);
      await meanwhile('race/named', () => renameRepository(context, named('race/named'), named('race/other'), ACTOR));
      expect(await tags('race/other')).toEqual(['a', 'b']);
      await meanwhile('race/deleted', () => deleteRepository(context, named('race/deleted'), ACTOR));
      expect(await codeOf(tags('race/deleted'))).toBe('NAME_UNKNOWN');
    });
  });

  test('stops after a batch when the time is over, and says that there is more', async () => {
    await push('long/app', ...Array.from({ length: 30 }, (_, i) => `t${i}`));
    await setRetention(context, repository('long/app'), LAST, ACTOR);
    const place = await getRepository(context, named('long/app'));
    const options = { dryRun: false, actor: ACTOR, breathe: async () => {}, enough: () => true };
    expect(await applyRetention(context, place, options)).toEqual({ tags: 30, removed: 20, more: true });
    expect(await applyRetention(context, place, options)).toEqual({ tags: 10, removed: 9, more: false });
  });

  test('keeps what no tag names any more as long as the policy says, longer or shorter than the instance does', async () => {
    const own = await openTestRegistry(await newPlace(), { tagHistoryMs: 30 * DAY });
    try {
      const first: Record<string, Digest> = {};
      for (const [name, after] of [['short', '7d'], ['plain'], ['long', '60d']] as const) {
        first[name] = (await pushImage(own.context, name, 'first', 'latest')).digest;
        await pushImage(own.context, name, 'second', 'latest');
        if (after !== undefined) {
          await setRetention(own.context, repository(name), { rules: [], untagged: { after } }, ACTOR);
        }
      }
      const left = async () => {
        await collect(own.context);
        const found = await Promise.all(
          Object.entries(first).map(async ([name, digest]) => [name, await pulled(own.context, name, digest)] as const),
        );
        return found.filter(([, digest]) => digest !== undefined).map(([name]) => name);
      };
      own.advance(6 * DAY);
      expect(await left()).toEqual(['short', 'plain', 'long']);
      own.advance(2 * DAY);
      expect(await left()).toEqual(['plain', 'long']);
      own.advance(30 * DAY);
      expect(await left()).toEqual(['long']);
      own.advance(30 * DAY);
      expect(await left()).toEqual([]);
    } finally {
      own.remove();
    }
  });

  describe('a policy', () => {
    const ofInstance: PolicyPlace = { kind: 'instance' };
    const ofNamespace: PolicyPlace = { kind: 'namespace', name: 'acme' };
    const keeping = (keepLast: number): RetentionPolicy => ({ rules: [{ match: ['*'], keepLast }] });
    const holding = async (place: PolicyPlace) => {
      const { own, holds } = await getRetention(context, place);
      return [own?.policy.rules[0]?.keepLast, holds?.policy.rules[0]?.keepLast, holds?.from];
    };
    beforeAll(async () => {
      await context.database.transaction((tx) =>
        tx
          .insertInto('namespaces')
          .values({
            name: 'acme',
            kind: 'organization',
            user_id: null,
            display_name: '',
            description: '',
            created_at: 1,
          })
          .execute(),
      );
      await push('acme/app', 'a');
      await push('acme/tool', 'a');
    });

    test('of a repository comes before that of its namespace, and this before that of the instance', async () => {
      expect(await holding(repository('acme/app'))).toEqual([undefined, undefined, undefined]);
      await setRetention(context, ofInstance, keeping(3), ACTOR);
      await setRetention(context, ofNamespace, keeping(2), ACTOR);
      await setRetention(context, repository('acme/app'), keeping(9), ACTOR);
      await setRetention(context, repository('acme/app'), keeping(1), ACTOR);
      expect(await holding(repository('acme/app'))).toEqual([1, 1, 'repository']);
      expect(await holding(repository('acme/tool'))).toEqual([undefined, 2, 'namespace']);
      expect(await holding(ofNamespace)).toEqual([2, 2, 'namespace']);
      expect(await holding(repository('none/app'))).toEqual([undefined, 3, 'instance']);
      await removeRetention(context, ofNamespace, ACTOR);
      expect(await holding(ofNamespace)).toEqual([undefined, 3, 'instance']);
      expect(await codeOf(removeRetention(context, ofNamespace, ACTOR))).toBe('NOT_FOUND');
      await removeRetention(context, ofInstance, ACTOR);
      expect(await holding(repository('acme/tool'))).toEqual([undefined, undefined, undefined]);
    });

    test('goes along with a repository that is renamed, and away with one that is deleted', async () => {
      await renameRepository(context, named('acme/app'), named('acme/other'), ACTOR);
      expect(await holding(repository('acme/other'))).toEqual([1, 1, 'repository']);
      await deleteRepository(context, named('acme/other'), ACTOR);
      await push('acme/other', 'a');
      expect(await holding(repository('acme/other'))).toEqual([undefined, undefined, undefined]);
    });

    test('is refused for what is not there', async () => {
      expect(await codeOf(setRetention(context, repository('acme/none'), LAST, ACTOR))).toBe('NAME_UNKNOWN');
      expect(await codeOf(setRetention(context, { kind: 'namespace', name: 'nobody' }, LAST, ACTOR))).toBe('NOT_FOUND');
    });
  });
});
