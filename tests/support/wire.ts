// What a test says to a registry and hears from it, byte for byte: HTTP over a socket that sends exactly what it is
// given (a URL with `..`, a header no client library would write, half a body) and parses the answer without
// forgiving anything.
import { connect, type Socket } from 'node:net';

export interface Answer {
  status: number;
  headers: Headers;
  body: Buffer;
  text: () => string;
  json: () => unknown;
}

export interface RequestParts {
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  /** Sends the body with `Transfer-Encoding: chunked` in pieces of this many bytes. */
  chunked?: number;
}

/** The bytes of one HTTP/1.1 request; `path` is sent as it stands. */
export function requestBytes(host: string, method: string, path: string, parts: RequestParts = {}): Buffer {
  const body = parts.body === undefined ? undefined : Buffer.from(parts.body);
  const headers: Record<string, string> = { Host: host, ...parts.headers };
  const named = (name: string) => Object.keys(headers).some((key) => key.toLowerCase() === name);
  const pieces: Buffer[] = [];
  if (parts.chunked !== undefined) {
    headers['Transfer-Encoding'] = 'chunked';
    const whole = body ?? Buffer.alloc(0);
    for (let at = 0; at < whole.length; at += parts.chunked) {
      const piece = whole.subarray(at, at + parts.chunked);
      pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
    }
    pieces.push(Buffer.from('0\r\n\r\n'));
  } else {
    const framed = named('content-length') || named('transfer-encoding');
    if (!framed && (body !== undefined || ['POST', 'PUT', 'PATCH'].includes(method))) {
      headers['Content-Length'] = String(body?.length ?? 0);
    }
    if (body !== undefined) pieces.push(body);
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1'), ...pieces]);
}

/** Raised when the server closes, or says nothing for too long, before a whole answer has arrived. */
export class NoAnswer extends Error {
  constructor(
    readonly why: 'closed' | 'timeout' | 'malformed',
    readonly received: Buffer,
  ) {
    super(`no whole answer (${why}) after ${received.length} bytes: ${received.subarray(0, 200).toString('latin1')}`);
  }
}

/** One connection, kept alive: requests go out one after the other. */
export class Connection {
  private received: Buffer = Buffer.alloc(0);
  private ended = false;
  private wake: (() => void) | undefined;

  private constructor(readonly socket: Socket) {
    socket.on('data', (data: Buffer) => {
      this.received = this.received.length === 0 ? data : Buffer.concat([this.received, data]);
      this.wake?.();
    });
    for (const event of ['end', 'close', 'error']) {
      socket.on(event, () => {
        this.ended = true;
        this.wake?.();
      });
    }
  }

  static open(port: number, host = '127.0.0.1'): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host, noDelay: true, allowHalfOpen: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Connection(socket));
      });
    });
  }

  get open(): boolean {
    return !this.ended && !this.socket.destroyed;
  }

  send(bytes: string | Uint8Array): void {
    if (this.open) this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  close(): void {
    this.socket.destroy();
  }

  /** The next final answer (1xx are passed over). `method` tells whether a body follows. */
  async answer(method: string, timeout = 10_000): Promise<Answer> {
    const deadline = Date.now() + timeout;
    for (;;) {
      const parsed = parseAnswer(this.received, method, this.ended);
      if (parsed === 'malformed') throw new NoAnswer('malformed', this.received);
      if (parsed !== 'incomplete') {
        this.received = this.received.subarray(parsed.length);
        if (parsed.answer.status < 200) continue;
        return parsed.answer;
      }
      if (this.ended) throw new NoAnswer('closed', this.received);
      await this.more(deadline - Date.now());
    }
  }

  /** Resolves when the server has closed its side; false when it has not within `timeout` ms. */
  async closedWithin(timeout: number): Promise<boolean> {
    const deadline = Date.now() + timeout;
    while (!this.ended && Date.now() < deadline) await this.more(deadline - Date.now()).catch(() => undefined);
    return this.ended;
  }

  private more(within: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => {
          this.wake = undefined;
          reject(new NoAnswer('timeout', this.received));
        },
        Math.max(within, 0),
      );
      this.wake = () => {
        clearTimeout(timer);
        this.wake = undefined;
        resolve();
      };
    });
  }
}

type Parsed = { answer: Answer; length: number } | 'incomplete' | 'malformed';

function parseAnswer(bytes: Buffer, method: string, ended: boolean): Parsed {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return 'incomplete';
  const [first = '', ...lines] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n');
  const status = /^HTTP\/1\.[01] (\d{3})(?: .*)?$/.exec(first)?.[1];
  if (status === undefined) return 'malformed';
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 1) return 'malformed';
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const start = headEnd + 4;
  const code = Number(status);
  const whole = (body: Buffer, length: number): Parsed => ({ answer: makeAnswer(code, headers, body), length });
  if (method === 'HEAD' || code < 200 || code === 204 || code === 304) return whole(Buffer.alloc(0), start);
  if (headers.get('transfer-encoding')?.toLowerCase() === 'chunked') return parseChunks(bytes, start, whole);
  const length = headers.get('content-length');
  if (length === null) return ended ? whole(bytes.subarray(start), bytes.length) : 'incomplete';
  const end = start + Number(length);
  return bytes.length < end ? 'incomplete' : whole(bytes.subarray(start, end), end);
}

function parseChunks(bytes: Buffer, start: number, whole: (body: Buffer, length: number) => Parsed): Parsed {
  const pieces: Buffer[] = [];
  let at = start;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return 'incomplete';
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString('latin1'), 16);
    if (Number.isNaN(size)) return 'malformed';
    const next = lineEnd + 2 + size + 2;
    if (bytes.length < next) return 'incomplete';
    if (size === 0) return whole(Buffer.concat(pieces), next);
    pieces.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = next;
  }
}

function makeAnswer(status: number, headers: Headers, body: Buffer): Answer {
  return {
    status,
    headers,
    body,
    text: () => body.toString('utf8'),
    json: () => JSON.parse(body.toString('utf8')) as unknown,
  };
}

/** Sends `bytes` on a connection of its own and returns the first answer. */
export async function exchange(
  port: number,
  bytes: string | Uint8Array,
  method = 'GET',
  timeout = 10_000,
): Promise<Answer> {
  const connection = await Connection.open(port);
  try {
    connection.send(bytes);
    return await connection.answer(method, timeout);
  } finally {
    connection.close();
  }
}
