import { afterAll, beforeAll, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { mountBlob } from './blobs.ts';
import { deleteTag } from './tags.ts';
import {
  ACTOR,
  bytesOf,
  collect,
  DAY,
  imageOf,
  indexOf,
  named,
  openTestRegistry,
  pushBlob,
  pushImage,
  pushManifest,
  type TestRegistry,
  tagged,
} from './testing.ts';
import { why } from './why.ts';

onEachDatabase('why', (newPlace) => {
  let registry: TestRegistry;
  let image: Awaited<ReturnType<typeof pushImage>>;
  let index: Digest;
  let referrer: Digest;
  let moved: Awaited<ReturnType<typeof pushImage>>;
  let dead: Awaited<ReturnType<typeof pushImage>>;
  let fresh: Digest;
  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace());
    const { context, advance } = registry;
    image = await pushImage(context, 'app', 'image');
    index = await pushManifest(context, 'app', indexOf([image.digest]), 'v1');
    referrer = await pushManifest(context, 'app', imageOf({ config: image.config, subject: index }));
    await mountBlob(context, named('copy'), image.layer, named('app'), ACTOR);
    await pushManifest(context, 'copy', imageOf({ config: image.layer }), 'latest');
    moved = await pushImage(context, 'moved', 'one', 'latest');
    dead = await pushImage(context, 'dead', 'dead', 'latest');
    await deleteTag(context, named('dead'), tagged('latest'), {}, ACTOR);
    advance(3 * DAY);
    await pushImage(context, 'moved', 'two', 'latest');
    fresh = await pushBlob(context, 'app', 'fresh');
  });
  afterAll(() => registry?.remove());
  const ask = (digest: Digest) => why(registry.context, digest);

  test('names the tag, and the way from it to the digest', async () => {
    expect(await ask(index)).toMatchObject({
      kind: 'manifest',
      reasons: [{ repository: 'app', root: 'tag v1', path: [index] }],
    });
    expect((await ask(image.digest)).reasons).toEqual([
      { repository: 'app', root: 'tag v1', path: [index, image.digest] },
    ]);
    expect((await ask(referrer)).reasons).toEqual([{ repository: 'app', root: 'tag v1', path: [index, referrer] }]);
  });

  test('of a blob names each repository that keeps it', async () => {
    const found = await ask(image.layer);
    expect(found).toMatchObject({ kind: 'blob', size: 'layer of image'.length });
    expect(found.reasons.map((reason) => reason.repository).sort()).toEqual(['app', 'copy']);
    const [own] = found.reasons.filter((reason) => reason.repository === 'app');
    expect(own).toEqual({ repository: 'app', root: 'tag v1', path: [index, image.digest, image.layer] });
  });

  test('names the history of a tag', async () => {
    expect((await ask(moved.digest)).reasons).toEqual([
      { repository: 'moved', root: 'history of latest', path: [moved.digest] },
    ]);
  });

  test('names the grace window and its end', async () => {
    const [reason] = (await ask(fresh)).reasons;
    expect(reason?.root).toMatch(/^grace window until \d{4}-\d\d-\d\dT/);
    expect(reason?.path).toEqual([fresh]);
  });

  test('names what is in use', async () => {
    const context = { ...registry.context, digestsInUse: async () => new Set([dead.digest]) };
    expect((await why(context, dead.layer)).reasons).toEqual([
      { repository: 'dead', root: 'in use', path: [dead.digest, dead.layer] },
    ]);
  });

  test('has no reason for what the next collection takes, and does not know what is not there', async () => {
    for (const digest of [dead.digest, dead.config, dead.layer]) {
      expect((await ask(digest)).kind).toBeDefined();
      expect((await ask(digest)).reasons).toEqual([]);
    }
    expect(await ask(digestOf(bytesOf('never pushed')))).toEqual({
      digest: digestOf(bytesOf('never pushed')),
      kind: undefined,
      size: undefined,
      reasons: [],
    });
  });

  // Last: it collects.
  test('agrees with garbage collection on every digest', async () => {
    const { read } = registry.context.database;
    const manifests = await read.selectFrom('manifests').select('digest').execute();
    const blobs = await read.selectFrom('blobs').select('digest').execute();
    const kept = new Set<Digest>();
    for (const { digest } of [...manifests, ...blobs]) if ((await ask(digest)).reasons.length > 0) kept.add(digest);
    const { items } = await collect(registry.context);
    const gone = new Set(items.flatMap(({ kind, digest }) => (kind === 'link' || !digest ? [] : [digest])));
    expect(gone.size).toBe(3);
    for (const { digest } of [...manifests, ...blobs]) expect(gone.has(digest)).toBe(!kept.has(digest));
  });
});
