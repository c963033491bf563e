import { afterAll, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { digestOf } from '../oci/digest.ts';
import { StorageReader } from './storage-figures.ts';
import { ACTOR, bodyOf, bytesOf, named, openTestRegistry, pushBlob, pushImage, type TestRegistry } from './testing.ts';
import { appendUpload, startUpload } from './uploads.ts';

onEachDatabase('the figures of the storage', (newPlace, kind) => {
  const opened: TestRegistry[] = [];
  afterAll(() => {
    for (const registry of opened) registry.remove();
  });
  const open = async () => {
    const registry = await openTestRegistry(await newPlace());
    opened.push(registry);
    return registry;
  };

  test('of an empty registry are nothing', async () => {
    const { context } = await open();
    const { disk, summedAt, ...rest } = await new StorageReader(context).read();
    expect(rest).toEqual({
      repositories: 0,
      tags: 0,
      manifests: 0,
      blobs: 0,
      blobBytes: 0,
      referencedBytes: 0,
      manifestBytes: 0,
      uploads: { open: 0, bytes: 0 },
      largest: [],
    });
    expect(disk?.free).toBeGreaterThan(0);
    expect(summedAt).toBeGreaterThan(0);
  });

  test('count a blob once, and again for each repository that has it; uploads with what they have got', async () => {
    const { context } = await open();
    const { digest } = await pushImage(context, 'a/app', 'one', 'v1');
    await pushImage(context, 'b/app', 'one', 'v1');
    await pushImage(context, 'b/app', 'one', 'v2');
    await pushBlob(context, 'b/app', 'x'.repeat(1_000));
    const { id } = await startUpload(context, named('b/app'), ACTOR);
    await appendUpload(context, named('b/app'), id, { body: bodyOf([bytesOf('12345')]) });
    const manifest = await context.database.read
      .selectFrom('manifests')
      .select('size')
      .where('digest', '=', digest)
      .executeTakeFirstOrThrow();
    const image = 'config of one'.length + 'layer of one'.length;
    const figures = await new StorageReader(context).read();
    expect(figures).toMatchObject({
      repositories: 2,
      tags: 3,
      manifests: 2,
      blobs: 3,
      blobBytes: image + 1_000,
      referencedBytes: 2 * image + 1_000,
      manifestBytes: 2 * manifest.size,
      uploads: { open: 1, bytes: 5 },
      largest: [
        { name: 'b/app', bytes: image + 1_000, tags: 2 },
        { name: 'a/app', bytes: image, tags: 1 },
      ],
    });
  });

  test('count the bytes of a blob that comes or goes as long as they lie in the store', async () => {
    const { context } = await open();
    const kept = await pushBlob(context, 'app', 'kept');
    const condemned = await pushBlob(context, 'app', 'condemned');
    await context.database.transaction((tx) =>
      tx.updateTable('blobs').set({ state: 'deleting' }).where('digest', '!=', kept).execute(),
    );
    expect(await new StorageReader(context).read()).toMatchObject({ blobs: 1, blobBytes: 13, referencedBytes: 4 });
    await context.store.remove(condemned);
    expect(await new StorageReader(context).read()).toMatchObject({ blobs: 1, blobBytes: 4, referencedBytes: 4 });
  });

  test('of more rows than one statement takes are added up whole, and name the twenty largest repositories', async () => {
    const { context } = await open();
    const repositories = 45;
    const blobs = 100;
    await context.database.transaction(async (tx) => {
      for (let id = 1; id <= repositories; id++) {
        await tx
          .insertInto('repositories')
          .values({ name: named(`many/r${id}`), created_at: 1, immutable_tags: null })
          .execute();
        const digests = Array.from({ length: blobs }, (_, i) => digestOf(bytesOf(`${id} ${i}`)));
        await tx
          .insertInto('blobs')
          .values(digests.map((digest) => ({ digest, size: id, state: 'stored' as const, protected_until: 0 })))
          .execute();
        await tx
          .insertInto('repository_blobs')
          .values(digests.map((digest) => ({ repository_id: id, digest, protected_until: 0 })))
          .execute();
      }
    });
    const sum = (blobs * repositories * (repositories + 1)) / 2;
    const figures = await new StorageReader(context).read();
    expect(figures).toMatchObject({ blobs: blobs * repositories, blobBytes: sum, referencedBytes: sum });
    expect(figures.largest).toEqual(
      Array.from({ length: 20 }, (_, i) => ({
        name: `many/r${repositories - i}`,
        bytes: blobs * (repositories - i),
        tags: 0,
      })),
    );
  });

  test('of a small registry are new each time, soon after they were asked for', async () => {
    const { context } = await open();
    const reader = new StorageReader(context);
    await pushBlob(context, 'app', 'first');
    expect((await reader.read()).blobBytes).toBe(5);
    await pushBlob(context, 'app', 'second!');
    const deadline = Date.now() + 15_000;
    while ((await reader.read()).blobBytes !== 12) {
      if (Date.now() > deadline) throw new Error(`still the old sums on ${kind}`);
      await Bun.sleep(20);
    }
  });

  test('asked for by many at once are added up once', async () => {
    const { context } = await open();
    await pushBlob(context, 'app', 'alone');
    const reader = new StorageReader(context);
    const figures = await Promise.all(Array.from({ length: 10 }, () => reader.read()));
    expect(new Set(figures.map(({ summedAt }) => summedAt)).size).toBe(1);
  });
});
