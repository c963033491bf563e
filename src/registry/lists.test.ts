import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { onEachDatabase } from '../database/test-databases.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { MEDIA } from '../oci/media-types.ts';
import { matchesPattern } from '../oci/tag-pattern.ts';
import { listRepositories } from './catalog.ts';
import { deleteManifest } from './manifests.ts';
import { listReferrers } from './referrers.ts';
import { getRepository, isImmutable, setImmutableTags } from './repositories.ts';
import {
  ACTOR,
  bytesOf,
  codeOf,
  imageOf,
  indexOf,
  named,
  openTestRegistry,
  pushBlob,
  pushImage,
  pushManifest,
  type TestRegistry,
} from './testing.ts';
import { startUpload } from './uploads.ts';

onEachDatabase('lists', (newPlace) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace());
  });
  afterAll(() => registry?.remove());

  describe('referrers', () => {
    let subject: Digest;
    let signatures: Digest[];
    beforeAll(async () => {
      const { context } = registry;
      subject = (await pushImage(context, 'app', 'subject', 'latest')).digest;
      const config = await pushBlob(context, 'app', '{}');
      signatures = [];
      for (let i = 0; i < 5; i++) {
        const annotations = { number: String(i), 'ünïcode "key"': '\u2603' };
        signatures.push(
          await pushManifest(context, 'app', imageOf({ config, subject, artifactType: 'a/signature', annotations })),
        );
      }
      await pushManifest(context, 'app', imageOf({ config, subject, artifactType: 'an/sbom' }));
      // Its type is its config's media type.
      await pushManifest(context, 'app', imageOf({ config, subject }));
      await pushManifest(context, 'app', {
        ...indexOf([]),
        subject: { mediaType: MEDIA.ociManifest, digest: subject, size: 1 },
      });
    });
    const list = (page: Partial<Parameters<typeof listReferrers>[3]> = {}, of = subject, name = 'app') =>
      listReferrers(registry.context, named(name), of, { limit: 100, ...page });

    test('are every manifest with that subject, as descriptors with their own type and annotations', async () => {
      const { referrers, more } = await list();
      expect(more).toBe(false);
      expect(referrers).toHaveLength(8);
      const first = referrers.find((referrer) => referrer.digest === signatures[0]);
      expect(first).toMatchObject({
        mediaType: MEDIA.ociManifest,
        artifactType: 'a/signature',
        annotations: { number: '0', 'ünïcode "key"': '\u2603' },
      });
      expect(first?.size).toBeGreaterThan(100);
      const types = referrers.map((referrer) => referrer.artifactType);
      expect(types).toContain('application/vnd.oci.image.config.v1+json');
      expect(types).toContain(undefined);
    });

    test('are filtered by type, exactly', async () => {
      expect((await list({ artifactType: 'an/sbom' })).referrers).toHaveLength(1);
      expect((await list({ artifactType: 'an/%' })).referrers).toEqual([]);
    });

    test('come in pages that together are the whole, each once, also filtered', async () => {
      for (const artifactType of [undefined, 'a/signature']) {
        const whole = (await list({ artifactType })).referrers.map((referrer) => referrer.digest);
        const paged: Digest[] = [];
        for (let last: string | undefined, more = true; more; ) {
          const page: Awaited<ReturnType<typeof list>> = await list({ artifactType, last, limit: 2 });
          paged.push(...page.referrers.map((referrer) => referrer.digest));
          ({ more } = page);
          last = paged.at(-1);
        }
        expect(paged).toEqual(whole);
      }
    });

    test('of an unknown subject or repository are none', async () => {
      const unknown = digestOf(bytesOf('unknown'));
      expect(await list({}, unknown)).toEqual({ referrers: [], more: false });
      expect(await list({}, subject, 'other')).toEqual({ referrers: [], more: false });
    });

    test('are there before their subject, and while it is not', async () => {
      const { context } = registry;
      const config = await pushBlob(context, 'early', '{}');
      const later = imageOf({ config, annotations: { pushed: 'later' } });
      const digest = digestOf(bytesOf(JSON.stringify(later)));
      const referrer = await pushManifest(context, 'early', imageOf({ config, subject: digest }));
      expect((await list({}, digest, 'early')).referrers.map((each) => each.digest)).toEqual([referrer]);
      await pushManifest(context, 'early', later);
      await deleteManifest(context, named('early'), digest, ACTOR);
      expect((await list({}, digest, 'early')).referrers).toHaveLength(1);
    });

    test('fill a page of at most 4 MiB', async () => {
      const { context } = registry;
      const config = await pushBlob(context, 'large', '{}');
      const { digest } = await pushImage(context, 'large', 'subject', 'latest');
      for (let i = 0; i < 3; i++) {
        const annotations = { large: 'é'.repeat(1_000_000), number: String(i) };
        await pushManifest(context, 'large', imageOf({ config, subject: digest, annotations }));
      }
      const sizes: number[] = [];
      for (let last: string | undefined, more = true; more; ) {
        const page: Awaited<ReturnType<typeof list>> = await list({ last }, digest, 'large');
        expect(Buffer.byteLength(JSON.stringify(page.referrers))).toBeLessThan(4 * 1024 * 1024);
        sizes.push(page.referrers.length);
        ({ more } = page);
        last = page.referrers.at(-1)?.digest;
      }
      expect(sizes.reduce((a, b) => a + b)).toBe(3);
      expect(sizes.length).toBeGreaterThan(1);
    });
  });

  describe('the catalog', () => {
    let own: TestRegistry;
    const names = ['a', 'a-b', 'a.b', 'a/b', 'a_b', 'b'];
    beforeAll(async () => {
      own = await openTestRegistry(await newPlace());
      for (const name of names) await pushImage(own.context, name, 'one', 'latest');
    });
    afterAll(() => own?.remove());
    const list = (page: { last?: string; limit: number }) =>
      listRepositories(own.context, { kind: 'all' }, { ...page, filled: true });

    test('is in byte order on both databases', async () => {
      const { repositories, more } = await list({ limit: 100 });
      expect(repositories.map(String)).toEqual(
        [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
      );
      expect(more).toBe(false);
    });

    test('comes in pages, also from a name that is not there', async () => {
      const first = await list({ limit: 2 });
      expect(first).toEqual({ repositories: ['a', 'a-b'].map(named), more: true });
      expect((await list({ last: 'a-b', limit: 2 })).repositories).toEqual(['a.b', 'a/b'].map(named));
      expect((await list({ last: 'a-zzz', limit: 1 })).repositories).toEqual(['a.b'].map(named));
      expect(await list({ last: 'zzz', limit: 2 })).toEqual({ repositories: [], more: false });
      expect(await list({ last: 'a_b', limit: 1 })).toEqual({ repositories: ['b'].map(named), more: false });
      expect((await list({ limit: 0 })).repositories).toEqual([]);
    });

    test('has no repository without a manifest', async () => {
      await startUpload(own.context, named('empty'), ACTOR);
      await pushBlob(own.context, 'blobs-alone', 'x');
      const { digest } = await pushImage(own.context, 'emptied', 'one', 'latest');
      await deleteManifest(own.context, named('emptied'), digest, ACTOR);
      expect((await list({ limit: 100 })).repositories.map(String).sort()).toEqual([...names].sort());
    });
  });

  describe('immutable tags', () => {
    test('are patterns that are read back as they were set, and none when they are taken away', async () => {
      const { context } = registry;
      await pushImage(context, 'fixed', 'one', 'latest');
      expect((await getRepository(context, named('fixed'))).immutableTags).toEqual([]);
      await setImmutableTags(context, named('fixed'), ['v*', '1.?'], ACTOR);
      const repository = await getRepository(context, named('fixed'));
      expect(repository.immutableTags).toEqual(['v*', '1.?']);
      expect(['v1', 'v', '1.2'].map((tag) => isImmutable(repository, tag))).toEqual([true, true, true]);
      expect(['latest', '1.22', 'xv1'].map((tag) => isImmutable(repository, tag))).toEqual([false, false, false]);
      await setImmutableTags(context, named('fixed'), [], ACTOR);
      expect((await getRepository(context, named('fixed'))).immutableTags).toEqual([]);
      expect(await codeOf(setImmutableTags(context, named('no/such'), ['*'], ACTOR))).toBe('NAME_UNKNOWN');
    });
  });
});

describe('a pattern', () => {
  const letters = fc.array(fc.constantFrom('a', 'b', '.', '-'), { maxLength: 12 }).map((all) => all.join(''));
  const patterns = fc
    .array(fc.constantFrom('a', 'b', '.', '*', '?', '**'), { maxLength: 8 })
    .map((all) => all.join(''));

  test('covers what the same pattern covers as a regular expression', () => {
    fc.assert(
      fc.property(patterns, letters, (pattern, text) => {
        const oracle = new RegExp(
          `^${[...pattern].map((c) => (c === '*' ? '.*' : c === '?' ? '.' : c.replace('.', '\\.'))).join('')}$`,
        );
        expect(matchesPattern(pattern, text)).toBe(oracle.test(text));
      }),
      { numRuns: 3_000 },
    );
  });

  test('covers the text that it was made from', () => {
    fc.assert(
      fc.property(letters, fc.nat(), fc.nat(), (text, from, length) => {
        const start = from % (text.length + 1);
        const end = start + (length % (text.length - start + 1));
        expect(matchesPattern(`${text.slice(0, start)}*${text.slice(end)}`, text)).toBe(true);
      }),
    );
  });

  test('takes time in proportion, also when it cannot match', () => {
    const started = performance.now();
    expect(matchesPattern(`${'*a'.repeat(60)}b`, 'a'.repeat(128))).toBe(false);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
