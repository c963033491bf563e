import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import { parseReference } from '../oci/names.ts';
import { mountBlob, readBlob, statBlob } from './blobs.ts';
import type { RegistryContext, RegistryRecord, RepositoryMove } from './context.ts';
import { getManifest, statManifest } from './manifests.ts';
import { listReferrers } from './referrers.ts';
import { createRepository, getRepositoryDetails } from './repository-management.ts';
import { listFormerNames, removeFormerName, renameRepository, transferRepositories } from './repository-renaming.ts';
import { deleteTag, listTags, rollbackTag, tagHistory } from './tags.ts';
import {
  ACTOR,
  bodyOf,
  bytesOf,
  codeOf,
  collect,
  DAY,
  gate,
  imageOf,
  interposed,
  named,
  nextTurn,
  openTestRegistry,
  pulled,
  pushImage,
  pushManifest,
  type TestRegistry,
  tagged,
} from './testing.ts';
import { appendUpload, completeUpload, startUpload } from './uploads.ts';
import { verify } from './verify.ts';

/** What an error says. */
async function reasonOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof OciError) return `${error.code} ${error.message}`;
  throw error ?? new Error('it succeeded');
}

onEachDatabase('a renamed repository', (newPlace, kind) => {
  let registry: TestRegistry;
  let context: RegistryContext;
  const recorded: RegistryRecord[] = [];
  const moves: RepositoryMove[] = [];
  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace());
    context = {
      ...registry.context,
      record: async (_tx, _actor, entry) => void recorded.push(entry),
      moved: async (_tx, move) => void moves.push(move),
    };
  });
  beforeEach(() => {
    recorded.length = 0;
    moves.length = 0;
  });
  afterAll(() => registry?.remove());

  let number = 0;
  /** A repository with an image under `latest`, and two free names. */
  const prepare = async () => {
    const n = ++number;
    const [from, to, third] = [`alice/from${n}`, `alice/to${n}`, `bob/third${n}`];
    const image = await pushImage(context, from, `image ${n}`, 'latest');
    return { from, to, third, image, rename: () => renameRepository(context, named(from), named(to), ACTOR) };
  };
  const where = async (name: string, digest: Digest) => {
    await nextTurn();
    return [
      await pulled(context, name, digest),
      await codeOf(statManifest(context, named(name), parseReference(digest))),
    ];
  };

  test('has all that it had under its new name, and one record of it', async () => {
    const { from, to, image, rename } = await prepare();
    recorded.length = 0;
    const before = await getRepositoryDetails(context, named(from));
    await rename();
    expect(await getRepositoryDetails(context, named(to))).toEqual({ ...before, name: named(to) });
    expect(await pulled(context, to, 'latest')).toBe(image.digest);
    expect((await tagHistory(context, named(to), tagged('latest'), { limit: 10 })).entries).toHaveLength(1);
    expect(recorded).toEqual([{ action: 'repository.rename', subject: from, detail: { to } }]);
    expect(moves).toEqual([{ repositoryId: expect.any(Number), from: named(from), to: named(to) }]);
  });

  test('gives by its former name what digests name, manifests and blobs, also after garbage collection', async () => {
    const { from, image, rename } = await prepare();
    await rename();
    registry.advance(3 * DAY);
    await collect(context);
    expect(await where(from, image.digest)).toEqual([image.digest, 'none']);
    expect(await statBlob(context, named(from), image.layer)).toBeGreaterThan(0);
    const blob = await readBlob(context, named(from), image.config);
    expect(blob.size).toBeGreaterThan(0);
    expect(await mountBlob(context, named('copy/of'), image.layer, named(from), ACTOR)).toBe(true);
    expect((await verify(context)).faults).toEqual([]);
  });

  test('says by its former name what it is called now, for tags and lists', async () => {
    const { from, to, image, rename } = await prepare();
    expect(await pulled(context, from, 'latest')).toBe(image.digest);
    await rename();
    await nextTurn();
    const said = `NAME_UNKNOWN name: ${from} was renamed to ${to}`;
    const name = named(from);
    const asked: Record<string, () => Promise<unknown>> = {
      tag: () => getManifest(context, name, parseReference('latest')),
      'HEAD of a tag': () => statManifest(context, name, parseReference('latest')),
      tags: () => listTags(context, name, { limit: 10 }),
      history: () => tagHistory(context, name, tagged('latest'), { limit: 10 }),
      referrers: () => listReferrers(context, name, image.digest, { limit: 10 }),
      'deleting a tag': () => deleteTag(context, name, tagged('latest'), {}, ACTOR),
      rollback: () => rollbackTag(context, name, tagged('latest'), { actor: ACTOR }),
      details: () => getRepositoryDetails(context, name),
      'renaming it again': () => renameRepository(context, name, named('alice/else'), ACTOR),
    };
    for (const [what, work] of Object.entries(asked)) expect([what, await reasonOf(work())]).toEqual([what, said]);
    const unknown = parseReference(digestOf(bytesOf('nowhere')));
    expect(await codeOf(getManifest(context, name, unknown))).toBe('MANIFEST_UNKNOWN');
  });

  test('takes no push under its former name', async () => {
    const { from, to, image, rename } = await prepare();
    await rename();
    const said = `DENIED name: ${from} was renamed to ${to}: push there, or remove the former name`;
    expect(await reasonOf(startUpload(context, named(from), ACTOR))).toBe(said);
    expect(await reasonOf(pushManifest(context, from, imageOf({ config: image.config }), 'next'))).toBe(said);
    expect(await reasonOf(mountBlob(context, named(from), image.layer, named(to), ACTOR))).toBe(said);
    expect((await getRepositoryDetails(context, named(to))).tags).toBe(1);
  });

  test('keeps every former name, and may get one back', async () => {
    const { from, to, third, image, rename } = await prepare();
    await rename();
    await renameRepository(context, named(to), named(third), ACTOR);
    const former = async (name: string) =>
      (await listFormerNames(context, named(name))).map((alias) => String(alias.name));
    expect(await former(third)).toEqual([from, to].sort());
    for (const name of [from, to, third]) expect(await where(name, image.digest)).toEqual([image.digest, 'none']);
    await renameRepository(context, named(third), named(from), ACTOR);
    expect(await former(from)).toEqual([third, to].sort());
    expect(await pulled(context, from, 'latest')).toBe(image.digest);
  });

  test('gives a former name free when it is removed: nothing is there, and a push makes a new repository', async () => {
    const { from, to, image, rename } = await prepare();
    await rename();
    recorded.length = 0;
    await removeFormerName(context, named(to), named(from), ACTOR);
    expect(recorded).toEqual([{ action: 'alias.remove', subject: to, detail: { alias: from } }]);
    expect(await where(from, image.digest)).toEqual([undefined, 'MANIFEST_UNKNOWN']);
    expect(await codeOf(removeFormerName(context, named(to), named(from), ACTOR))).toBe('NOT_FOUND');
    const other = await pushImage(context, from, 'other', 'latest');
    expect(await pulled(context, from, 'latest')).toBe(other.digest);
    expect(await pulled(context, to, 'latest')).toBe(image.digest);
  });

  test('takes no name that another has or had, nor its own', async () => {
    const one = await prepare();
    const two = await prepare();
    const rename = (from: string, to: string) => codeOf(renameRepository(context, named(from), named(to), ACTOR));
    expect(await rename(one.from, one.from)).toBe('CONFLICT');
    expect(await rename(one.from, two.from)).toBe('NAME_TAKEN');
    await two.rename();
    expect(await rename(one.from, two.from)).toBe('NAME_TAKEN');
    expect(await rename('no/such', 'no/other')).toBe('NAME_UNKNOWN');
    expect(await pulled(context, one.from, 'latest')).toBe(one.image.digest);
    expect(await pulled(context, two.to, 'latest')).toBe(two.image.digest);
  });

  describe('while it is pushed to', () => {
    test('has the blob of an upload that was under way, or the client learns that there is none', async () => {
      const { from, to, rename } = await prepare();
      const { id } = await startUpload(context, named(from), ACTOR);
      await appendUpload(context, named(from), id, { body: bodyOf([bytesOf('first ')]) });
      await rename();
      const digest = digestOf(bytesOf('first second'));
      const under = (name: string) =>
        codeOf(completeUpload(context, named(name), id, digest, { body: bodyOf([bytesOf('second')]) }));
      expect(await under(from)).toBe('BLOB_UPLOAD_UNKNOWN');
      // Nothing of it is lost: it goes on under the new name.
      expect(await under(to)).toBe('none');
      await nextTurn();
      expect(await statBlob(context, named(to), digest)).toBe(12);
    });

    test('has the blob whose last bytes were coming in', async () => {
      const { from, to, rename } = await prepare();
      const stop = gate();
      const { id } = await startUpload(context, named(from), ACTOR);
      const digest = digestOf(bytesOf('whole'));
      const slow: RegistryContext = {
        ...context,
        store: new Proxy(context.store, {
          get(target, key) {
            if (key === 'commitUpload') {
              return async (...args: Parameters<typeof target.commitUpload>) => {
                await stop.pass();
                return target.commitUpload(...args);
              };
            }
            const value: unknown = Reflect.get(target, key);
            return typeof value === 'function' ? value.bind(target) : value;
          },
        }),
      };
      const push = codeOf(completeUpload(slow, named(from), id, digest, { body: bodyOf([bytesOf('whole')]) }));
      await stop.arrived;
      await rename();
      stop.open();
      expect(await push).toBe('none');
      await nextTurn();
      for (const name of [from, to]) expect(await statBlob(context, named(name), digest)).toBe(5);
    });

    test('has every manifest whose push was answered, and no other repository has any', async () => {
      // On PostgreSQL a push may pass a rename that waits: it takes hundreds of them, seldom more.
      const MOST_PUSHES = 10_000;
      const { from, to, image } = await prepare();
      const pushers = ['x', 'y'].map((process) => registry.anotherProcess(`${process}${number}`));
      const answered: Digest[] = [];
      const underWay = Promise.withResolvers<void>();
      const push = async (pusher: RegistryContext, seed: string) => {
        for (let i = 0; i < MOST_PUSHES; i++) {
          await nextTurn();
          const document = imageOf({ config: image.config, annotations: { seed, i: String(i) } });
          const outcome = await pushManifest(pusher, from, document, `${seed}-${i}`).catch((error: unknown) => error);
          if (outcome instanceof OciError && outcome.code === 'DENIED') return;
          if (outcome instanceof Error) throw outcome;
          if (answered.push(outcome as Digest) === 6) underWay.resolve();
        }
        throw new Error(`none of ${MOST_PUSHES} pushes was refused: the repository was not renamed beside them`);
      };
      const pushes = pushers.map((pusher, i) => push(pusher, `p${i}`));
      const pushed = Promise.all(pushes);
      await Promise.race([underWay.promise, pushed]);
      await renameRepository(context, named(from), named(to), ACTOR);
      await pushed;
      await nextTurn();
      for (const digest of answered) expect(await pulled(context, to, digest)).toBe(digest);
      expect((await getRepositoryDetails(context, named(to))).tags).toBe(answered.length + 1);
      expect(await codeOf(getRepositoryDetails(context, named(from)))).toBe('NAME_UNKNOWN');
    });

    // On SQLite one transaction ends before the next begins; here two are open at once.
    describe.if(kind === 'postgres')('in transactions that overlap', () => {
      test('waits for the push, and takes what it pushed along', async () => {
        const { from, to, image } = await prepare();
        const stop = gate();
        const pusher = interposed(registry.anotherProcess(`w${number}`), { beforeCommit: stop.pass });
        const push = codeOf(
          pushManifest(pusher, from, imageOf({ config: image.config, annotations: { a: '1' } }), 'next'),
        );
        await stop.arrived;
        let renamed = false;
        const rename = renameRepository(context, named(from), named(to), ACTOR).then(() => {
          renamed = true;
        });
        await Bun.sleep(150);
        expect(renamed).toBe(false);
        stop.open();
        expect(await push).toBe('none');
        await rename;
        expect((await getRepositoryDetails(context, named(to))).tags).toBe(2);
      });

      test('makes a push wait, which is then refused', async () => {
        const { from, to, image } = await prepare();
        const stop = gate();
        const renamer = interposed(context, { beforeCommit: stop.pass });
        const rename = renameRepository(renamer, named(from), named(to), ACTOR);
        await stop.arrived;
        const pusher = registry.anotherProcess(`v${number}`);
        const push = codeOf(pushManifest(pusher, from, imageOf({ config: image.config }), 'next'));
        // A push that makes a repository of the new name gets the renamed one.
        const other = codeOf(startUpload(registry.anotherProcess(`u${number}`), named(to), ACTOR));
        await Bun.sleep(150);
        stop.open();
        await rename;
        expect(await push).toBe('DENIED');
        expect(await other).toBe('none');
        const rows = await context.database.read
          .selectFrom('repositories')
          .select('name')
          .where('name', 'in', [named(from), named(to)])
          .execute();
        expect(rows.map((row) => String(row.name))).toEqual([to]);
      });

      test('is refused a name at which a push makes a repository', async () => {
        const { from, to } = await prepare();
        const stop = gate();
        const pusher = interposed(registry.anotherProcess(`t${number}`), { beforeCommit: stop.pass });
        const push = codeOf(startUpload(pusher, named(to), ACTOR));
        await stop.arrived;
        const rename = codeOf(renameRepository(context, named(from), named(to), ACTOR));
        await Bun.sleep(150);
        stop.open();
        expect(await push).toBe('none');
        expect(await rename).toBe('NAME_TAKEN');
      });
    });
  });

  describe('with its whole namespace', () => {
    const names = async (namespace: string) =>
      (
        await context.database.read
          .selectFrom('repositories')
          .select('name')
          .where('name', '>', named(`${namespace}/0`))
          .where('name', '<', named(`${namespace}0`))
          .orderBy('name')
          .execute()
      ).map((row) => String(row.name));

    test('goes to another one, and is pullable by digest from the old', async () => {
      const image = await pushImage(context, 'gone/a', 'a', 'latest');
      await createRepository(context, { name: named('gone/b/c') }, ACTOR);
      await createRepository(context, { name: named('gone-not/a') }, ACTOR);
      recorded.length = 0;
      expect(await transferRepositories(context, 'gone', 'heir', ACTOR)).toBe(2);
      expect([await names('gone'), await names('heir')]).toEqual([[], ['heir/a', 'heir/b/c']]);
      expect(await names('gone-not')).toEqual(['gone-not/a']);
      expect(await where('gone/a', image.digest)).toEqual([image.digest, 'none']);
      expect(recorded.map((entry) => entry.detail)).toEqual([{ to: 'heir/a' }, { to: 'heir/b/c' }]);
      expect(moves).toHaveLength(2);
    });

    test('goes nowhere when one of its names is taken there', async () => {
      for (const name of ['some/a', 'some/b', 'full/b']) await createRepository(context, { name: named(name) }, ACTOR);
      const reason = await reasonOf(transferRepositories(context, 'some', 'full', ACTOR));
      expect(reason).toBe("CONFLICT to: some/b can't become full/b: there is a repository full/b");
      expect([await names('some'), await names('full')]).toEqual([['some/a', 'some/b'], ['full/b']]);
      expect(await listFormerNames(context, named('some/a'))).toEqual([]);
    });

    test('goes nowhere when one of its names was taken there, or would be too long', async () => {
      for (const name of ['more/a', 'past/a']) await createRepository(context, { name: named(name) }, ACTOR);
      await renameRepository(context, named('past/a'), named('past/b'), ACTOR);
      expect(await codeOf(transferRepositories(context, 'more', 'past', ACTOR))).toBe('CONFLICT');
      await createRepository(context, { name: named(`n/${'x'.repeat(250)}`) }, ACTOR);
      expect(await codeOf(transferRepositories(context, 'n', 'longer', ACTOR))).toBe('CONFLICT');
      expect(await codeOf(transferRepositories(context, 'n', 'n', ACTOR))).toBe('CONFLICT');
      expect(await transferRepositories(context, 'nobody', 'heir', ACTOR)).toBe(0);
    });

    test('may come back to what it was', async () => {
      await createRepository(context, { name: named('there/a') }, ACTOR);
      await transferRepositories(context, 'there', 'andback', ACTOR);
      await transferRepositories(context, 'andback', 'there', ACTOR);
      expect((await listFormerNames(context, named('there/a'))).map((one) => String(one.name))).toEqual(['andback/a']);
    });

    test.if(kind === 'postgres')('makes who pushes a new repository there wait', async () => {
      await createRepository(context, { name: named('slow/a') }, ACTOR);
      const stop = gate();
      const transfer = transferRepositories(interposed(context, { beforeCommit: stop.pass }), 'slow', 'fast', ACTOR);
      await stop.arrived;
      const push = codeOf(startUpload(registry.anotherProcess('late'), named('fast/a'), ACTOR));
      const old = codeOf(startUpload(registry.anotherProcess('later'), named('slow/a'), ACTOR));
      await Bun.sleep(150);
      stop.open();
      await transfer;
      expect([await push, await old]).toEqual(['none', 'DENIED']);
      expect([await names('slow'), await names('fast')]).toEqual([[], ['fast/a']]);
    });
  });
});
