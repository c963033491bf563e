import { DOCS_POLICY, docsPage } from './docs-page.ts';
import { type OpenApi, openApi } from './openapi.ts';
import type { ApiRoute } from './route.ts';

/** What the API says of itself. `routes` is asked when it is read: these two are among them. */
export function descriptionRoutes(routes: () => readonly ApiRoute[]): readonly ApiRoute[] {
  let document: OpenApi | undefined;
  let page: string | undefined;
  const read = () => {
    document ??= openApi(routes());
    return document;
  };
  return [
    {
      method: 'GET',
      path: '/api/openapi.json',
      access: 'none',
      summary: 'This API as OpenAPI 3.1',
      chapter: 'instance',
      handler: async () => Response.json(read(), { headers: { 'Cache-Control': 'no-cache' } }),
    },
    {
      method: 'GET',
      path: '/api/docs',
      access: 'none',
      summary: 'This API to read',
      chapter: 'instance',
      async handler() {
        page ??= docsPage(read());
        return new Response(page, {
          headers: {
            'Content-Type': 'text/html; charset=utf-8',
            'Content-Security-Policy': DOCS_POLICY,
            'Cache-Control': 'no-cache',
          },
        });
      },
    },
  ];
}
