import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { onEachDatabase } from '../database/test-databases.ts';
import type { Digest } from '../oci/digest.ts';
import { namespaceOf, parseRepositoryName, type RepositoryName } from '../oci/names.ts';
import { type CatalogPage, listRepositories, type ReadableRepositories } from './catalog.ts';
import { named, openTestRegistry, type TestRegistry } from './testing.ts';

interface Seeded {
  id: number;
  name: RepositoryName;
  public: boolean;
  description: string;
  filled: boolean;
}

/** Namespaces whose names sort around "/", one inside the range of another's beginning, and one that nobody has. */
const OWNED = ['a', 'a-b', 'a.b', 'a_b', 'a0', 'b', 'zz'];
const UNOWNED = ['aa', 'free', 'zzz'];
const LAST_NAMES = ['app', 'app-2', 'lib', 'x/y', 'zoo'];

onEachDatabase('the catalog by who asks', (newPlace) => {
  let registry: TestRegistry;
  let all: Seeded[];
  const list = (readable: ReadableRepositories, page: CatalogPage) =>
    listRepositories(registry.context, readable, page);

  beforeAll(async () => {
    registry = await openTestRegistry(await newPlace());
    for (const name of OWNED) await addNamespace(registry, name);
    const names = [
      ...[...OWNED, ...UNOWNED].flatMap((namespace) => LAST_NAMES.map((last) => `${namespace}/${last}`)),
      ...['a', 'a0', 'root', 'zz', 'zzzz'],
    ];
    all = [];
    for (const [i, name] of names.entries()) {
      all.push(
        await addRepository(registry, name, {
          public: i % 3 === 0,
          filled: i % 4 !== 1,
          description: i % 5 === 0 ? 'The Gateway of 100%' : '',
        }),
      );
    }
    all.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  });
  afterAll(() => registry?.remove());

  const everyone: ReadableRepositories = {
    kind: 'some',
    public: true,
    namespaces: [],
    repositories: [],
    unowned: false,
  };
  const idOf = (name: string) => all.find((one) => one.name === name)?.id ?? -1;

  /** What a page is, by looking at every repository. */
  const expected = (readable: ReadableRepositories, page: CatalogPage): RepositoryName[] =>
    all
      .filter(({ id, name, ...one }) => {
        const mine =
          readable.kind === 'all' ||
          (readable.public && one.public) ||
          readable.namespaces.includes(namespaceOf(name)) ||
          readable.repositories.includes(id) ||
          (readable.unowned && !OWNED.includes(namespaceOf(name)));
        const text = page.text?.toLowerCase() ?? '';
        return (
          mine &&
          name > (page.last ?? '') &&
          (page.filled !== true || one.filled) &&
          (page.namespace === undefined || namespaceOf(name) === page.namespace) &&
          (page.visibility === undefined || (page.visibility === 'public') === one.public) &&
          (name.includes(text) || one.description.toLowerCase().includes(text))
        );
      })
      .map((one) => one.name);

  const readables = fc.oneof(
    { weight: 1, arbitrary: fc.constant<ReadableRepositories>({ kind: 'all' }) },
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('some' as const),
        public: fc.boolean(),
        namespaces: fc.subarray(OWNED),
        repositories: fc.uniqueArray(fc.nat({ max: 60 }), { maxLength: 8 }),
        unowned: fc.boolean(),
      }),
    },
  );
  const pages = fc.record({
    last: fc.option(
      fc.oneof(
        fc.constantFrom('', '!', '!1/a', '/', 'a', 'a/', 'a/app', 'a/zoo', 'a0', 'a-', 'b/no-such', 'zzzz', '~', 'é'),
        fc.constantFrom(...OWNED.flatMap((namespace) => LAST_NAMES.map((last) => `${namespace}/${last}`))),
      ),
      { nil: undefined },
    ),
    limit: fc.constantFrom(0, 1, 2, 5, 100),
    filled: fc.boolean(),
    namespace: fc.option(fc.constantFrom(...OWNED, ...UNOWNED, 'nobody'), { nil: undefined }),
    visibility: fc.option(fc.constantFrom('public' as const, 'private' as const), { nil: undefined }),
    text: fc.option(fc.constantFrom('', 'app', 'GATEWAY', '100%', '_', 'x/', "'"), { nil: undefined }),
  });

  test('is for each exactly what it may read, in byte order, filtered, each once', async () => {
    await fc.assert(
      fc.asyncProperty(readables, pages, async (readable, page) => {
        const whole = expected(readable, page);
        const found = await list(readable, page);
        expect(found.repositories).toEqual(whole.slice(0, page.limit));
        expect(found.more).toBe(whole.length > page.limit);
      }),
      { numRuns: 400 },
    );
  });

  test('comes in pages that together are the whole', async () => {
    await fc.assert(
      fc.asyncProperty(readables, fc.integer({ min: 1, max: 7 }), async (readable, limit) => {
        const paged: RepositoryName[] = [];
        for (let last: string | undefined, more = true; more; last = paged.at(-1)) {
          const page: Awaited<ReturnType<typeof list>> = await list(readable, { last, limit });
          paged.push(...page.repositories);
          ({ more } = page);
        }
        expect(paged).toEqual(expected(readable, { limit: 1_000 }));
      }),
      { numRuns: 60 },
    );
  });

  test('of somebody with more namespaces and repositories than one statement takes is whole too', async () => {
    const namespaces = [...OWNED, ...Array.from({ length: 2_000 }, (_, i) => `none-${i}`)];
    const repositories = Array.from({ length: 40_000 }, (_, i) => i + 1);
    const readable: ReadableRepositories = { ...everyone, namespaces, repositories };
    expect((await list(readable, { limit: 1_000 })).repositories).toEqual(expected(readable, { limit: 1_000 }));
    expect((await list({ ...everyone, namespaces }, { limit: 3, last: 'a_b/lib' })).repositories).toEqual(
      expected({ ...everyone, namespaces }, { limit: 3, last: 'a_b/lib' }).slice(0, 3),
    );
  });

  describe('and private repositories beside it', () => {
    let beside: TestRegistry;
    const hidden = ['a/hidden', 'aaa/hidden', 'b/hidden', 'zz/hidden'];
    const open = ['a/open', 'b/open', 'free/open', 'root'];
    beforeAll(async () => {
      beside = await openTestRegistry(await newPlace());
      for (const name of ['a', 'aaa', 'b', 'zz']) await addNamespace(beside, name);
      for (const name of open) await addRepository(beside, name, { public: true });
    });
    afterAll(() => beside?.remove());

    test('is the same whether they are there or not, from every cursor', async () => {
      const readings: ReadableRepositories[] = [
        everyone,
        { ...everyone, unowned: true },
        { ...everyone, namespaces: ['other'] },
        { ...everyone, repositories: [1] },
      ];
      const cursors = [undefined, ...[...open, ...hidden].flatMap((name) => [name, `${name}-`, name.slice(0, -1)])];
      const answers = async () => {
        const found: unknown[] = [];
        for (const readable of readings) {
          for (const last of cursors) {
            for (const limit of [1, 2, 100]) {
              found.push(await listRepositories(beside.context, readable, { last, limit }));
              found.push(await listRepositories(beside.context, readable, { last, limit, namespace: 'a' }));
              found.push(await listRepositories(beside.context, readable, { last, limit, text: 'hidden' }));
              found.push(await listRepositories(beside.context, readable, { last, limit, visibility: 'private' }));
            }
          }
        }
        return found;
      };
      const before = await answers();
      for (const name of hidden) await addRepository(beside, name, {});
      expect(await answers()).toEqual(before);
      const owner = await listRepositories(beside.context, { ...everyone, namespaces: ['aaa'] }, { limit: 100 });
      expect(owner.repositories.map(String)).toContain('aaa/hidden');
    });
  });

  test('never shows what is deleted and not yet removed', async () => {
    const { context } = registry;
    const gone = await addRepository(registry, 'a/gone', {});
    await context.database.transaction((tx) =>
      tx
        .updateTable('repositories')
        .set({ name: `!${gone.id}/a/gone` as RepositoryName })
        .where('id', '=', gone.id)
        .execute(),
    );
    const readings: ReadableRepositories[] = [
      { kind: 'all' },
      { ...everyone, unowned: true },
      { ...everyone, repositories: [gone.id, idOf('a/app')] },
    ];
    for (const readable of readings) {
      for (const last of [undefined, '', ' ', '!']) {
        const { repositories } = await list(readable, { last, limit: 1_000 });
        expect(repositories).toEqual(expected(readable, { limit: 1_000 }));
      }
    }
  });
});

async function addNamespace({ context }: TestRegistry, name: string): Promise<void> {
  await context.database.transaction((tx) =>
    tx
      .insertInto('namespaces')
      .values({ name, kind: 'organization', user_id: null, display_name: '', description: '', created_at: 1 })
      .execute(),
  );
}

async function addRepository(
  { context }: TestRegistry,
  text: string,
  options: { public?: boolean; filled?: boolean; description?: string },
): Promise<Seeded> {
  const name = parseRepositoryName(text);
  const { public: open = false, filled = true, description = '' } = options;
  const id = await context.database.transaction(async (tx) => {
    const row = await tx
      .insertInto('repositories')
      .values({
        name,
        created_at: 1,
        immutable_tags: null,
        visibility: open ? 'public' : 'private',
        description,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    if (!filled) return row.id;
    await tx
      .insertInto('manifests')
      .values({
        repository_id: row.id,
        digest: `sha256:${'0'.repeat(64)}` as Digest,
        media_type: 'application/vnd.oci.image.manifest.v1+json',
        artifact_type: null,
        subject: null,
        annotations: null,
        size: 2,
        content: new Uint8Array([123, 125]),
        pushed_at: 1,
        pushed_by: 'alice',
        protected_until: 0,
      })
      .execute();
    return row.id;
  });
  return { id, name: named(text), public: open, description, filled };
}
