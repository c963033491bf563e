import { gunzipSync } from 'node:zlib';
import { OciError } from '../oci/errors.ts';
import { problemProtocol } from './api/problem.ts';
import type { Environment, Protocol } from './dispatch.ts';
import type { BerthRequest } from './request.ts';
import type { Route } from './route.ts';

/** The page's files, gzipped, by name. */
export interface PageFiles {
  find(name: string): Promise<Blob | undefined>;
}

type PageHandler = (files: PageFiles, request: BerthRequest) => Promise<Response>;

/** What the page itself tells apart (`src/web/router.tsx`): each is the same document. */
export const PAGE_ROUTES: readonly Route<PageHandler>[] = [
  { method: 'GET', path: '/', access: 'none', handler: showDocument },
  { method: 'GET', path: '/setup', access: 'none', handler: showDocument },
  { method: 'GET', path: '/login', access: 'none', handler: showDocument },
  { method: 'GET', path: '/signup', access: 'none', handler: showDocument },
  { method: 'GET', path: '/getting-started', access: 'none', handler: showDocument },
  { method: 'GET', path: '/repositories', access: 'none', handler: showDocument },
  { method: 'GET', path: '/r/*', access: 'none', handler: showDocument },
  { method: 'GET', path: '/stacks', access: 'none', handler: showDocument },
  { method: 'GET', path: '/s/*', access: 'none', handler: showDocument },
  { method: 'GET', path: '/account', access: 'none', handler: showDocument },
  { method: 'GET', path: '/account/*', access: 'none', handler: showDocument },
  { method: 'GET', path: '/organizations', access: 'none', handler: showDocument },
  { method: 'GET', path: '/o/*', access: 'none', handler: showDocument },
  { method: 'GET', path: '/webhooks/*', access: 'none', handler: showDocument },
  { method: 'GET', path: '/admin', access: 'none', handler: showDocument },
  { method: 'GET', path: '/admin/*', access: 'none', handler: showDocument },
  { method: 'HEAD', path: '/', access: 'none', handler: showDocument },
  { method: 'GET', path: '/assets/:file', access: 'none', handler: sendAsset },
];

/** The page: one document, and the files that it loads. Errors of places that a person opens are shown by the page itself. */
export function pageProtocol(environment: Environment, files: PageFiles): Protocol<PageHandler> {
  return problemProtocol(environment, PAGE_ROUTES, undefined, (handler, request) => handler(files, request));
}

/** For what a browser opens and nothing is served at: the page says so. */
export async function pageNotFound(files: PageFiles, request: Request): Promise<Response | undefined> {
  if (request.method !== 'GET' || !request.headers.get('accept')?.includes('text/html')) return undefined;
  return document(files, request.headers, 404);
}

async function showDocument(files: PageFiles, request: BerthRequest): Promise<Response> {
  const response = await document(files, request.raw.headers, 200);
  // Over plain HTTP browsers take it for a fault, and say so.
  if (request.base.startsWith('https:')) response.headers.set('Cross-Origin-Opener-Policy', 'same-origin');
  return response;
}

/**
 * Scripts and styles come from here alone, and no script is made of text (Trusted Types): whatever is pushed, the page can't be made to run
 * it.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const DOCUMENT_HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': POLICY,
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  // It names the files of this version, and has the theme and language of who asks.
  'Cache-Control': 'no-cache',
  Vary: 'Cookie, Accept-Language',
};

const LANGUAGES = ['en', 'ko'] as const;
const THEMES = ['light', 'dark'] as const;

async function document(files: PageFiles, headers: Headers, status: number): Promise<Response> {
  const file = await files.find('index.html');
  if (file === undefined) throw new OciError('NOT_FOUND', 'path: this build of Berth has no page');
  const text = gunzipSync(await file.bytes()).toString();
  const cookies = headers.get('cookie') ?? '';
  const language = chosen(cookies, 'berth_language', LANGUAGES) ?? preferred(headers.get('accept-language'));
  const theme = chosen(cookies, 'berth_theme', THEMES);
  const root = `<html lang="${language}"${theme === undefined ? '' : ` data-theme="${theme}"`}>`;
  const shown = text.replace('<html lang="en">', root);
  return new Response(shown, {
    status,
    // Said here for HEAD, whose body is not sent.
    headers: { ...DOCUMENT_HEADERS, 'Content-Length': String(Buffer.byteLength(shown)) },
  });
}

/** A cookie's value when it is one of `values`. */
function chosen<const T extends readonly string[]>(cookies: string, name: string, values: T): T[number] | undefined {
  const given = cookies
    .split(';')
    .map((cookie) => cookie.trim())
    .find((cookie) => cookie.startsWith(`${name}=`))
    ?.slice(name.length + 1);
  return values.find((value) => value === given);
}

/** The first language of `Accept-Language` that the page has; browsers send them in the order of preference. */
function preferred(header: string | null): (typeof LANGUAGES)[number] {
  for (const range of (header ?? '').slice(0, 500).split(',')) {
    const wanted = range.split(';')[0]?.trim().toLowerCase().split('-')[0];
    const known = LANGUAGES.find((language) => language === wanted);
    if (known !== undefined) return known;
  }
  return 'en';
}

const TYPES: Record<string, string> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  ico: 'image/x-icon',
};

async function sendAsset(files: PageFiles, request: BerthRequest): Promise<Response> {
  const name = request.param('file');
  const type = TYPES[name.slice(name.lastIndexOf('.') + 1)];
  const file = type === undefined ? undefined : await files.find(name);
  if (type === undefined || file === undefined) {
    throw new OciError('NOT_FOUND', `path: the page has no file ${name.slice(0, 100)}`);
  }
  const headers = {
    'Content-Type': type,
    // Its name holds a hash of its content.
    'Cache-Control': 'public, max-age=31536000, immutable',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
    Vary: 'Accept-Encoding',
  };
  const bytes = await file.bytes();
  if (/\bgzip\b/.test(request.header('accept-encoding') ?? '')) {
    return new Response(bytes, { headers: { ...headers, 'Content-Encoding': 'gzip' } });
  }
  return new Response(gunzipSync(bytes), { headers });
}
