import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';
import type { OpenApi, Operation } from './openapi.ts';

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; } h2 { margin: 2.5rem 0 .5rem; text-transform: capitalize; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
details { border-top: 1px solid color-mix(in srgb, currentColor 20%, transparent); padding: .5rem 0; }
summary { cursor: pointer; display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: baseline; }
summary code { overflow-wrap: anywhere; }
b.method { font: 600 .8rem ui-monospace, monospace; min-width: 4rem; }
small { opacity: .75; }
pre { overflow: auto; padding: .75rem; border-radius: .4rem; background: color-mix(in srgb, currentColor 8%, transparent); font-size: .85rem; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .15rem 1rem .15rem 0; vertical-align: top; }
`;

/** Allows its own style and nothing else. */
export const DOCS_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** `/api/docs`: the document for people to read, without a script. */
export function docsPage(document: OpenApi): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  const chapters = document.tags.map(({ name }) => ({
    name,
    entries: operations.filter(({ operation }) => operation.tags.includes(name)),
  }));
  return String(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Berth API</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<h1>Berth API <small>${document.info.version}</small></h1>
<p>${document.info.description} The same for programs: <a href="openapi.json">openapi.json</a>.</p>
<p>Identify yourself with <code>Authorization: Bearer berth_pat_…</code>, or with Basic: a username with its password or a token.</p>
<nav>${chapters.map(({ name }) => html`<a href="#${name}">${name}</a>`)}</nav>
<main>${chapters.map(
    ({ name, entries }) => html`
<h2 id="${name}">${name}</h2>${entries.map(entry)}`,
  )}
</main>
</body>
</html>
`);
}

function entry({ method, path, operation }: { method: string; path: string; operation: Operation }) {
  const parameters = operation.parameters ?? [];
  const answers = Object.entries(operation.responses).filter(([status]) => status !== 'default');
  return html`
<details id="${operation.operationId}">
<summary><b class="method">${method}</b> <code>${path}</code> <span>${operation.summary}</span></summary>
<p><small>Needs: ${operation['x-access'] === 'none' ? 'nothing' : operation['x-access']}</small></p>
${
  parameters.length === 0
    ? ''
    : html`<table><tr><th>Parameter</th><th>In</th><th></th></tr>${parameters.map(
        (parameter) =>
          html`<tr><td><code>${parameter.name}</code></td><td>${parameter.in}${parameter.required ? '' : ', optional'}</td><td>${parameter.description ?? ''}</td></tr>`,
      )}</table>`
}
${schema('Body', operation.requestBody?.content['application/json']?.schema)}
${answers.map(([status, { content }]) => schema(`Answer ${status}`, content?.['application/json']?.schema))}
</details>`;
}

function schema(title: string, value: unknown) {
  if (value === undefined)
    return title.startsWith('Answer') ? html`<p><small>${title}, without a body</small></p>` : '';
  return html`<p><small>${title}</small></p><pre>${JSON.stringify(value, null, 2)}</pre>`;
}
