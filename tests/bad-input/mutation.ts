// Requests for the fuzz run: valid ones of every route, then broken in the ways that clients, proxies and attackers break
// them. Everything comes from one seeded generator, so a run can be repeated by its seed.
import { digestOf, mediaTypes } from '../support/registry.ts';

/** A small seeded generator (mulberry32): good enough to spread choices, and the same everywhere. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 ≤ x < 1 */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
}

/** What is in the registry, for requests that should find something. */
export interface Known {
  repositories: string[];
  tags: string[];
  digests: string[];
  manifests: string[];
  uploads: string[];
}

export interface FuzzRequest {
  method: string;
  path: string;
  headers: [name: string, value: string][];
  body: Buffer;
}

/** Text that parsers trip over. */
const NASTY = [
  '',
  '%',
  '%00',
  '%2e%2e',
  '%2F',
  '%ff',
  '%zz',
  '..',
  '/',
  '//',
  '.',
  '?',
  '#',
  ' ',
  '\t',
  '*',
  '"',
  "'",
  '\\',
  '<>',
  'é',
  '😀',
  '\u202e',
  'null',
  'undefined',
  '__proto__',
  'constructor',
  '-1',
  '0',
  '1e999',
  '18446744073709551616',
  'NaN',
  "' or 1=1 --",
  '$(id)',
  '{{7*7}}',
  'a'.repeat(300),
  'A'.repeat(5000),
  'sha256:',
  `sha256:${'0'.repeat(64)}`,
  `sha512:${'f'.repeat(128)}`,
  'manifests',
  'blobs/uploads',
];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'REPORT'];
const HEADERS = [
  'Content-Type',
  'Content-Range',
  'Range',
  'If-Match',
  'If-None-Match',
  'If-Range',
  'Accept',
  'Accept-Encoding',
  'Authorization',
  'Cookie',
  'Origin',
  'User-Agent',
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'X-Forwarded-Proto',
  'X-Request-Id',
  'Content-Encoding',
  'X-HTTP-Method-Override',
];
const HEADER_VALUES = [
  'bytes=0-9',
  'bytes=-1',
  'bytes=99-',
  'bytes=9-0',
  '0-9',
  '0-0',
  '5-9',
  '9-0',
  '*',
  '"x"',
  'W/"x"',
  'gzip',
  'application/json',
  mediaTypes.ociIndex,
  mediaTypes.dockerManifest,
  'Bearer x.y.z',
  'Basic !!!',
  '127.0.0.1, ::1',
  'https',
  'DELETE',
];

/** A valid request of one of the routes. */
export function validRequest(random: Random, known: Known): FuzzRequest {
  const repository = random.pick(known.repositories);
  const digest = random.pick(known.digests);
  const tag = random.pick(known.tags);
  const reference = random.chance(0.5) ? tag : digest;
  const upload = random.pick(known.uploads);
  const small = random.bytes(random.below(40));
  const at = `/v2/${repository}`;
  const api = `/api/v1/repositories/${repository}/tags`;
  const make = (method: string, path: string, body: Buffer = Buffer.alloc(0)): FuzzRequest => ({
    method,
    path,
    headers: [],
    body,
  });
  const choices: (() => FuzzRequest)[] = [
    () => make('GET', '/v2/'),
    () => make('GET', `/v2/_catalog?n=${random.below(5)}&last=${repository}`),
    () => make('GET', `${at}/manifests/${reference}`),
    () => make('HEAD', `${at}/manifests/${reference}`),
    () => make('GET', `${at}/blobs/${digest}`),
    () => make('HEAD', `${at}/blobs/${digest}`),
    () => make('GET', `${at}/tags/list?n=${random.below(4)}&last=${tag}`),
    () => make('GET', `${at}/referrers/${digest}?artifactType=${encodeURIComponent(mediaTypes.ociConfig)}`),
    () => make('GET', `${at}/_oci/tag-history/${tag}?n=2`),
    () => make('POST', `${at}/blobs/uploads/`),
    () => make('POST', `${at}/blobs/uploads/?digest=${digestOf(small)}`, small),
    () => make('POST', `${at}/blobs/uploads/?mount=${digest}&from=${random.pick(known.repositories)}`),
    () => make('GET', upload),
    () => make('PATCH', upload, small),
    () => ({ ...make('PATCH', upload, small), headers: [['Content-Range', `0-${Math.max(0, small.length - 1)}`]] }),
    () => make('PUT', `${upload}?digest=${digestOf(small)}`, small),
    () => make('DELETE', upload),
    () => manifestRequest(random, known, `${at}/manifests/${reference}`),
    () => manifestRequest(random, known, `${at}/manifests/${tag}`),
    () => make('DELETE', `${at}/manifests/${random.chance(0.9) ? 'none' : tag}`),
    () => make('DELETE', `${at}/blobs/${digestOf(small)}`),
    () => make('GET', `${api}?n=2`),
    () => make('GET', `${api}/${tag}/history`),
    () => ({
      ...make('POST', `${api}/${tag}/rollback`, Buffer.from(JSON.stringify({ to: digest }))),
      headers: [['Content-Type', 'application/json']],
    }),
    () => make('GET', random.pick(['/livez', '/readyz', '/metrics', '/', '/favicon.ico'])),
  ];
  return random.pick(choices)();
}

function manifestRequest(random: Random, known: Known, path: string): FuzzRequest {
  const body = random.pick(known.manifests);
  const { mediaType } = JSON.parse(body) as { mediaType: string };
  return { method: 'PUT', path, headers: [['Content-Type', mediaType]], body: Buffer.from(body) };
}

type Mutation = (random: Random, request: FuzzRequest) => void;

const inText = (random: Random, text: string, insert: string): string => {
  const at = random.below(text.length + 1);
  return text.slice(0, at) + insert + text.slice(at + (random.chance(0.5) ? random.below(4) : 0));
};

const MUTATIONS: Mutation[] = [
  (random, request) => {
    request.method = random.pick(METHODS);
  },
  (random, request) => {
    request.path = inText(random, request.path, random.pick(NASTY));
  },
  (random, request) => {
    const parts = request.path.split('/');
    parts[random.below(parts.length)] = random.pick(NASTY);
    request.path = parts.join('/');
  },
  (random, request) => {
    const parts = request.path.split('/');
    parts.splice(random.below(parts.length), 1);
    request.path = parts.join('/');
  },
  (random, request) => {
    request.path += `${random.pick(['?', '&', ';'])}${random.pick(['n', 'last', 'digest', 'mount', 'from', 'artifactType'])}=${random.pick(NASTY)}`;
  },
  (random, request) => {
    request.path = request.path.replace(/[0-9a-f]{8}/, () => random.pick(['', 'zzzzzzzz', '%30%30', 'ABCDEF00']));
  },
  (random, request) => {
    const value = random.chance(0.7) ? random.pick(HEADER_VALUES) : random.pick(NASTY);
    request.headers.push([random.pick(HEADERS), value]);
  },
  (random, request) => {
    request.headers.push([random.pick(HEADERS), inText(random, random.pick(HEADER_VALUES), random.pick(NASTY))]);
  },
  (random, request) => {
    const header = request.headers[0];
    if (header !== undefined) header[1] = inText(random, header[1], random.pick(NASTY));
  },
  (random, request) => {
    request.body = request.body.subarray(0, random.below(request.body.length + 1));
  },
  (random, request) => {
    if (request.body.length > 0) {
      request.body = Buffer.from(request.body);
      for (let i = 0; i < 3; i++) request.body[random.below(request.body.length)] = random.below(256);
    }
  },
  (random, request) => {
    request.body = Buffer.concat([request.body, random.bytes(random.below(50))]);
  },
  (random, request) => {
    request.body = Buffer.from(inText(random, request.body.toString('latin1'), random.pick(NASTY)), 'utf8');
  },
  mutateJson,
  mutateJson,
];

/** Changes the meaning of a JSON body, not its grammar. */
function mutateJson(random: Random, request: FuzzRequest): void {
  let document: unknown;
  try {
    document = JSON.parse(request.body.toString());
  } catch {
    return;
  }
  const values: unknown[] = [
    null,
    true,
    0,
    -1,
    1.5,
    2 ** 53,
    '',
    'x',
    [],
    {},
    [[]],
    'sha256:abc',
    'a'.repeat(2000),
    { a: 1 },
  ];
  const visit = (node: unknown): unknown => {
    if (random.chance(0.12)) return random.pick(values);
    if (Array.isArray(node)) {
      const items: unknown[] = node.map(visit);
      return random.chance(0.1) ? [...items, ...items] : items;
    }
    if (typeof node !== 'object' || node === null) return node;
    const entries = Object.entries(node)
      .filter(() => !random.chance(0.05))
      .map(([key, value]) => [key, visit(value)] as const);
    return Object.fromEntries(entries);
  };
  let text = JSON.stringify(visit(document)) ?? 'null';
  if (random.chance(0.1)) text = text.replace('{', `{"deep":${'['.repeat(random.below(3000))}`);
  if (random.chance(0.1)) text = text.replace('{', '{"schemaVersion":2,');
  request.body = Buffer.from(text);
}

/** One to four mutations of a valid request; now and then none. */
export function mutatedRequest(random: Random, known: Known): FuzzRequest {
  const request = validRequest(random, known);
  if (random.chance(0.2)) return request;
  for (let left = 1 + random.below(4); left > 0; left--) random.pick(MUTATIONS)(random, request);
  return request;
}

/** A header value that HTTP allows: what is left of `value` without control characters, as UTF-8 bytes. */
function headerText(value: string): string {
  return Buffer.from([...value].filter((char) => char >= ' ' && char !== '\x7f').join('')).toString('latin1');
}

/** The bytes of a well-formed HTTP request, whatever it asks. */
export function wellFormed(host: string, request: FuzzRequest): Buffer {
  const path = [...request.path]
    .map((char) => (char <= ' ' || char === '\x7f' ? `%${char.charCodeAt(0).toString(16).padStart(2, '0')}` : char))
    .join('');
  const lines = [
    `${request.method} ${Buffer.from(path.startsWith('/') ? path : `/${path}`).toString('latin1')} HTTP/1.1`,
    `Host: ${host}`,
    ...request.headers.map(([name, value]) => `${name}: ${headerText(value)}`),
    `Content-Length: ${request.body.length}`,
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), request.body]);
}

/** The same, broken as HTTP: cut, flipped, doubled, with framing that lies. */
export function malformed(random: Random, bytes: Buffer): Buffer {
  const text = bytes.toString('latin1');
  const broken = random.pick<() => string>([
    () => text.slice(0, random.below(text.length)),
    () => {
      const flipped = Buffer.from(bytes);
      for (let i = 0; i < 1 + random.below(8); i++) flipped[random.below(flipped.length)] = random.below(256);
      return flipped.toString('latin1');
    },
    () =>
      text.replace(
        /Content-Length: \d+/,
        () => `Content-Length: ${random.pick(['', '-1', '99', 'x', '9'.repeat(30), '1, 1', '+1'])}`,
      ),
    () => text.replace(/Content-Length: \d+/, 'Transfer-Encoding: chunked'),
    () => text.replace('\r\n', `\r\nTransfer-Encoding: ${random.pick(['chunked', 'x', 'chunked, chunked'])}\r\n`),
    () => text.replace('HTTP/1.1', random.pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/', '', 'http/1.1'])),
    () => text.replace(/^[A-Z]+/, () => random.pick(['get', 'X', '', 'G\x01T', 'GET GET'])),
    () => text.replaceAll('\r\n', '\n'),
    () => text.replace('Host:', random.pick(['Host', 'Host :', ' Host:', 'X'])),
    () => inText(random, text, random.pick(['\r\n', '\0', '\r', ' ', ':', '\x80'])),
    () => text.replace('\r\n', `\r\nExpect: ${random.pick(['100-continue', 'x'])}\r\n`),
    () => text.replace('\r\n', `\r\n${'X: y\r\n'.repeat(random.below(300))}`),
    () => text + text.slice(0, random.below(text.length)),
  ])();
  return Buffer.from(broken, 'latin1');
}
