import { type FrontServer, proxyOf } from './proxies.ts';

/** What an answer holds at most here: errors and small JSON. */
const MOST_BYTES = 256 * 1024;
const WITHIN_MS = 15_000;

export interface Answer {
  status: number;
  headers: Headers;
  /** As it came over the wire: not decompressed, and no more than 256 KiB of it. */
  bytes: Uint8Array;
}

export interface Question {
  headers?: Record<string, string>;
  body?: ReadableStream<Uint8Array> | string | Uint8Array<ArrayBuffer>;
  /** ms; 15 s unless told */
  within?: number;
  /** Whether the credential goes with it, when there is one. Yes unless told. */
  credential?: boolean;
}

/** Why there was no answer. */
export interface NoAnswer {
  code: string;
  message: string;
  late: boolean;
}

/** How the server's certificate is checked. */
export type Trust = { kind: 'authorities'; certificates: readonly string[] } | { kind: 'anything' };

/**
 * Asks one server as clients do: follows no redirect, undoes no compression. Remembers which proxy gave itself away. A credential
 * goes only to who has shown a certificate that is trusted, or over plain HTTP.
 */
export class Wire {
  proxy: FrontServer | undefined;
  readonly #authorization: string | undefined;

  /** @param origin `https://registry.example.com` */
  constructor(
    readonly origin: string,
    readonly trust: Trust,
    authorization?: string,
  ) {
    this.#authorization = trust.kind === 'anything' && origin.startsWith('https:') ? undefined : authorization;
  }

  get hasCredential(): boolean {
    return this.#authorization !== undefined;
  }

  /** @param target a path, or a whole address */
  async ask(method: string, target: string, question: Question = {}): Promise<Answer | NoAnswer> {
    try {
      const response = await this.open(method, target, question);
      const bytes = await beginning(response);
      this.#notice(response.headers, bytes);
      return { status: response.status, headers: response.headers, bytes };
    } catch (error) {
      return noAnswer(error);
    }
  }

  /** The answer with its body still on the way. @throws what fetch throws */
  async open(method: string, target: string, question: Question = {}): Promise<Response> {
    const own = target.startsWith('/');
    const authorization = question.credential === false || !own ? undefined : this.#authorization;
    const options: BunFetchRequestInit = {
      method,
      redirect: 'manual',
      decompress: false,
      keepalive: false,
      signal: AbortSignal.timeout(question.within ?? WITHIN_MS),
      headers: {
        'User-Agent': 'berth-doctor',
        'Accept-Encoding': 'identity',
        ...(authorization === undefined ? {} : { Authorization: authorization }),
        ...question.headers,
      },
      tls: this.trust.kind === 'anything' ? { rejectUnauthorized: false } : { ca: [...this.trust.certificates] },
      ...(question.body === undefined ? {} : { body: question.body }),
    };
    return fetch(own ? this.origin + target : target, options);
  }

  #notice(headers: Headers, bytes: Uint8Array): void {
    this.proxy ??= proxyOf({
      server: headers.get('server'),
      via: headers.get('via'),
      text: textOf(bytes).slice(0, 2_000),
    });
  }
}

export function answered(answer: Answer | NoAnswer): answer is Answer {
  return 'status' in answer;
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** undefined for what is no JSON */
export function jsonOf({ bytes }: Answer): unknown {
  try {
    return JSON.parse(textOf(bytes));
  } catch {
    return undefined;
  }
}

export function noAnswer(error: unknown): NoAnswer {
  const message = error instanceof Error ? error.message : String(error);
  const late = error instanceof Error && error.name === 'TimeoutError';
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  // Advice to programmers is in brackets of its own sentence.
  return { code, late, message: late ? 'no answer in time' : message.replace(/ For more information.*$/s, '') };
}

async function beginning(response: Response): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of response.body ?? []) {
    pieces.push(piece);
    size += piece.byteLength;
    if (size >= MOST_BYTES) break;
  }
  return Buffer.concat(pieces, size).subarray(0, MOST_BYTES);
}

/** So many zeros, made as they are taken. */
export function zeros(bytes: number, onTaken: (bytes: number) => void = () => {}): ReadableStream<Uint8Array> {
  const piece = new Uint8Array(64 * 1024);
  let left = bytes;
  return new ReadableStream(
    {
      pull(controller) {
        const size = Math.min(left, piece.byteLength);
        if (size === 0) return controller.close();
        left -= size;
        controller.enqueue(piece.slice(0, size));
        onTaken(bytes - left);
      },
    },
    { highWaterMark: 0 },
  );
}
