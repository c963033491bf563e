import { describe, expect, test } from 'bun:test';
import { resolve } from 'node:path';
import { allRoutes, fill, routeTable, stalePages, writtenRoutes } from '../../scripts/reference.ts';

describe('docs/reference', () => {
  test('says what the sources say', async () => {
    expect(await stalePages()).toEqual([]);
  });

  test('is checked by the script, which then ends with 0', () => {
    const { exitCode, stdout } = Bun.spawnSync([process.execPath, 'scripts/reference.ts', '--check'], {
      cwd: resolve(import.meta.dir, '../..'),
    });
    expect(String(stdout)).toBe('');
    expect(exitCode).toBe(0);
  });

  test('has every route that is written in src/http', () => {
    const known = allRoutes().map(({ method, path }) => `${method} ${path}`);
    expect(writtenRoutes().sort()).toEqual(known.sort());
    expect(known.length).toBeGreaterThan(25);
  });

  test('cannot leave out a route, or keep one that is gone', () => {
    const routes = allRoutes();
    expect(() => routeTable([...routes, { method: 'GET', path: '/new', access: 'none' }])).toThrow(/GET \/new/);
    expect(() => routeTable(routes.slice(1))).toThrow(/no route: GET \/v2/);
  });
});

describe('a generated part', () => {
  const page = 'before\n<!-- generated: a -->\nold\n<!-- end -->\nafter\n';

  test('is replaced, and nothing beside it', () => {
    expect(fill(page, { a: 'new' })).toBe('before\n<!-- generated: a -->\n\nnew\n\n<!-- end -->\nafter\n');
  });

  test('is not changed when it is filled in again', () => {
    const filled = fill(page, { a: 'new $1 $& text' });
    expect(fill(filled, { a: 'new $1 $& text' })).toBe(filled);
  });

  test('without marks, or marks without a part, are faults', () => {
    expect(() => fill('no marks', { a: 'new' })).toThrow(/no marks for a/);
    expect(() => fill(page, { a: 'new', b: 'new' })).toThrow(/no marks for b/);
    expect(() => fill(page.replace('generated: a', 'generated: c'), {})).toThrow(/no part is called c/);
  });
});
