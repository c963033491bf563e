import { importsOf, isTestCode, type Sources, withoutText } from './sources.ts';

/** A rule over all sources: one line for each thing that is wrong. */
export type Rule = (sources: Sources) => string[];

/**
 * What each room of `src/` may import besides itself: folders (`oci/`) and single files. main → cli → workers → server → http →
 * registry | accounts | releases → storage, database; everyone may import oci. A new room needs a line here.
 */
const MAY_IMPORT: Record<string, readonly string[]> = {
  oci: [],
  storage: ['oci/'],
  database: ['oci/'],
  registry: [
    'oci/',
    'database/database.ts',
    'database/leases.ts',
    'database/schema.ts',
    'database/accounts-schema.ts',
    'database/freshness.ts',
    'storage/blob-store.ts',
  ],
  // What a compose file says and how it is changed for a target or a laptop: text in, text out.
  compose: ['oci/'],
  releases: ['oci/', 'compose/', 'database/database.ts', 'database/schema.ts', 'database/releases-schema.ts'],
  agent: ['oci/', 'api/', 'client/', 'compose/', 'log.ts', '../package.json'],
  accounts: [
    'oci/',
    'database/database.ts',
    'database/schema.ts',
    'database/accounts-schema.ts',
    'database/freshness.ts',
  ],
  http: [
    '../package.json',
    'oci/',
    'api/',
    'accounts/',
    'registry/',
    'releases/',
    'events/',
    'upstreams/',
    'backup/runs.ts',
    'tls/',
    'database/database.ts',
    'storage/blob-store.ts',
  ],
  // What happened, for others: the outbox, webhooks and their deliveries, the stream of events.
  events: ['oci/', 'database/database.ts', 'database/schema.ts', 'database/webhooks-schema.ts'],
  // Other registries: their client, imports, mirrors and the pull-through cache.
  upstreams: [
    'oci/',
    'registry/',
    'database/database.ts',
    'database/schema.ts',
    'database/upstreams-schema.ts',
    'database/freshness.ts',
    'storage/blob-store.ts',
  ],
  // What a request did and how long each part took, sent to a collector: off unless set.
  telemetry: ['oci/', 'database/database.ts', 'database/schema.ts', 'storage/blob-store.ts'],
  // HTTPS: certificates from files or from an ACME authority, and when they change.
  tls: ['oci/', 'database/database.ts', 'database/leases.ts', 'database/schema.ts', 'database/certificates-schema.ts'],
  // The whole of an instance, copied out and brought back.
  backup: [
    'oci/',
    'registry/',
    'database/database.ts',
    'database/leases.ts',
    'database/migrate.ts',
    'database/schema.ts',
    'storage/blob-store.ts',
    '../package.json',
  ],
  // A running set-up, looked at from outside.
  doctor: ['oci/', 'api/', 'client/'],
  // The management API's words: what its bodies and answers are, for the server and its clients.
  api: ['oci/'],
  client: ['oci/', 'api/'],
  config: ['accounts/'],
  'log.ts': [],
  'data-directory.ts': ['backup/', 'config/', 'database/', 'storage/'],
  // The page, in a browser: it knows the server by its API alone.
  web: ['oci/', 'api/', 'client/', 'doctor/'],
  // Where the server finds the page's files.
  'web-files': [],
  'server.ts': [
    'oci/',
    'accounts/',
    'backup/',
    'config/',
    'database/',
    'http/',
    'registry/',
    'releases/',
    'storage/',
    'events/',
    'upstreams/',
    'telemetry/',
    'tls/',
    'web-files/',
    'data-directory.ts',
    'log.ts',
  ],
  workers: [
    '../package.json',
    'oci/',
    'accounts/',
    'config/',
    'database/database.ts',
    'http/',
    'registry/',
    'releases/',
    'events/',
    'upstreams/',
    'telemetry/',
    'tls/',
    'backup/',
    'storage/blob-store.ts',
    'data-directory.ts',
    'log.ts',
    'server.ts',
  ],
  cli: [
    'oci/',
    'api/',
    'accounts/',
    'agent/',
    'backup/',
    'client/',
    'compose/',
    'config/',
    'doctor/',
    'events/',
    'upstreams/',
    'tls/',
    'database/database.ts',
    'database/migrate.ts',
    'http/',
    'registry/',
    'storage/blob-store.ts',
    'data-directory.ts',
    'log.ts',
    'server.ts',
    'workers/',
    '../package.json',
  ],
  // A worker is the same program, started with an order; it is spared the command line.
  'main.ts': ['cli/', 'workers/worker-process.ts'],
};

/** Concrete drivers: `CHOOSERS` alone choose among them. */
const DRIVERS = ['storage/filesystem/', 'database/sqlite.ts', 'database/postgres.ts'];
const CHOOSERS = ['server.ts', 'data-directory.ts'];

const ROOMS_OF_THE_SERVER = Object.keys(MAY_IMPORT).filter((room) => room !== 'web');

/** Packages that belong to some rooms alone. `files` may use them besides. */
const PACKAGES: { name: RegExp; rooms: readonly string[]; files?: readonly string[] }[] = [
  { name: /^hono(\/|$)/, rooms: ['http'] },
  {
    name: /^kysely$/,
    rooms: ['database', 'registry', 'accounts', 'releases', 'events', 'upstreams', 'tls', 'backup', 'telemetry'],
  },
  { name: /^pg$/, rooms: ['database'] },
  { name: /^better-auth(\/|$)/, rooms: ['http'], files: ['accounts/auth-adapter.ts'] },
  { name: /^jose$/, rooms: ['accounts'] },
  { name: /^@opentelemetry\//, rooms: ['telemetry'] },
  // The data directory is locked by an SQLite lock, which the kernel drops with the process.
  { name: /^bun:sqlite$/, rooms: ['database'], files: ['workers/data-lock.ts'] },
  {
    name: /^node:fs(\/|$)/,
    rooms: [
      'storage',
      'config',
      'workers',
      'cli',
      'agent',
      'web-files',
      'tls',
      'backup',
      'upstreams',
      'database',
      'data-directory.ts',
    ],
  },
  {
    name: /^(react|react-dom|react-markdown|remark-gfm|lucide-react|uqr|@tanstack\/.*|@base-ui\/.*)(\/|$)/,
    rooms: ['web'],
  },
  // The page is a browser's.
  { name: /^(node|bun):/, rooms: ROOMS_OF_THE_SERVER },
  { name: /^yaml$/, rooms: ['compose'] },
  { name: /^commander$|^cli-progress$/, rooms: ['cli'] },
];

export const importDirections: Rule = (sources) =>
  programs(sources).flatMap(([path, source]) =>
    importsOf(path, source).flatMap((found) => {
      const room = roomOf(path);
      const allowed = MAY_IMPORT[room];
      if (allowed === undefined) return [`${path}: ${room} has no line in MAY_IMPORT of tests/structure/rules.ts`];
      const target = found.path;
      if (target === undefined) return packageFault(path, found.specifier);
      if (isTestCode(target)) return [`${path} imports ${target}, which is for tests`];
      const driver = DRIVERS.find((entry) => within(target, entry));
      if (driver !== undefined && !CHOOSERS.includes(path) && !within(path, driver)) {
        return [`${path} imports ${target}: ${CHOOSERS.join(' and ')} alone name a concrete driver`];
      }
      if (roomOf(target) === room || allowed.some((entry) => within(target, entry))) return [];
      return [`${path} imports ${target}: ${room} may import ${allowed.join(', ') || 'nothing of ours'}`];
    }),
  );

function packageFault(path: string, specifier: string): string[] {
  const rule = PACKAGES.find((entry) => entry.name.test(specifier));
  if (rule === undefined || rule.rooms.includes(roomOf(path)) || rule.files?.includes(path)) return [];
  return [`${path} imports ${specifier}, which is for ${rule.rooms.join(', ')}`];
}

/** Type-only imports count: two files that need each other's types are one thing. */
export const noCycles: Rule = (sources) => {
  const targets = new Map(
    programs(sources).map(([path, source]) => [
      path,
      importsOf(path, source).flatMap((found) =>
        found.path !== undefined && sources.has(found.path) ? [found.path] : [],
      ),
    ]),
  );
  const faults: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, above: readonly string[]) => {
    const start = above.indexOf(path);
    if (start >= 0) faults.push(`a cycle: ${[...above.slice(start), path].join(' → ')}`);
    if (start >= 0 || done.has(path)) return;
    for (const target of targets.get(path) ?? []) visit(target, [...above, path]);
    done.add(path);
  };
  for (const path of targets.keys()) visit(path, []);
  return faults;
};

const MOST_LINES = 400;

export const shortFiles: Rule = (sources) =>
  [...sources].flatMap(([path, source]) => {
    const lines = source.split('\n').length - (source.endsWith('\n') ? 1 : 0);
    return lines > MOST_LINES ? [`${path}: ${lines} lines, more than ${MOST_LINES}`] : [];
  });

const EMPTY_WORDS = /^(utils?|helpers?|common|misc|shared|lib)$/;

export const plainNames: Rule = (sources) =>
  [...sources.keys()].flatMap((path) =>
    path.split('/').flatMap((part) => {
      const word = part.replace(/(\.test)?\.[a-z]+$/, '');
      if (EMPTY_WORDS.test(word)) return [`${path}: "${word}" says nothing about what is in it`];
      return /^[a-z0-9]+(-[a-z0-9]+)*$/.test(word) ? [] : [`${path}: "${part}" is not kebab-case`];
    }),
  );

/** The rooms that know nothing of HTTP, and the one that knows nothing of files. */
const FOREIGN_NAMES: { rooms: readonly string[]; names: RegExp; what: string }[] = [
  {
    rooms: ['registry', 'accounts', 'releases', 'compose', 'storage', 'database', 'oci'],
    names: /\b(?:Request|Response|Headers|FormData)\b/g,
    what: 'HTTP',
  },
  {
    rooms: ['registry', 'accounts', 'releases', 'compose', 'http', 'oci', 'client'],
    names: /\bBun\s*\.\s*(?:file|write|s3|S3Client|sql|SQL)\b/g,
    what: 'files and stores',
  },
];

export const ownTrade: Rule = (sources) =>
  programs(sources).flatMap(([path, source]) =>
    FOREIGN_NAMES.filter((entry) => entry.rooms.includes(roomOf(path))).flatMap(({ names, what }) =>
      [...withoutText(source).matchAll(names)].map(
        ([name]) => `${path} names ${name}: ${roomOf(path)} knows no ${what}`,
      ),
    ),
  );

/** The compiler and the linter have the last word; what they refuse is not waved through. */
const SWITCHES =
  /@ts-(?:ignore|nocheck|expect-error)|biome-ignore(?:-all|-start)?\s+lint\/(?:suspicious\/noExplicitAny|style\/noNonNullAssertion|nursery\/noFloatingPromises)\b/g;

export const noSwitchedOffChecks: Rule = (sources) =>
  programs(sources).flatMap(([path, source]) => [...source.matchAll(SWITCHES)].map(([found]) => `${path}: ${found}`));

function programs(sources: Sources): [string, string][] {
  return [...sources].filter(([path]) => /\.tsx?$/.test(path) && !isTestCode(path));
}

function roomOf(path: string): string {
  return path.split('/', 1)[0] ?? path;
}

function within(path: string, entry: string): boolean {
  return entry.endsWith('/') ? path.startsWith(entry) : path === entry;
}
