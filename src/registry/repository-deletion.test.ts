import { afterAll, describe, expect, test } from 'bun:test';
import { DatabaseUnavailableError } from '../database/database.ts';
import { onEachDatabase } from '../database/test-databases.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import { mountBlob, repositoriesWithBlob, statBlob } from './blobs.ts';
import { listRepositories } from './catalog.ts';
import type { RegistryContext } from './context.ts';
import { deleteRepository, planRepositoryDeletion } from './repository-deletion.ts';
import { createRepository, getRepositoryDetails } from './repository-management.ts';
import { renameRepository } from './repository-renaming.ts';
import { rollbackTag } from './tags.ts';
import {
  ACTOR,
  bodyOf,
  bytesOf,
  codeOf,
  collect,
  DAY,
  gate,
  imageOf,
  indexOf,
  interposed,
  inventory,
  named,
  nextTurn,
  openTestRegistry,
  pulled,
  pushBlob,
  pushImage,
  pushManifest,
  type TestRegistry,
  tagged,
} from './testing.ts';
import { appendUpload, completeUpload, startUpload } from './uploads.ts';
import { verify } from './verify.ts';

onEachDatabase('deleting a repository', (newPlace, kind) => {
  const opened: TestRegistry[] = [];
  afterAll(() => {
    for (const registry of opened) registry.remove();
  });
  const open = async () => {
    const registry = await openTestRegistry(await newPlace());
    opened.push(registry);
    return registry;
  };
  const remove = (context: RegistryContext, name = 'app') => deleteRepository(context, named(name), ACTOR);
  /** How many rows each table has. */
  const rows = async ({ database }: RegistryContext) => {
    const counts: Record<string, number> = {};
    for (const table of [
      'repositories',
      'manifests',
      'manifest_references',
      'tags',
      'tag_history',
      'repository_blobs',
      'uploads',
      'repository_aliases',
    ] as const) {
      counts[table] = (await database.read.selectFrom(table).selectAll().execute()).length;
    }
    return counts;
  };
  const none = (counts: Record<string, number>) => Object.values(counts).every((count) => count === 0);

  test('says first what would go: tags, manifests, and bytes that no other repository has', async () => {
    const { context } = await open();
    const one = await pushImage(context, 'app', 'one', 'v1');
    await pushManifest(context, 'app', indexOf([one.digest]), 'multi');
    await mountBlob(context, named('other'), one.layer, named('app'), ACTOR);
    const { read } = context.database;
    const manifests = await read.selectFrom('manifests').select('size').execute();
    expect(await planRepositoryDeletion(context, named('app'))).toEqual({
      tags: 2,
      manifests: 2,
      bytes: manifests.reduce((sum, row) => sum + row.size, 0) + 'config of one'.length,
      users: [],
    });
    expect(await codeOf(planRepositoryDeletion(context, named('no/such')))).toBe('NAME_UNKNOWN');
  });

  test('leaves nothing of it, and its bytes go with the next garbage collection', async () => {
    const { context, advance } = await open();
    const kept = await pushImage(context, 'kept', 'kept', 'latest');
    await createRepository(context, { name: named('shared') }, ACTOR);
    const before = await rows(context);
    const image = await pushImage(context, 'app', 'one', 'v1');
    await pushImage(context, 'app', 'two', 'v1');
    await pushManifest(context, 'app', indexOf([image.digest]), 'multi');
    await pushManifest(context, 'app', imageOf({ config: image.config, subject: image.digest }));
    await startUpload(context, named('app'), ACTOR);
    await renameRepository(context, named('app'), named('app2'), ACTOR);
    await mountBlob(context, named('shared'), image.layer, named('app2'), ACTOR);
    await remove(context, 'app2');
    expect(await rows(context)).toEqual({ ...before, repository_blobs: (before.repository_blobs ?? 0) + 1 });
    for (const name of ['app', 'app2']) {
      expect(await pulled(context, name, image.digest)).toBeUndefined();
      expect(await codeOf(getRepositoryDetails(context, named(name)))).toBe('NAME_UNKNOWN');
    }
    expect(await statBlob(context, named('shared'), image.layer)).toBeGreaterThan(0);
    advance(3 * DAY);
    await pushManifest(context, 'shared', imageOf({ config: image.layer }), 'latest');
    await collect(context);
    expect((await inventory(context)).files).toEqual(new Set([kept.config, kept.layer, image.layer]));
    expect((await verify(context)).faults).toEqual([]);
  });

  test('removes more rows than go in one batch, and lets pushes in between', async () => {
    const { context } = await open();
    const config = await pushBlob(context, 'app', 'config');
    const { id } = await context.database.read.selectFrom('repositories').select('id').executeTakeFirstOrThrow();
    const digests = Array.from({ length: 450 }, (_, i) => digestOf(bytesOf(`manifest ${i}`)));
    await context.database.transaction(async (tx) => {
      const manifest = {
        repository_id: id,
        media_type: 'application/vnd.oci.image.manifest.v1+json',
        artifact_type: null,
        subject: null,
        annotations: null,
        size: 2,
        content: bytesOf('{}'),
        pushed_at: 1,
        pushed_by: 'alice',
        protected_until: Number.MAX_SAFE_INTEGER,
      };
      await tx
        .insertInto('manifests')
        .values(digests.map((digest) => ({ ...manifest, digest })))
        .execute();
      await tx
        .insertInto('tags')
        .values(digests.map((digest, i) => ({ repository_id: id, name: tagged(`t${i}`), digest, updated_at: 1 })))
        .execute();
      await tx
        .insertInto('manifest_references')
        .values(
          digests.map((digest) => ({ repository_id: id, manifest: digest, target: config, kind: 'config' as const })),
        )
        .execute();
    });
    let transactions = 0;
    const counting = interposed(context, {
      beforeTransaction: async () => {
        transactions++;
        if (transactions === 3) await pushImage(context, 'app', 'meanwhile', 'latest');
      },
    });
    await remove(counting);
    expect(transactions).toBeGreaterThan(4);
    expect(await rows(context)).toMatchObject({ repositories: 1, manifests: 1, tags: 1, repository_blobs: 2 });
  });

  test('is refused while something that is deployed uses it, with the list of it, and leaves it whole', async () => {
    const { context } = await open();
    const { digest } = await pushImage(context, 'app', 'one', 'v1');
    const elsewhere = await pushImage(context, 'other', 'two', 'v1');
    const using: RegistryContext = {
      ...context,
      digestsInUse: async () => new Set([digest, elsewhere.digest]),
      usersOf: async (_rows, asked) => (asked === digest ? ['alice/shop in production'] : ['somebody']),
    };
    expect((await planRepositoryDeletion(using, named('app'))).users).toEqual(['alice/shop in production']);
    const error = await remove(using).catch((thrown: unknown) => thrown);
    expect(error instanceof OciError && [error.code, error.detail.users]).toEqual([
      'CONFLICT',
      ['alice/shop in production'],
    ]);
    expect(await pulled(context, 'app', 'v1')).toBe(digest);
  });

  test('needs one that is there, and says what it is called now', async () => {
    const { context } = await open();
    expect(await codeOf(remove(context, 'no/such'))).toBe('NAME_UNKNOWN');
    await createRepository(context, { name: named('old') }, ACTOR);
    await renameRepository(context, named('old'), named('new'), ACTOR);
    await expect(remove(context, 'old')).rejects.toThrow('old was renamed to new');
    expect(await codeOf(getRepositoryDetails(context, named('new')))).toBe('none');
  });

  describe('that is broken off after its name is gone', () => {
    const breakOff = async () => {
      const registry = await open();
      const { context } = registry;
      const image = await pushImage(context, 'app', 'one', 'v1');
      await createRepository(context, { name: named('copy') }, ACTOR);
      let transactions = 0;
      const broken = interposed(context, {
        beforeTransaction: async () => {
          if (++transactions > 1) throw new DatabaseUnavailableError('gone');
        },
      });
      await remove(broken);
      return { ...registry, image };
    };

    test('is over for everyone: nothing can be found, listed, mounted or pulled', async () => {
      const { context, image } = await breakOff();
      expect((await rows(context)).manifests).toBe(1);
      expect(await pulled(context, 'app', image.digest)).toBeUndefined();
      expect(await codeOf(getRepositoryDetails(context, named('app')))).toBe('NAME_UNKNOWN');
      expect(await repositoriesWithBlob(context, image.layer, 10)).toEqual([]);
      const { repositories } = await listRepositories(context, { kind: 'all' }, { limit: 10 });
      expect(repositories).toEqual([named('copy')]);
    });

    test('is finished by the next garbage collection, and its name can be used before', async () => {
      const { context, advance } = await breakOff();
      const again = await pushImage(context, 'app', 'again', 'v1');
      await createRepository(context, { name: named('other') }, ACTOR);
      await collect(context);
      expect(await rows(context)).toMatchObject({ repositories: 3, manifests: 1, tags: 1, tag_history: 1 });
      expect(await pulled(context, 'app', 'v1')).toBe(again.digest);
      advance(3 * DAY);
      await collect(context);
      expect((await inventory(context)).files).toEqual(new Set([again.config, again.layer]));
    });

    test('is left as it is by a dry run', async () => {
      const { context } = await breakOff();
      const before = await rows(context);
      await collect(context, { dryRun: true });
      expect(await rows(context)).toEqual(before);
    });
  });

  describe('beside a push', () => {
    test('ends an upload that is under way', async () => {
      const { context } = await open();
      const { id } = await startUpload(context, named('app'), ACTOR);
      await appendUpload(context, named('app'), id, { body: bodyOf([bytesOf('half')]) });
      await remove(context);
      const digest = digestOf(bytesOf('half'));
      expect(await codeOf(completeUpload(context, named('app'), id, digest, { body: null }))).toBe(
        'BLOB_UPLOAD_UNKNOWN',
      );
      expect(none(await rows(context))).toBe(true);
    });

    test('ends an upload whose bytes are just being made a blob, and the bytes are garbage', async () => {
      const { context, advance } = await open();
      const { id } = await startUpload(context, named('app'), ACTOR);
      const digest = digestOf(bytesOf('whole'));
      let removed = false;
      const deleting: RegistryContext = {
        ...context,
        onStep: () => {},
        store: new Proxy(context.store, {
          get(target, key) {
            if (key === 'commitUpload') {
              return async (...args: Parameters<typeof target.commitUpload>) => {
                await target.commitUpload(...args);
                await remove(context);
                removed = true;
              };
            }
            const value: unknown = Reflect.get(target, key);
            return typeof value === 'function' ? value.bind(target) : value;
          },
        }),
      };
      const push = completeUpload(deleting, named('app'), id, digest, { body: bodyOf([bytesOf('whole')]) });
      expect(await codeOf(push)).toBe('BLOB_UPLOAD_UNKNOWN');
      expect(removed).toBe(true);
      advance(3 * DAY);
      await collect(context);
      expect((await inventory(context)).files.size).toBe(0);
    });

    test('leaves what was pushed after it in a new repository, whole', async () => {
      const { context, anotherProcess } = await open();
      const config = await pushBlob(context, 'app', 'config');
      const pusher = anotherProcess('pusher');
      const outcomes: string[] = [];
      let pushing = true;
      const push = async () => {
        for (let i = 0; pushing; i++) {
          await nextTurn();
          const document = imageOf({ config, annotations: { i: String(i) } });
          outcomes.push(await codeOf(pushManifest(pusher, 'app', document, `t${i}`)));
          if (outcomes.at(-1) === 'MANIFEST_BLOB_UNKNOWN') await pushBlob(pusher, 'app', 'config');
        }
      };
      const pushes = push();
      for (let i = 0; i < 5; i++) {
        const seen = outcomes.length;
        while (outcomes.length < seen + 4) await Promise.race([Bun.sleep(1), pushes]);
        await remove(context);
      }
      pushing = false;
      await pushes;
      expect(new Set(outcomes)).toEqual(new Set(['none', 'MANIFEST_BLOB_UNKNOWN']));
      expect((await verify(context)).faults).toEqual([]);
      const gone = await context.database.read
        .selectFrom('repositories')
        .select('name')
        .where('name', '<', named('0'))
        .execute();
      expect(gone).toEqual([]);
    });

    // On SQLite one transaction ends before the next begins; here two are open at once.
    describe.if(kind === 'postgres')('in transactions that overlap', () => {
      test('waits for a push that is being committed, which goes with it', async () => {
        const { context, anotherProcess } = await open();
        const config = await pushBlob(context, 'app', 'config');
        const stop = gate();
        const pusher = interposed(anotherProcess('pusher'), { beforeCommit: stop.pass });
        const push = codeOf(pushManifest(pusher, 'app', imageOf({ config }), 'v1'));
        await stop.arrived;
        const deletion = remove(context);
        await Bun.sleep(150);
        stop.open();
        expect(await push).toBe('none');
        await deletion;
        expect(none(await rows(context))).toBe(true);
      });

      test('makes a push wait, which then makes a new repository', async () => {
        const { context, anotherProcess } = await open();
        await pushImage(context, 'app', 'one', 'v1');
        const stop = gate();
        let first = true;
        const deleter = interposed(context, {
          beforeCommit: async () => {
            if (first) await stop.pass();
            first = false;
          },
        });
        const deletion = remove(deleter);
        await stop.arrived;
        const push = startUpload(anotherProcess('pusher'), named('app'), ACTOR);
        await Bun.sleep(150);
        stop.open();
        await deletion;
        const { id } = await push;
        expect(await rows(context)).toMatchObject({ repositories: 1, uploads: 1, manifests: 0 });
        const digest: Digest = digestOf(bytesOf('x'));
        await completeUpload(context, named('app'), id, digest, { body: bodyOf([bytesOf('x')]) });
        await nextTurn();
        expect(await statBlob(context, named('app'), digest)).toBe(1);
      });

      test('and a rollback that found it before leave nothing behind', async () => {
        const { context, anotherProcess } = await open();
        const image = await pushImage(context, 'app', 'one', 'v1');
        const stop = gate();
        const roller = interposed(anotherProcess('roller'), { beforeTransaction: stop.pass });
        const rollback = codeOf(rollbackTag(roller, named('app'), tagged('v2'), { to: image.digest, actor: ACTOR }));
        await stop.arrived;
        const deletion = remove(context);
        stop.open();
        await deletion;
        expect(['none', 'MANIFEST_UNKNOWN']).toContain(await rollback);
        expect(none(await rows(context))).toBe(true);
      });
    });
  });
});
