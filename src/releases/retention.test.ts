import { beforeEach, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import type { Digest } from '../oci/digest.ts';
import { getRepository } from '../registry/repositories.ts';
import { applyRetention } from '../registry/retention/apply.ts';
import { setRetention } from '../registry/retention/policies.ts';
import { previewRetention } from '../registry/retention/preview.ts';
import { listTags } from '../registry/tags.ts';
import { named, pulled } from '../registry/testing.ts';
import { ALICE, DAY, openTestReleases, type TestReleases, type TestTarget } from './testing.ts';

onEachDatabase('retention of what is deployed', (newPlace) => {
  let releases: TestReleases;
  let targets: TestTarget[];
  const web = named('alice/web');
  beforeEach(async () => {
    releases = await openTestReleases(await newPlace());
    await releases.shop();
    targets = await releases.environment('test');
    const policy = { rules: [{ match: ['*'], keepLast: 1 }], untagged: { after: '1h' } };
    await setRetention(releases.registry, { kind: 'repository', name: web }, policy, ALICE);
  });
  const apply = async () =>
    applyRetention(releases.registry, await getRepository(releases.registry, web), {
      dryRun: false,
      actor: ALICE,
      breathe: async () => {},
    });
  const tags = async (): Promise<string[]> => (await listTags(releases.registry, web, { limit: 100 })).tags;

  test('leaves the tags of what runs and of what it can be rolled back to, and says who needs them', async () => {
    const first = await releases.release('test', targets, 'a');
    const second = await releases.release('test', targets, 'b');
    await releases.push('alice/web', 'never deployed', 'loose');
    releases.advance(DAY);
    await releases.push('alice/web', 'the newest', 'newest');
    const { tags: previewed } = await previewRetention(releases.registry, web, undefined, { limit: 100 });
    const why = Object.fromEntries(previewed.map((tag) => [tag.tag, tag.why]));
    expect(why['tag-b']).toContain('target one of alice/shop@test runs it');
    expect(why['tag-a']).toContain('(can be rolled back to)');
    expect(why.loose).toBe('removed: rule 1 is about *: not among the last 1');
    await apply();
    const left = await tags();
    expect(left).not.toContain('loose');
    expect(left).toEqual(expect.arrayContaining(['newest', 'tag-a', 'tag-b', 'env-test', 'release-1', 'release-2']));
    const digests = [first, second].map(({ images }) => images.find(({ service }) => service === 'web')?.digest);
    for (const [i, tag] of ['tag-a', 'tag-b'].entries()) {
      expect(await pulled(releases.registry, 'alice/web', tag)).toBe(digests[i] as never);
    }
  });

  test('leaves a tag that was deployed since it was decided', async () => {
    const digest = await releases.push('alice/web', 'chosen', 'chosen');
    releases.advance(DAY);
    await releases.push('alice/web', 'the newest', 'newest');
    let deployed = false;
    // The survey sees nothing in use; between it and the removal somebody deploys.
    const digestsInUse = async () => {
      if (!deployed) await releases.deploy('test', { images: { web: digest } });
      deployed = true;
      return new Set<Digest>();
    };
    const { registry } = releases;
    await applyRetention({ ...registry, digestsInUse }, await getRepository(registry, web), {
      dryRun: false,
      actor: ALICE,
      breathe: async () => {},
    });
    expect(deployed).toBe(true);
    expect(await tags()).toContain('chosen');
  });
});
