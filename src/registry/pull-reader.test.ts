import { Database as BunSqlite } from 'bun:sqlite';
import { afterAll, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { parseReference } from '../oci/names.ts';
import { deleteBlob } from './blobs.ts';
import { deleteManifest } from './manifests.ts';
import { deleteTag } from './tags.ts';
import {
  ACTOR,
  named,
  nextTurn,
  openTestRegistry,
  pulled,
  pushBlob,
  pushImage,
  type TestRegistry,
  tagged,
} from './testing.ts';

onEachDatabase('reading for a pull', (newPlace, kind) => {
  const registries: TestRegistry[] = [];
  afterAll(() => {
    for (const registry of registries) registry.remove();
  });
  const open = async () => {
    const place = await newPlace();
    const registry = await openTestRegistry(place);
    registries.push(registry);
    return { ...registry, place };
  };
  const latest = parseReference('latest');

  test('a tag and a digest name the bytes that were pushed, with their media type', async () => {
    const { context } = await open();
    const { digest } = await pushImage(context, 'app', 'one', 'latest');
    for (const reference of [latest, parseReference(digest)]) {
      const found = await context.pull.manifest(named('app'), reference);
      expect(found?.digest).toBe(digest);
      expect(found?.mediaType).toBe('application/vnd.oci.image.manifest.v1+json');
      expect(JSON.parse(new TextDecoder().decode(found?.content)).schemaVersion).toBe(2);
    }
  });

  test('what is not there is undefined', async () => {
    const { context } = await open();
    const { digest, layer } = await pushImage(context, 'app', 'one', 'latest');
    expect(await context.pull.manifest(named('app'), parseReference('other'))).toBeUndefined();
    expect(await pulled(context, 'other', digest)).toBeUndefined();
    expect(await context.pull.blob(named('other'), layer)).toBeUndefined();
  });

  test('a tag is the new one at once after another process pushed', async () => {
    const { context, anotherProcess } = await open();
    const other = anotherProcess('p2');
    for (let round = 0; round < 20; round++) {
      const { digest } = await pushImage(other, 'app', `round ${round}`, 'latest');
      expect(await pulled(context, 'app', 'latest')).toBe(digest);
      expect(await pulled(context, 'app', 'latest')).toBe(digest);
    }
  });

  test('a tag, a manifest and a blob are gone at once after another process deleted them', async () => {
    const { context, anotherProcess } = await open();
    const other = anotherProcess('p2');
    const { digest } = await pushImage(context, 'app', 'one', 'latest');
    const blob = await pushBlob(context, 'app', 'alone');
    expect(await pulled(context, 'app', 'latest')).toBe(digest);
    expect((await context.pull.blob(named('app'), blob))?.size).toBe(5);
    await deleteTag(other, named('app'), tagged('latest'), {}, ACTOR);
    expect(await pulled(context, 'app', 'latest')).toBeUndefined();
    await deleteManifest(other, named('app'), digest, ACTOR);
    expect(await pulled(context, 'app', digest)).toBeUndefined();
    await deleteBlob(other, named('app'), blob, ACTOR);
    await nextTurn();
    expect(await context.pull.blob(named('app'), blob)).toBeUndefined();
  });

  test('what was not there is there at once after another process pushed it', async () => {
    const { context, anotherProcess } = await open();
    expect(await pulled(context, 'app', 'latest')).toBeUndefined();
    const { digest, layer } = await pushImage(anotherProcess('p2'), 'app', 'one', 'latest');
    expect(await pulled(context, 'app', 'latest')).toBe(digest);
    expect(await context.pull.blob(named('app'), layer)).toBeDefined();
  });

  describe.if(kind === 'sqlite')('with its cache', () => {
    test('a read that began before a commit does not leave its old answer for the reads after it', async () => {
      const { context, place } = await open();
      const one = await pushImage(context, 'app', 'one', 'latest');
      const two = await pushImage(context, 'app', 'two', 'second');
      const raw = new BunSqlite(place.address);
      try {
        await nextTurn();
        // A commit of another process between the query of a read and its end: both reads are begun before either goes on.
        const before = context.pull.manifest(named('app'), latest);
        raw.run("update tags set digest = ? where name = 'latest'", [two.digest]);
        const between = context.pull.manifest(named('app'), parseReference('second'));
        expect((await before)?.digest).toBe(one.digest);
        expect((await between)?.digest).toBe(two.digest);
        expect(await pulled(context, 'app', 'latest')).toBe(two.digest);
      } finally {
        raw.close();
      }
    });

    test('a blob read that began before a commit does not leave its old answer either', async () => {
      const { context, place } = await open();
      const { digest, layer } = await pushImage(context, 'app', 'one', 'latest');
      const blob = await pushBlob(context, 'app', 'alone');
      const raw = new BunSqlite(place.address);
      try {
        await nextTurn();
        const before = context.pull.blob(named('app'), blob);
        raw.run('delete from repository_blobs where digest = ?', [blob]);
        await Promise.all([before, context.pull.blob(named('app'), layer)]);
        await nextTurn();
        expect(await context.pull.blob(named('app'), blob)).toBeUndefined();
        expect(await pulled(context, 'app', 'latest')).toBe(digest);
      } finally {
        raw.close();
      }
    });
  });
});
