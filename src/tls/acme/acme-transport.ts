import type { AcmeProblem } from './failure.ts';
import { problemIn } from './failure.ts';

const ANSWER_WITHIN_MS = 30_000;
const ANSWER_MAX_BYTES = 1024 * 1024;

/** What acme-client hands to an adapter of its HTTP library, and wants back. */
interface TransportRequest {
  url?: string | undefined;
  method?: string | undefined;
  headers: Iterable<[string, unknown]> | { toJSON(): Record<string, unknown> };
  data?: unknown;
}

/** Requests of one order, with fetch: the library's own way knows no abort and no roots, and waits in silence when it is told to. */
export class AcmeTransport {
  /** The last error that the authority answered with. */
  problem: AcmeProblem | undefined;
  /** Why the last request got no answer. */
  unreachable: { url: string; error: unknown } | undefined;
  readonly #roots: readonly string[] | undefined;
  readonly #signal: AbortSignal;

  /** @param roots PEM; undefined for those of the system */
  constructor(roots: readonly string[] | undefined, signal: AbortSignal) {
    this.#roots = roots;
    this.#signal = signal;
  }

  async send(request: TransportRequest): Promise<{ status: number; headers: Record<string, string>; data: string }> {
    const url = request.url ?? '';
    const headers = new Headers();
    const given = 'toJSON' in request.headers ? Object.entries(request.headers.toJSON()) : request.headers;
    for (const [name, value] of given) if (typeof value === 'string') headers.set(name, value);
    headers.set('User-Agent', 'berth');
    this.problem = undefined;
    this.unreachable = undefined;
    try {
      const response = await fetch(url, {
        method: (request.method ?? 'get').toUpperCase(),
        headers,
        ...(typeof request.data === 'string' ? { body: request.data } : {}),
        signal: AbortSignal.any([this.#signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
        ...(this.#roots === undefined ? {} : { tls: { ca: [...this.#roots] } }),
      });
      const data = await textOf(response);
      this.problem = problemIn(response.status, data, response.headers.get('Retry-After'));
      return { status: response.status, headers: Object.fromEntries(response.headers), data };
    } catch (error) {
      this.unreachable = { url, error };
      throw error;
    }
  }
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > ANSWER_MAX_BYTES) throw new Error(`it answers with more than ${ANSWER_MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
