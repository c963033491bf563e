// Keeps the tables of docs/reference/ equal to the tables in src/: `--write` fills them in, `--check` fails when one is not as it should be.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DATA_SETTINGS, flagOf, GC_SETTINGS, SETTINGS, type SettingName, variableOf } from '../src/config/settings.ts';
import { API_ROUTES } from '../src/http/api/routes.ts';
import type { Environment } from '../src/http/dispatch.ts';
import { Instruments } from '../src/http/instruments.ts';
import { type OperationsSources, operationsProtocol } from '../src/http/operations.ts';
import { PAGE_ROUTES } from '../src/http/page.ts';
import type { Route } from '../src/http/route.ts';
import { TOKEN_ROUTES } from '../src/http/token/routes.ts';
import { V2_ROUTES } from '../src/http/v2/routes.ts';
import { ERRORS, type ErrorCode, sentCode } from '../src/oci/errors.ts';

const root = resolve(import.meta.dir, '..');
const folder = join(root, 'docs/reference');

type Listed = Pick<Route<unknown>, 'method' | 'path' | 'access'> & { summary?: string };

const OCI = 'OCI Distribution 1.1';
const DOCKER = 'Docker Registry v2';

/** What each route does and where that is specified, by `METHOD path`. A route without a text is a fault, and so is a text without a route. */
const TEXTS: Record<string, readonly [what: string, source: string]> = {
  'GET /v2': ['As `GET /v2/`.', DOCKER],
  'GET /v2/': ['200 when the caller may talk to the registry, else 401 with a challenge.', `${OCI}, end-1`],
  'HEAD /v2': ['As `GET /v2/`, without a body.', `${OCI}, end-1`],
  'HEAD /v2/': ['As `GET /v2/`, without a body.', `${OCI}, end-1`],
  'GET /v2/_catalog': ['Repositories in byte order; pages with `n` and `last`.', DOCKER],
  'GET /v2/:name/manifests/:reference': [
    'A manifest by tag or digest, byte for byte as it was pushed. `If-None-Match` gives 304.',
    `${OCI}, end-3`,
  ],
  'HEAD /v2/:name/manifests/:reference': ['As GET, headers alone.', `${OCI}, end-3`],
  'PUT /v2/:name/manifests/:reference': [
    'Stores a manifest and points the tag at it. `If-Match: "<digest>"` and `If-None-Match: *` make it depend on what the tag is now: 412 when it is something else.',
    `${OCI}, end-7; RFC 9110 §13.1`,
  ],
  'DELETE /v2/:name/manifests/:reference': [
    'Deletes a tag, or by digest a manifest with the tags on it. Refused with 405 while an index names the manifest. `If-Match` as with PUT, for a tag.',
    `${OCI}, end-9`,
  ],
  'POST /v2/:name/blobs/uploads/': [
    'Begins an upload. With `digest` it takes the whole blob at once; with `mount` (and `from`) it takes the blob over from another repository.',
    `${OCI}, end-4a, end-4b, end-11`,
  ],
  'POST /v2/:name/blobs/uploads': ['As with the slash.', DOCKER],
  'GET /v2/:name/blobs/uploads/:upload': ['How many bytes an upload has: `Range: 0-<last>`.', `${OCI}, end-13`],
  'PATCH /v2/:name/blobs/uploads/:upload': [
    'Appends a chunk; with `Content-Range` only when it begins where the upload ends, else 416.',
    `${OCI}, end-5`,
  ],
  'PUT /v2/:name/blobs/uploads/:upload': [
    'Appends the last chunk, if there is one, and makes the upload the blob `digest`.',
    `${OCI}, end-6`,
  ],
  'DELETE /v2/:name/blobs/uploads/:upload': ['Cancels an upload.', DOCKER],
  'GET /v2/:name/blobs/:digest': ['The bytes of a blob; `Range` gives 206, `If-None-Match` 304.', `${OCI}, end-2`],
  'HEAD /v2/:name/blobs/:digest': ['Whether the repository has a blob, and its length.', `${OCI}, end-2`],
  'DELETE /v2/:name/blobs/:digest': [
    'Takes a blob out of the repository. Refused with 405 while a manifest there names it.',
    `${OCI}, end-10`,
  ],
  'GET /v2/:name/tags/list': ['Tags in byte order; pages with `n` and `last`.', `${OCI}, end-8a, end-8b`],
  'GET /v2/:name/referrers/:digest': [
    'Manifests whose `subject` is the digest, as an index; `artifactType` filters; pages with `n` and `last`.',
    `${OCI}, end-12a, end-12b`,
  ],
  'GET /v2/:name/_oci/tag-history/:tag': [
    'Every change of a tag, newest first, also after its deletion.',
    'distribution-spec pull request 606',
  ],
  ...Object.fromEntries(
    PAGE_ROUTES.map(({ method, path }) => [`${method} ${path}`, ['The page, for people.', 'Berth']]),
  ),
  'GET /assets/:file': ['A file of the page.', 'Berth'],
  'GET /livez': ['200 while the process answers.', 'Berth'],
  'GET /readyz': [
    '200 when the database and the blob store answer; 503 with what failed, and from SIGTERM on.',
    'Berth',
  ],
  'GET /metrics': ['What all workers measured; see [metrics](metrics.md).', 'Prometheus text format'],
  'GET /auth/token': [
    'A bearer token for what of `scope` the caller may have: with Basic, or without for what everyone may. `offline_token=true` adds a refresh token.',
    'Distribution, token authentication',
  ],
  'POST /auth/token': [
    'The same in OAuth 2.0’s form: `grant_type` is `password` or `refresh_token`.',
    'Distribution, OAuth2 token authentication',
  ],
};

export function errorTable(): string {
  const rows = (Object.keys(ERRORS) as ErrorCode[]).map((code) => {
    const { status, message, source } = ERRORS[code];
    return [`\`${code}\``, `\`${sentCode(code)}\``, String(status), message, source];
  });
  return table(['Code', 'Sent on `/v2/`', 'Status', 'Message', 'From'], rows);
}

export function settingTable(): string {
  const rows = (Object.keys(SETTINGS) as SettingName[]).map((name) => {
    const { value, help } = SETTINGS[name];
    const [meaning = '', ownDefault] = help.split(/; default: /);
    const shown = ownDefault ?? (SETTINGS[name].default === undefined ? '' : `\`${SETTINGS[name].default}\``);
    return [`\`${flagOf(name)} ${value}\``, `\`${variableOf(name)}\``, `\`${name}\``, shown || '–', meaning];
  });
  return table(['Flag', 'Variable', 'YAML key', 'Default', 'Meaning'], rows);
}

export function commandTable(): string {
  const flags = (names: readonly SettingName[]) => names.map((name) => `\`${flagOf(name)}\``).join(', ');
  return table(
    ['Command', 'Settings that it takes'],
    [
      ['`berth serve`', 'all of them'],
      ['`berth gc`, `berth why`', flags(GC_SETTINGS)],
      ['`berth setup`, `berth verify`', flags(DATA_SETTINGS)],
      ['`berth backup`, `berth restore`', flags([...DATA_SETTINGS, 'secretKeyFile', 's3Endpoint'])],
    ],
  );
}

/** Every route of every table. Their handlers are not called, so they get nothing to work with. */
export function allRoutes(): Listed[] {
  const nothing = {} as unknown;
  return [
    ...V2_ROUTES,
    ...TOKEN_ROUTES,
    ...PAGE_ROUTES,
    ...API_ROUTES,
    ...operationsProtocol(nothing as Environment, nothing as OperationsSources).routes,
  ];
}

/** Route entries as they stand in the sources, so that a table which `allRoutes` does not know cannot hide. */
export function writtenRoutes(): string[] {
  const http = join(root, 'src/http');
  return readdirSync(http, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .flatMap((file) =>
      [...readFileSync(join(http, file), 'utf8').matchAll(/\bmethod:\s*'([A-Z]+)',\s*path:\s*'([^']+)'/g)].map(
        ([, method, path]) => `${method} ${path}`,
      ),
    );
}

/** @throws when a route has no text, or a text no route */
export function routeTable(routes: readonly Listed[]): string {
  const left = new Set(Object.keys(TEXTS));
  const rows = routes.map(({ method, path, access, summary }) => {
    const plain = path.replaceAll('{.+}', '');
    const key = `${method} ${plain}`;
    // A route of the management API says itself what it does.
    const text = summary === undefined ? TEXTS[key] : ([`${summary}.`, 'Berth'] as const);
    if (text === undefined) throw new Error(`scripts/reference.ts: no text for the route ${key}`);
    left.delete(key);
    const shown = plain.replace(/:(\w+)/g, '<$1>');
    return [method, `\`${shown}\``, access === 'none' ? 'everyone' : access, ...text];
  });
  if (left.size > 0) throw new Error(`scripts/reference.ts: a text for no route: ${[...left].join(', ')}`);
  return table(['Method', 'Path', 'Needs', 'What it does', 'From'], rows);
}

const OVER_WORKERS: Record<string, string> = { max: 'the largest', min: 'the smallest' };

export async function metricTable(): Promise<string> {
  const none = async () => 0;
  const nothing = { runs: 0, failures: 0, manifests: 0, blobs: 0, bytes: 0, lastSeconds: 0, lastEnd: 0 };
  const { registry } = new Instruments({
    pending: () => 0,
    uploads: none,
    checks: {},
    databaseSeconds: none,
    garbage: () => nothing,
    backups: async () => ({
      lastSuccess: 0,
      lastSeconds: 0,
      lastBytes: 0,
      lastCopiedBytes: 0,
      lastFaults: 0,
      failures: 0,
    }),
    backupPeriodMs: 0,
    certificateExpiry: () => undefined,
    outbox: async () => ({ pending: 0, oldest: null }),
    mirrors: async () => ({ mirrors: 0, failing: 0, oldest: null }),
  });
  const rows = (await registry.getMetricsAsJSON()).map((metric) => {
    // prom-client's types leave out the labels.
    const { labelNames } = registry.getSingleMetric(metric.name) as unknown as { labelNames: string[] };
    const labels = labelNames.filter((label) => label !== 'le').map((label) => `\`${label}\``);
    const over = OVER_WORKERS[String(metric.aggregator)] ?? 'the sum';
    return [`\`${metric.name}\``, String(metric.type), labels.join(', ') || '–', over, metric.help];
  });
  return table(['Metric', 'Type', 'Labels', 'Over the workers', 'What it measures'], rows);
}

/** A table as the formatter writes it, so that neither undoes the other. */
function table(head: string[], rows: string[][]): string {
  const lines = [head, ...rows].map((cells) => cells.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = head.map((_, i) => Math.max(...lines.map((cells) => Bun.stringWidth(cells[i] ?? ''))));
  const line = (cells: string[], fill: string) =>
    `| ${cells.map((cell, i) => cell + fill.repeat((widths[i] ?? 0) - Bun.stringWidth(cell))).join(' | ')} |`;
  const [first = [], ...rest] = lines;
  return [
    line(first, ' '),
    line(
      first.map(() => ''),
      '-',
    ),
    ...rest.map((cells) => line(cells, ' ')),
  ].join('\n');
}

/** The text with each generated part between its marks replaced. @throws when a part has no marks, or marks no part */
export function fill(page: string, parts: Record<string, string>): string {
  const left = new Set(Object.keys(parts));
  const filled = page.replace(
    /(<!-- generated: ([a-z-]+) -->\n)[\s\S]*?(\n<!-- end -->)/g,
    (_, begin: string, name: string, end: string) => {
      const part = parts[name];
      if (part === undefined) throw new Error(`no part is called ${name}`);
      left.delete(name);
      return `${begin}\n${part}\n${end}`;
    },
  );
  if (left.size > 0) throw new Error(`no marks for ${[...left].join(', ')}`);
  return filled;
}

/** The files whose generated parts are not what the sources say; with `write` they are brought in line. */
export async function stalePages(write = false): Promise<string[]> {
  const routes = allRoutes();
  const known = new Set(routes.map(({ method, path }) => `${method} ${path}`));
  const unknown = writtenRoutes().filter((route) => !known.has(route));
  if (unknown.length > 0) throw new Error(`scripts/reference.ts: allRoutes does not know ${unknown.join(', ')}`);
  const pages: Record<string, Record<string, string>> = {
    'errors.md': { errors: errorTable() },
    'configuration.md': { settings: settingTable(), commands: commandTable() },
    'http.md': { routes: routeTable(routes) },
    'metrics.md': { metrics: await metricTable() },
  };
  const stale: string[] = [];
  for (const [file, parts] of Object.entries(pages)) {
    const path = join(folder, file);
    const page = readFileSync(path, 'utf8');
    const filled = fill(page, parts);
    if (filled === page) continue;
    stale.push(`docs/reference/${file}`);
    if (write) writeFileSync(path, filled);
  }
  return stale;
}

if (import.meta.main) {
  const [mode] = process.argv.slice(2);
  if (mode !== '--write' && mode !== '--check') {
    console.error('usage: node scripts/bun.mjs scripts/reference.ts --write | --check');
    process.exit(2);
  }
  const stale = await stalePages(mode === '--write');
  for (const file of stale) console.log(mode === '--write' ? `wrote ${file}` : `${file} is not what src/ says`);
  if (mode === '--check' && stale.length > 0) {
    console.log('run: node scripts/bun.mjs scripts/reference.ts --write');
    process.exit(1);
  }
}
