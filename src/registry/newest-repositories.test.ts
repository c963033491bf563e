import { afterAll, beforeAll, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import type { RepositoryName } from '../oci/names.ts';
import { listRepositories, type ReadableRepositories } from './catalog.ts';
import { newestRepositories } from './newest-repositories.ts';
import { named, openTestRegistry, type TestRegistry } from './testing.ts';

const NAMES = ['a/app', 'a/lib', 'a-b/app', 'b/app', 'free/app', 'root', 'zz/app', 'zz/x/y'];

onEachDatabase('the newest repositories', (newPlace) => {
  let registry: TestRegistry;
  /** By name; those at one time are in the order of their names. */
  const updated = new Map<string, number>();
  const ids = new Map<string, number>();

  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace());
    await registry.context.database.transaction(async (tx) => {
      for (const name of ['a', 'a-b', 'b', 'zz']) {
        await tx
          .insertInto('namespaces')
          .values({ name, kind: 'organization', user_id: null, display_name: '', description: '', created_at: 1 })
          .execute();
      }
      for (const [i, text] of NAMES.entries()) {
        const { id } = await tx
          .insertInto('repositories')
          .values({
            name: named(text),
            created_at: 100 + (i % 3),
            immutable_tags: null,
            visibility: i % 2 === 0 ? 'public' : 'private',
            description: i === 3 ? 'The Gateway' : '',
          })
          .returning('id')
          .executeTakeFirstOrThrow();
        ids.set(text, id);
        updated.set(text, 100 + (i % 3));
        if (i % 4 !== 1) continue;
        for (const at of [900 + i, 500]) {
          await tx
            .insertInto('tag_history')
            .values({
              repository_id: id,
              tag: 'x' as never,
              digest: null,
              previous: null,
              action: 'push',
              actor: 'alice',
              source: '',
              at,
            })
            .execute();
        }
        updated.set(text, 900 + i);
      }
    });
  });
  afterAll(() => registry?.remove());

  const none = { kind: 'some', public: false, namespaces: [], repositories: [], unowned: false } as const;
  const readings = (): ReadableRepositories[] => [
    { kind: 'all' },
    none,
    { ...none, public: true },
    { ...none, unowned: true },
    { ...none, namespaces: ['a', 'zz'] },
    { ...none, repositories: [ids.get('a-b/app') ?? 0, ids.get('b/app') ?? 0] },
    { ...none, public: true, namespaces: ['b'], repositories: [ids.get('zz/x/y') ?? 0], unowned: true },
  ];
  const newestFirst = (names: readonly RepositoryName[]) =>
    names.toSorted((a, b) => (updated.get(b) ?? 0) - (updated.get(a) ?? 0) || (a < b ? -1 : 1));

  test('are those of the catalog for whoever asks, whose tags changed last first', async () => {
    for (const readable of readings()) {
      for (const filter of [
        {},
        { text: 'APP' },
        { text: 'gateway' },
        { namespace: 'a' },
        { visibility: 'private' },
      ] as const) {
        const byName = await listRepositories(registry.context, readable, { ...filter, limit: 100 });
        const newest = await newestRepositories(registry.context, readable, { ...filter, limit: 100 });
        expect(newest).toEqual({ repositories: newestFirst(byName.repositories), next: null });
      }
    }
  });

  test('come in pages that together are the whole, also where several changed at one time', async () => {
    for (const limit of [1, 2, 3]) {
      const paged: RepositoryName[] = [];
      let last: string | undefined;
      for (let page = 0; page < 20; page++) {
        const { repositories, next } = await newestRepositories(registry.context, { kind: 'all' }, { limit, last });
        paged.push(...repositories);
        if (next === null) break;
        last = next;
      }
      expect(paged).toEqual(newestFirst(NAMES.map(named)));
    }
  });

  test('begin at no cursor of another order', async () => {
    for (const last of ['a/app', '12', '12.', '12.A', "1.a' or 1=1"]) {
      await expect(newestRepositories(registry.context, { kind: 'all' }, { limit: 1, last })).rejects.toThrow(
        'not a cursor that this API gave',
      );
    }
  });
});
