import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'kysely';
import { onEachDatabase } from '../../database/test-databases.ts';
import type { Digest } from '../../oci/digest.ts';
import type { RegistryContext } from '../context.ts';
import { getRepository, setImmutableTags } from '../repositories.ts';
import { ACTOR, codeOf, DAY, HOUR, named, openTestRegistry, pushImage, type TestRegistry } from '../testing.ts';
import { setRetention } from './policies.ts';
import type { RetentionPolicy } from './policy.ts';
import { previewRetention } from './preview.ts';

const LAST: RetentionPolicy = { rules: [{ match: ['ci-*'], keepLast: 2 }] };
const MANY = 50_000;

onEachDatabase('the preview of a retention policy', (newPlace, kind) => {
  let registry: TestRegistry;
  let context: RegistryContext;
  let used: Digest | undefined;
  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace());
    context = {
      ...registry.context,
      usersOf: async (_rows, digest) => (digest === used ? ['deployment v3 of acme/shop@test (current)'] : []),
      digestsInUse: async () => new Set(used === undefined ? [] : [used]),
    };
    for (const tag of ['ci-1', 'main', 'ci-2', 'ci-3', 'ci-4', 'ci-5']) {
      const { digest } = await pushImage(context, 'acme/app', tag, tag);
      if (tag === 'ci-2') used = digest;
      registry.advance(HOUR);
    }
    await setImmutableTags(context, named('acme/app'), ['ci-1'], ACTOR);
  });
  afterAll(() => registry?.remove());

  test('says of each tag what would happen, and why; changes nothing', async () => {
    const preview = await previewRetention(context, named('acme/app'), LAST, { limit: 10 });
    expect(preview.tags.map(({ tag, keep, why }) => [tag, keep, why])).toEqual([
      ['ci-5', true, 'kept by rule 1: among the last 2 of ci-*'],
      ['ci-4', true, 'kept by rule 1: among the last 2 of ci-*'],
      ['ci-3', false, 'removed: rule 1 is about ci-*: not among the last 2'],
      ['ci-2', true, 'kept: deployment v3 of acme/shop@test (current)'],
      ['main', true, 'kept: no rule is about it'],
      ['ci-1', true, 'kept: immutable'],
    ]);
    expect(preview.counts).toEqual({ tags: 6, removed: 1, kept: 5, immutable: 1, inUse: 1 });
    expect(preview.next).toBeNull();
    expect(await previewRetention(context, named('acme/app'), LAST, { limit: 10 })).toEqual(preview);
  });

  test('is of the policy that holds, unless one is given; without either it is refused', async () => {
    const preview = (policy?: RetentionPolicy) => previewRetention(context, named('acme/app'), policy, { limit: 1 });
    expect(await codeOf(preview())).toBe('NOT_FOUND');
    await setRetention(context, { kind: 'repository', name: named('acme/app') }, LAST, ACTOR);
    expect((await preview()).counts.removed).toBe(1);
    expect((await preview({ rules: [{ match: ['*'], keepLast: 1 }] })).counts.removed).toBe(3);
    expect(await codeOf(previewRetention(context, named('acme/none'), LAST, { limit: 1 }))).toBe('NAME_UNKNOWN');
  });

  test('comes in pages, of what stays or what goes alone if one likes', async () => {
    const names = async (decision: 'keep' | 'remove' | undefined) => {
      const found: string[] = [];
      let last: string | undefined;
      do {
        const page = await previewRetention(context, named('acme/app'), LAST, { limit: 2, last, decision });
        expect(page.counts.tags).toBe(6);
        found.push(page.tags.map(({ tag }) => tag).join(' '));
        last = page.next ?? undefined;
      } while (last !== undefined);
      return found;
    };
    expect(await names(undefined)).toEqual(['ci-5 ci-4', 'ci-3 ci-2', 'main ci-1']);
    expect(await names('keep')).toEqual(['ci-5 ci-4', 'ci-2 main', 'ci-1']);
    expect(await names('remove')).toEqual(['ci-3']);
    const wrong = previewRetention(context, named('acme/app'), LAST, { limit: 2, last: 'x' });
    expect(await codeOf(wrong)).toBe('PAGINATION_NUMBER_INVALID');
  });

  test(`of ${MANY} tags looks at all of them, in many small pieces between which others have their turn`, async () => {
    const { digest } = await pushImage(context, 'acme/many', 'one', 'main');
    const { id } = await getRepository(context, named('acme/many'));
    const numbers =
      kind === 'sqlite'
        ? sql`(with recursive n(i) as (select 1 union all select i + 1 from n where i < ${MANY}) select i from n)`
        : sql`(select generate_series(1, ${MANY}::int) i)`;
    const at = context.now() - 100 * DAY;
    await context.database.transaction((tx) =>
      sql`insert into tags (repository_id, name, digest, updated_at)
        select cast(${id} as bigint), 'ci-' || n.i, cast(${digest} as text), cast(${at} as bigint) + n.i / 3
        from ${numbers} as n`.execute(tx),
    );
    let turns = 0;
    const counting = setInterval(() => turns++, 0);
    const policy: RetentionPolicy = {
      rules: [
        { match: ['*-1*', 'ci-*', '*x*y*z*'], keepLast: 10 },
        { match: ['ci-4*'], pulledWithin: '30d' },
      ],
    };
    const preview = await previewRetention(context, named('acme/many'), policy, { limit: 3 });
    clearInterval(counting);
    expect(preview.counts).toEqual({ tags: MANY + 1, removed: MANY - 10, kept: 11, immutable: 0, inUse: 0 });
    expect(preview.tags.map(({ tag }) => String(tag))).toEqual(['main', 'ci-50000', 'ci-49999']);
    expect(turns).toBeGreaterThan(50);
  });
});
