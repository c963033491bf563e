import { afterAll, expect, test } from 'bun:test';
import { Random, seedOf } from '../../../tests/support/random.ts';
import { onEachDatabase } from '../../database/test-databases.ts';
import type { Digest } from '../../oci/digest.ts';
import { OciError } from '../../oci/errors.ts';
import { deleteBlob, mountBlob } from '../blobs.ts';
import { deleteManifest } from '../manifests.ts';
import { deleteTag, rollbackTag } from '../tags.ts';
import {
  ACTOR,
  collect,
  DAY,
  HOUR,
  imageOf,
  indexOf,
  inventory,
  named,
  nextTurn,
  openTestRegistry,
  pushBlob,
  pushManifest,
  type TestRegistry,
  tagged,
} from '../testing.ts';
import { startUpload } from '../uploads.ts';
import { verify } from '../verify.ts';

const REGISTRIES = 5;
const STEPS = 60;

onEachDatabase('garbage collection of a random registry', (newPlace, kind) => {
  const opened: TestRegistry[] = [];
  afterAll(() => {
    for (const registry of opened) registry.remove();
  });

  test('removes what a dry run said, keeps what is reached, leaves nothing wrong, and has nothing to do a second time', async () => {
    const random = new Random(seedOf(`garbage collection, ${kind}`));
    let removed = 0;
    let kept = 0;
    for (let i = 0; i < REGISTRIES; i++) {
      const registry = await openTestRegistry(await newPlace());
      opened.push(registry);
      await fillRandomly(registry, random);
      const before = await inventory(registry.context);
      const expected = await reached(registry);

      const dry = await collect(registry.context, { dryRun: true });
      expect(await inventory(registry.context)).toEqual(before);
      const real = await collect(registry.context);
      expect(lines(real.items)).toEqual(lines(dry.items));
      expect({ ...real.result, seconds: 0 }).toEqual({ ...dry.result, seconds: 0, dryRun: false });

      const after = await inventory(registry.context);
      expect(after).toEqual({ ...expected, files: expected.blobs });
      expect((await verify(registry.context)).faults).toEqual([]);
      expect((await collect(registry.context)).items).toEqual([]);
      removed += dry.items.length;
      kept += after.manifests.size;
    }
    // A registry in which nothing went, or nothing stayed, would have shown nothing.
    expect(removed).toBeGreaterThan(REGISTRIES);
    expect(kept).toBeGreaterThan(REGISTRIES);
  }, 60_000);
});

function lines(items: readonly object[]): string[] {
  return items.map((item) => JSON.stringify({ ...item, why: '' })).sort();
}

async function fillRandomly({ context, advance }: TestRegistry, random: Random): Promise<void> {
  const manifests: { name: string; digest: Digest }[] = [];
  const blobs: { name: string; digest: Digest }[] = [];
  const name = () => random.pick(['one', 'two/three']);
  const tag = () => random.pick(['a', 'b', 'c']);
  const maybeTag = () => (random.chance(0.4) ? tag() : undefined);
  const within = (place: string) => manifests.filter((manifest) => manifest.name === place);
  const blob = async (place: string) => {
    const digest = await pushBlob(context, place, `layer ${random.int(1, 8)}`);
    blobs.push({ name: place, digest });
    return digest;
  };
  const keep = async (place: string, document: Record<string, unknown>) => {
    manifests.push({ name: place, digest: await pushManifest(context, place, document, maybeTag()) });
  };
  const steps: (() => Promise<unknown>)[] = [
    async () => {
      const place = name();
      await keep(place, imageOf({ config: await blob(place), layers: [await blob(place)] }));
    },
    async () => {
      const place = name();
      const children = within(place).filter(() => random.chance(0.3));
      await keep(place, indexOf(children.map((child) => child.digest)));
    },
    async () => {
      const subject = random.pick(manifests);
      const config = await blob(subject.name);
      await keep(subject.name, imageOf({ config, subject: subject.digest, artifactType: `a/${random.int(1, 9)}` }));
    },
    async () => blob(name()),
    async () => {
      const { name: from, digest } = random.pick(blobs);
      await mountBlob(context, named(name()), digest, named(from), ACTOR);
    },
    async () => {
      const { name: place, digest } = random.pick(blobs);
      await deleteBlob(context, named(place), digest, ACTOR);
    },
    async () => {
      const { name: place, digest } = random.pick(manifests);
      await deleteManifest(context, named(place), digest, ACTOR);
    },
    () => deleteTag(context, named(name()), tagged(tag()), {}, ACTOR),
    () => rollbackTag(context, named(name()), tagged(tag()), { actor: ACTOR }),
    () => startUpload(context, named(name()), ACTOR),
    async () => advance(random.int(0, 12) * HOUR),
  ];
  for (let i = 0; i < STEPS; i++) {
    if (manifests.length === 0) await steps[0]?.();
    await nextTurn();
    try {
      await random.pick(steps)();
    } catch (error) {
      if (!(error instanceof OciError)) throw error;
    }
  }
  advance(random.pick([0, HOUR / 2, 2 * HOUR, 2 * DAY]));
}

/** What must stay, found in the plainest way: add what something kept keeps, until nothing is added. */
async function reached({ context }: TestRegistry): Promise<{ manifests: Set<Digest>; blobs: Set<Digest> }> {
  const { read } = context.database;
  const now = context.now();
  const manifests = await read.selectFrom('manifests').selectAll().execute();
  const references = await read.selectFrom('manifest_references').selectAll().execute();
  const tags = await read.selectFrom('tags').selectAll().execute();
  const history = await read
    .selectFrom('tag_history')
    .where('at', '>=', now - DAY)
    .selectAll()
    .execute();
  const key = (repository: number, digest: Digest | null) => `${repository} ${digest}`;
  const there = new Set(manifests.map((row) => key(row.repository_id, row.digest)));
  const kept = new Set<string>();
  const keep = (repository: number, digest: Digest | null) => {
    if (there.has(key(repository, digest))) kept.add(key(repository, digest));
  };
  for (const tag of tags) keep(tag.repository_id, tag.digest);
  for (const entry of history) for (const digest of [entry.digest, entry.previous]) keep(entry.repository_id, digest);
  for (const row of manifests) if (row.protected_until > now) keep(row.repository_id, row.digest);
  for (let size = -1; size !== kept.size; ) {
    size = kept.size;
    for (const row of references)
      if (kept.has(key(row.repository_id, row.manifest))) keep(row.repository_id, row.target);
    for (const row of manifests) if (kept.has(key(row.repository_id, row.subject))) keep(row.repository_id, row.digest);
  }
  const named = new Set(
    references
      .filter((row) => kept.has(key(row.repository_id, row.manifest)))
      .map((row) => key(row.repository_id, row.target)),
  );
  const links = await read.selectFrom('repository_blobs').selectAll().execute();
  const blobs = await read.selectFrom('blobs').selectAll().execute();
  return {
    manifests: new Set(
      manifests.filter((row) => kept.has(key(row.repository_id, row.digest))).map((row) => row.digest),
    ),
    blobs: new Set([
      ...links
        .filter((row) => row.protected_until > now || named.has(key(row.repository_id, row.digest)))
        .map((row) => row.digest),
      ...blobs.filter((row) => row.protected_until > now).map((row) => row.digest),
    ]),
  };
}
