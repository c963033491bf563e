import { Database as BunSqlite } from 'bun:sqlite';
import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { sql } from 'kysely';
import { type DatabasePlace, onEachDatabase } from '../database/test-databases.ts';
import { type Digest, digestAlgorithm, digestHex, digestOf } from '../oci/digest.ts';
import {
  bytesOf,
  collect,
  DAY,
  HOUR,
  openTestRegistry,
  pushBlob,
  pushImage,
  removing,
  type TestRegistry,
} from './testing.ts';
import { verify } from './verify.ts';

onEachDatabase('verify', (newPlace, kind) => {
  let place: DatabasePlace;
  let registry: TestRegistry;
  let image: Awaited<ReturnType<typeof pushImage>>;
  beforeAll(async () => {
    place = await newPlace();
    registry = await openTestRegistry(place);
  });
  afterAll(() => registry?.remove());
  const fileOf = (digest: Digest) =>
    `${registry.root}/blobs/${digestAlgorithm(digest)}/${digestHex(digest).slice(0, 2)}/${digestHex(digest)}`;
  let number = 0;
  // Each test damages an image of its own, and mends it.
  beforeEach(async () => {
    image = await pushImage(registry.context, 'app', `verify ${number++}`, 'latest');
  });
  const faults = async () => (await verify(registry.context)).faults;
  const damaged = async (change: () => unknown, mend: () => unknown) => {
    await change();
    try {
      return await faults();
    } finally {
      await mend();
      expect(await faults()).toEqual([]);
    }
  };
  /** Rows that no client could make, as a damaged disk does: without the foreign keys. */
  const sqlWithoutRules = async (statement: string) => {
    if (kind === 'sqlite') {
      const raw = new BunSqlite(place.address);
      raw.run('PRAGMA foreign_keys = OFF');
      raw.run(statement);
      raw.close();
      return;
    }
    await registry.context.database.transaction(async (tx) => {
      await sql`set local session_replication_role = replica`.execute(tx);
      await sql.raw(statement).execute(tx);
    });
  };

  test('finds nothing wrong in what was pushed, and says how much it read', async () => {
    const own = await openTestRegistry(await newPlace());
    try {
      await pushImage(own.context, 'app', 'one', 'latest');
      await pushImage(own.context, 'other/app', 'two', 'latest');
      const result = await verify(own.context);
      const bytes = ['config of one', 'layer of one', 'config of two', 'layer of two'].join('').length;
      expect(result).toEqual({ blobs: 4, bytes, manifests: 2, references: 4, tags: 2, orphans: 0, faults: [] });
    } finally {
      own.remove();
    }
  });

  test('reports its progress up to the whole', async () => {
    const seen: [number, number][] = [];
    const { bytes } = await verify(registry.context, (done, total) => seen.push([done, total]));
    expect(seen.at(-1)).toEqual([bytes, bytes]);
    expect(seen.map(([done]) => done)).toEqual(seen.map(([done]) => done).sort((a, b) => a - b));
  });

  test('finds a flipped bit', async () => {
    const path = fileOf(image.layer);
    const bytes = readFileSync(path);
    const flipped = Buffer.from(bytes);
    flipped[3] = (flipped[3] ?? 0) ^ 1;
    const found = await damaged(
      () => writeFileSync(path, flipped),
      () => writeFileSync(path, bytes),
    );
    expect(found).toMatchObject([{ kind: 'blob-damaged', digest: image.layer }]);
    expect(found[0]?.detail).toContain(digestOf(flipped));
  });

  test('finds bytes that are missing', async () => {
    const bytes = readFileSync(fileOf(image.config));
    const found = await damaged(
      () => rmSync(fileOf(image.config)),
      () => writeFileSync(fileOf(image.config), bytes),
    );
    expect(found).toMatchObject([{ kind: 'blob-missing', digest: image.config }]);
  });

  test.each(['cut short', 'too long'])('finds a blob that is %s', async (how) => {
    const bytes = readFileSync(fileOf(image.layer));
    const wrong = how === 'cut short' ? bytes.subarray(0, 2) : Buffer.concat([bytes, bytesOf('more')]);
    const found = await damaged(
      () => writeFileSync(fileOf(image.layer), wrong),
      () => writeFileSync(fileOf(image.layer), bytes),
    );
    expect(found).toMatchObject([{ kind: 'blob-size', digest: image.layer }]);
    expect(found[0]?.detail).toContain(`${wrong.byteLength} bytes instead of ${bytes.byteLength}`);
  });

  test('finds a manifest whose bytes are not its digest’s', async () => {
    const { database } = registry.context;
    const row = await database.read
      .selectFrom('manifests')
      .select('content')
      .where('digest', '=', image.digest)
      .executeTakeFirstOrThrow();
    const set = (content: Uint8Array) =>
      database.transaction((tx) =>
        tx.updateTable('manifests').set({ content }).where('digest', '=', image.digest).execute(),
      );
    const found = await damaged(
      () => set(bytesOf('{}')),
      () => set(row.content),
    );
    expect(found).toMatchObject([{ kind: 'manifest-damaged', digest: image.digest, repository: 'app' }]);
  });

  test('finds nothing more once a damaged manifest or a lost blob was pushed again', async () => {
    const { context } = registry;
    const seed = `verify ${number - 1}`;
    await context.database.transaction((tx) =>
      tx
        .updateTable('manifests')
        .set({ content: bytesOf('{}') })
        .where('digest', '=', image.digest)
        .execute(),
    );
    const lost = await pushBlob(context, 'app', `lost by ${seed}`);
    rmSync(fileOf(lost));
    expect((await faults()).map((fault) => fault.kind).sort()).toEqual(['blob-missing', 'manifest-damaged']);
    await pushImage(context, 'app', seed, 'latest');
    await pushBlob(context, 'app', `lost by ${seed}`);
    expect(await faults()).toEqual([]);
  });

  test('finds a manifest that names what its repository does not have', async () => {
    const missing = digestOf(bytesOf('never there'));
    for (const target of ['layer', 'manifest']) {
      const found = await damaged(
        () =>
          sqlWithoutRules(
            `insert into manifest_references (repository_id, manifest, target, kind)
             select repository_id, digest, '${missing}', '${target}' from manifests where digest = '${image.digest}'`,
          ),
        () => sqlWithoutRules(`delete from manifest_references where target = '${missing}'`),
      );
      expect(found).toMatchObject([{ kind: 'reference-missing', digest: image.digest, repository: 'app' }]);
      expect(found[0]?.detail).toContain(missing);
    }
  });

  test('finds a tag that names nothing', async () => {
    const missing = digestOf(bytesOf('never there'));
    const found = await damaged(
      () =>
        sqlWithoutRules(
          `insert into tags (repository_id, name, digest, updated_at) select id, 'dangling', '${missing}', 0 from repositories where name = 'app'`,
        ),
      () => sqlWithoutRules(`delete from tags where name = 'dangling'`),
    );
    expect(found).toMatchObject([{ kind: 'tag-dangling', digest: missing, repository: 'app' }]);
    expect(found[0]?.detail).toContain('dangling');
  });

  test('finds every fault, not the first alone', async () => {
    const paths = [fileOf(image.layer), fileOf(image.config)];
    const bytes = paths.map((path) => readFileSync(path));
    const found = await damaged(
      () => paths.map((path) => rmSync(path)),
      () => paths.map((path, i) => writeFileSync(path, bytes[i] ?? '')),
    );
    expect(found.map((fault) => fault.digest).sort()).toEqual([image.layer, image.config].sort());
  });

  test('counts bytes without a row, and does not call them a fault', async () => {
    const writer = await registry.store.openUpload('an-orphan-upload', 0);
    await writer.write(bytesOf('orphan'));
    await writer.close();
    await registry.store.commitUpload('an-orphan-upload', digestOf(bytesOf('orphan')));
    expect(await verify(registry.context)).toMatchObject({ orphans: 1, faults: [] });
    await registry.store.remove(digestOf(bytesOf('orphan')));
  });

  test('does not call it a fault when a collection takes blobs away while it reads', async () => {
    const own = await openTestRegistry(await newPlace());
    try {
      const digests: Digest[] = [];
      for (let i = 0; i < 20; i++) digests.push(await pushBlob(own.context, 'app', `alone ${i}`));
      own.advance(DAY + HOUR);
      const slowly = removing(own.anotherProcess('collector'), () => Bun.sleep(2));
      const [, ...results] = await Promise.all([
        collect(slowly),
        ...Array.from({ length: 8 }, () => verify(own.context)),
      ]);
      expect(results.flatMap((result) => result.faults)).toEqual([]);
    } finally {
      own.remove();
    }
  });
});
