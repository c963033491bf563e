// curl as a client of one address over HTTPS: it speaks HTTP/1.1 and HTTP/2, and follows nothing by itself.
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Curl {
  /** `https://10.77.x.y:PORT` */
  url: string;
  /** The authority's certificate. */
  authority: string;
  version: '1.1' | '2';
  /** Value of `Authorization` unless a request has its own. */
  authorization?: string;
}

export interface CurlAnswer {
  status: number;
  /** `HTTP/2` */
  protocol: string;
  headers: Headers;
  body: Buffer;
  text: () => string;
  json: () => unknown;
}

export interface CurlRequest {
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  /** Sends the body without its length: in chunks over HTTP/1.1. */
  streamed?: boolean;
  /** Ends it when so many bytes of the answer are there. */
  until?: number;
}

/** @param path begins with a slash; sent as it stands */
export async function curl(to: Curl, method: string, path: string, request: CurlRequest = {}): Promise<CurlAnswer> {
  const head = join(tmpdir(), `berth-curl-${crypto.randomUUID()}`);
  const headers = { ...(to.authorization ? { Authorization: to.authorization } : {}), ...request.headers };
  const command = [
    ...[
      'curl',
      '--silent',
      '--show-error',
      '--no-buffer',
      '--path-as-is',
      '--max-time',
      '60',
      '--cacert',
      to.authority,
    ],
    ...[`--http${to.version}`, '--dump-header', head],
    ...(method === 'HEAD' ? ['--head'] : ['--request', method]),
    ...Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`]),
    ...bodyFlags(request),
    `${to.url}${path}`,
  ];
  const child = Bun.spawn(command, {
    stdin: request.body === undefined ? 'ignore' : Buffer.from(request.body),
    stdout: 'pipe',
    stderr: 'pipe',
  });
  try {
    const pieces: Uint8Array[] = [];
    let size = 0;
    for await (const piece of child.stdout) {
      pieces.push(piece);
      size += piece.length;
      if (request.until !== undefined && size >= request.until) break;
    }
    if (request.until !== undefined) child.kill();
    const code = await child.exited;
    if (code !== 0 && request.until === undefined) {
      throw new Error(`curl ${method} ${path}: exit code ${code}: ${await new Response(child.stderr).text()}`);
    }
    return parse(await Bun.file(head).text(), method === 'HEAD' ? Buffer.alloc(0) : Buffer.concat(pieces));
  } finally {
    await Bun.file(head)
      .delete()
      .catch(() => undefined);
  }
}

function bodyFlags({ body, streamed }: CurlRequest): string[] {
  if (body === undefined) return [];
  return streamed ? ['--upload-file', '-'] : ['--data-binary', '@-'];
}

/** The last head of several, as after `100 Continue`. */
function parse(heads: string, body: Buffer): CurlAnswer {
  const [first = '', ...lines] = heads.trimEnd().split('\r\n\r\n').at(-1)?.split('\r\n') ?? [];
  const [protocol = '', status = ''] = first.split(' ');
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return {
    status: Number(status),
    protocol,
    headers,
    body,
    text: () => body.toString('utf8'),
    json: () => JSON.parse(body.toString('utf8')) as unknown,
  };
}
