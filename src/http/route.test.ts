import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { byPath, compilePath, decoded, pathOf, queryOf } from './route.ts';
import { V2_ROUTES } from './v2/routes.ts';

const table = [...byPath(V2_ROUTES).keys()].map((path) => ({ path, ...compilePath(path) }));
/** What the matcher of `dispatch.ts` finds: the first path that fits, with its parameters. */
const match = (path: string) => {
  for (const entry of table) {
    const found = entry.pattern.exec(path);
    if (found === null) continue;
    return {
      path: entry.path,
      params: Object.fromEntries(entry.names.map((name, i) => [name, decoded(found[i + 1])])),
    };
  }
  return undefined;
};

describe('the paths of /v2/', () => {
  // Names that hold the very words that stand behind a name.
  const name = fc
    .array(fc.constantFrom('a', 'library', 'manifests', 'blobs', 'uploads', 'tags', 'list', 'referrers', 'v2'), {
      minLength: 1,
      maxLength: 5,
    })
    .map((words) => words.join('/'));
  const values: Record<string, string> = {
    reference: 'v1.0',
    digest: `sha256:${'0'.repeat(64)}`,
    upload: '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b',
    tag: 'latest',
  };

  test('are each found again for any repository name', () => {
    fc.assert(
      fc.property(
        name,
        fc.constantFrom(...table.filter((entry) => entry.names.includes('name'))),
        (repository, entry) => {
          const params = Object.fromEntries(
            entry.names.map((key) => [key, key === 'name' ? repository : (values[key] ?? '')]),
          );
          const path = entry.path.replaceAll('{.+}', '').replace(/:(\w+)/g, (_, key: string) => params[key] ?? '');
          expect(match(path)).toEqual({ path: entry.path, params });
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('give back encoded characters as they were meant', () => {
    const digest = values.digest ?? '';
    expect(match(`/v2/a/blobs/${encodeURIComponent(digest)}`)?.params).toEqual({ name: 'a', digest });
    expect(match('/v2/a%2Fb/tags/list')?.params).toEqual({ name: 'a/b' });
    expect(match('/v2/a/manifests/%zz')?.params).toEqual({ name: 'a', reference: '%zz' });
  });

  test.each([
    '/v1/',
    '/v2/a',
    '/v2/a/tags',
    '/v2/a/manifests/',
    '/v2//manifests/',
    '/v2/a/blobs/',
    '/v2/a/tags/list/',
    '/v2/a/manifests/b/c',
  ])('have no %s', (path) => {
    expect(match(path)).toBeUndefined();
  });

  test('are matched in time in proportion to their length', () => {
    const started = performance.now();
    for (const word of ['/manifests', '/blobs/uploads', '/a']) match(`/v2${word.repeat(20_000)}/`);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  test('and methods are together one route each', () => {
    const keys = V2_ROUTES.map(({ method, path }) => `${method} ${path}`);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe('a URL', () => {
  test('comes apart into its path and query as the platform’s own parser has them', () => {
    const part = fc.string({ unit: fc.constantFrom(...'ab/%2F.:@~-_=&+'), maxLength: 12 });
    fc.assert(
      fc.property(part, fc.option(part), (path, query) => {
        // As Bun gives it to a handler: whole and without a fragment.
        const { url } = new Request(`http://host:5000/${path}${query === null ? '' : `?${query}`}`);
        const parsed = new URL(url);
        expect(pathOf(url)).toBe(parsed.pathname);
        expect(`?${queryOf(url)}`).toBe(parsed.search === '' ? '?' : parsed.search);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('decoding', () => {
  test('undoes percent-encoding, and leaves what is malformed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(decoded(encodeURIComponent(text))).toBe(text);
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => void decoded(text)));
    expect([decoded('%'), decoded('%e2%28'), decoded(undefined)]).toEqual(['%', '%e2%28', undefined]);
  });
});
