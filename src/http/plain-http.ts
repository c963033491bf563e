import { pathOf, queryOf } from './route.ts';

export interface PlainHttpOptions {
  /** `https://registry.example.com`, when it is fixed. */
  publicUrl: string | undefined;
  /** Where https is served, for clients that said by their `Host` which server they mean. */
  httpsPort: number;
  /** What an ACME authority is to find under a token (RFC 8555 §8.3). */
  challenge: (token: string) => Promise<string | undefined>;
  failed: (error: unknown) => void;
}

const CHALLENGES = '/.well-known/acme-challenge/';
const HOST = /^([a-zA-Z0-9._-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/;

/** What the port for plain HTTP answers beside https: challenges, the sign of life, and where to go instead. */
export function plainHttp(options: PlainHttpOptions): (request: Request) => Promise<Response> {
  return async (request) => {
    const path = pathOf(request.url);
    if (path === '/livez') return Response.json({ status: 'ok' });
    if (path.startsWith(CHALLENGES)) return challenge(options, path.slice(CHALLENGES.length));
    const base = httpsBase(options, request.headers.get('host'));
    if (base === undefined)
      return text(400, 'this port speaks plain http to redirect, and the Host header says not where\n');
    if (path === '/v2' || path.startsWith('/v2/')) return upgradeRequired(base);
    const query = queryOf(request.url);
    const location = `${base}${path}${query === '' ? '' : `?${query}`}`;
    return new Response(`https is at ${location}\n`, { status: 308, headers: { Location: location } });
  };
}

/** The same answers of a port that serves something else besides: authorities follow redirects to it. */
export function withChallenges(
  answer: (request: Request) => Response | Promise<Response>,
  options: Pick<PlainHttpOptions, 'challenge' | 'failed'>,
): (request: Request) => Response | Promise<Response> {
  return (request) => {
    const path = pathOf(request.url);
    return path.startsWith(CHALLENGES) ? challenge(options, path.slice(CHALLENGES.length)) : answer(request);
  };
}

async function challenge(
  { challenge: find, failed }: Pick<PlainHttpOptions, 'challenge' | 'failed'>,
  token: string,
): Promise<Response> {
  // base64url (RFC 8555 §8.3)
  if (!/^[A-Za-z0-9_-]{1,256}$/.test(token)) return text(404, 'no such challenge\n');
  try {
    const answer = await find(token);
    return answer === undefined ? text(404, 'no such challenge\n') : text(200, answer);
  } catch (error) {
    failed(error);
    return text(503, 'the challenge could not be looked up; ask again\n');
  }
}

function httpsBase({ publicUrl, httpsPort }: PlainHttpOptions, host: string | null): string | undefined {
  if (publicUrl !== undefined) return publicUrl;
  const name = HOST.exec(host ?? '')?.[1];
  if (name === undefined || !URL.canParse(`https://${name}`)) return undefined;
  return `https://${name}${httpsPort === 443 ? '' : `:${httpsPort}`}`;
}

/** Clients of registries don't follow a redirect with what they push; they show the message of an error (RFC 9110 §15.5.22). */
function upgradeRequired(base: string): Response {
  const message = `this port speaks plain http only to redirect; the registry is at ${base}: push and pull with ${new URL(base).host}, without insecure-registries`;
  return Response.json(
    { errors: [{ code: 'UNSUPPORTED', message }] },
    {
      status: 426,
      headers: {
        Upgrade: 'TLS/1.2, HTTP/1.1',
        Connection: 'Upgrade',
        'Docker-Distribution-API-Version': 'registry/2.0',
      },
    },
  );
}

function text(status: number, body: string): Response {
  return new Response(body, { status, headers: { 'Content-Type': 'text/plain; charset=utf-8' } });
}
