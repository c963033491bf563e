import { describe, expect, test } from 'bun:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { docsPage } from './docs-page.ts';
import { openApi } from './openapi.ts';
import { API_ROUTES } from './routes.ts';

const document = openApi(API_ROUTES);
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

describe('the description of the API', () => {
  test('is valid OpenAPI 3.1', async () => {
    const result = await new Validator().validate(JSON.parse(JSON.stringify(document)));
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
  });

  test('has every route of the table, each with a name of its own', () => {
    expect(operations).toHaveLength(API_ROUTES.length);
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(API_ROUTES.length);
  });

  test('names every parameter of a path', () => {
    for (const { path, operation } of operations) {
      const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
      expect(inPath.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? []);
    }
  });

  test('says what a page of a list looks like', () => {
    const { operation } = operations.find(({ path }) => path === '/api/v1/users') ?? {};
    expect(operation?.parameters?.map(({ name }) => name)).toEqual(['n', 'last']);
    const schema = JSON.stringify(operation?.responses['200']?.content);
    expect(schema).toContain('"next"');
    expect(schema).toContain('"username"');
  });

  test('can be read as a page that runs no script and loads nothing', () => {
    const page = docsPage(document);
    for (const { operation } of operations) expect(page).toContain(`id="${operation.operationId}"`);
    expect(page).not.toMatch(/<script|<img|<link|https?:\/\/(?!localhost)/i);
  });
});
